import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { get } from 'node:https';
import { describe, it } from 'node:test';
import { systemClock } from '#base';
import { createAuthority } from '#pki';
import type { TlsConfig } from './certificates.ts';
import { listen } from './listener.ts';
import type { ServerResponse } from './message.ts';

async function tlsConfig(): Promise<TlsConfig> {
  const nowMs = systemClock.now();
  const authority = await createAuthority('ca', nowMs);
  const serving = await authority.issue({ commonName: 'x', dnsNames: ['localhost'], usages: ['server auth'], nowMs });
  return { ...serving, clientCaPem: authority.certPem };
}

describe('a client that resets its stream', () => {
  it('has gone away, whatever code it gives, and its answer ends', async () => {
    const ended = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield Buffer.alloc(64 * 1024);
      } finally {
        ended.resolve();
      }
    }
    const options = {
      host: '127.0.0.1',
      port: 0,
      tls: await tlsConfig(),
      onAnswerError: (error: unknown) => assert.fail(String(error)),
    };
    await using listener = await listen(options, async request => {
      request.signal.addEventListener('abort', () => gone.resolve());
      return { status: 200, headers: {}, body: { kind: 'chunks', chunks: endless() } };
    });
    const session = connect(listener.url, { rejectUnauthorized: false });
    // Without an error Node resets with NO_ERROR, after which the other side waits for its own reader.
    const stream = session.request({ ':path': '/' });
    stream.once('data', () => stream.destroy());
    await Promise.all([gone.promise, ended.promise]);
    session.destroy();
  });
});

describe('an answer that goes wrong while it is sent', () => {
  for (const [what, respond] of [
    ['a handler that throws', () => Promise.reject(new Error('fault'))],
    ['a header that cannot be sent', async () => answer({ 'x y': 'z' }, whole())],
    ['a body that breaks off', async () => answer({}, faulty())],
  ] as const) {
    it(`ends alone, and is told: ${what}`, async () => {
      const told: string[] = [];
      const onAnswerError = (error: unknown): void => void told.push((error as Error).message);
      const options = { host: '127.0.0.1', port: 0, tls: await tlsConfig(), onAnswerError };
      await using listener = await listen(options, async ({ path }) =>
        path === '/good' ? answer({}, whole()) : respond(),
      );
      const session = connect(listener.url, { rejectUnauthorized: false });
      const overHttp2 = (path: string): Promise<string> => readAll(session.request({ ':path': path }));
      await Promise.all([
        assert.rejects(overHttp2('/bad'), 'what is cut short does not look whole'),
        overHttp2('/good').then(text => assert.equal(text, 'whole')),
      ]);
      session.destroy();
      await assert.rejects(overHttp1(`${listener.url}/bad`));
      assert.equal(await overHttp1(`${listener.url}/good`), 'whole');
      assert.equal(told.length, 2);
    });
  }
});

const answer = (headers: Record<string, string>, chunks: AsyncIterable<Uint8Array>): ServerResponse => ({
  status: 200,
  headers,
  body: { kind: 'chunks', chunks },
});

async function* whole(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('whole');
}

async function* faulty(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('half');
  throw new Error('fault');
}

async function readAll(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function overHttp1(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { rejectUnauthorized: false, agent: false }, message =>
      readAll(message).then(resolve, reject),
    );
    request.on('error', reject);
  });
}
