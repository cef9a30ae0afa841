import { connect } from 'node:http2';
import { describe, it } from 'node:test';
import { systemClock } from '#base';
import { createAuthority } from '#pki';
import { listen } from './listener.ts';

describe('a client that resets its stream', () => {
  it('has gone away, whatever code it gives, and its answer ends', async () => {
    const nowMs = systemClock.now();
    const authority = await createAuthority('ca', nowMs);
    const serving = await authority.issue({ commonName: 'x', dnsNames: ['localhost'], usages: ['server auth'], nowMs });
    const ended = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield Buffer.alloc(64 * 1024);
      } finally {
        ended.resolve();
      }
    }
    const tls = { ...serving, clientCaPem: authority.certPem };
    await using listener = await listen({ host: '127.0.0.1', port: 0, tls }, async request => {
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
