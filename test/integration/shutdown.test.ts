/** How a server ends: with a watch open, a slow request under way and others that come meanwhile. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { KubeObject } from '#apimachinery';
import type { ApiServerConfig } from '#apiserver';
import { createMemoryStore, prefixEnd, type Store } from '#storage';
import { systemClock } from '../../src/base/index.ts';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { freePort, launcher } from '../support/program.ts';

type Ended = Awaited<ReturnType<typeof answerOf>>;

async function answerOf(response: IncomingMessage) {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return { status: response.statusCode!, headers: response.headers, text: Buffer.concat(parts).toString() };
}

/** On a connection of its own. */
function get(server: Pick<TestApiServer, 'port' | 'adminToken'>, path: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${server.adminToken}` };
    const options = { host: '127.0.0.1', port: server.port, path, headers, rejectUnauthorized: false, agent: false };
    httpsRequest(options, response => answerOf(response).then(resolve, reject))
      .on('error', reject)
      .end();
  });
}

/** A creation whose body is not all there before `send` is called. */
function slowCreate({ port, adminToken }: TestApiServer): { begun: Promise<void>; send(): Promise<Ended> } {
  const body = JSON.stringify({ metadata: { name: 'slow' } });
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  const request = httpsRequest(
    {
      host: '127.0.0.1',
      port,
      method: 'POST',
      path: '/api/v1/namespaces/default/configmaps',
      headers: {
        authorization: `Bearer ${adminToken}`,
        'content-type': 'application/json',
        'content-length': body.length,
      },
      rejectUnauthorized: false,
      agent: new Agent({ keepAlive: true }),
    },
    response => answerOf(response).then(resolve, reject),
  ).on('error', reject);
  request.write(body.slice(0, 5));
  const begun = pause(100);
  return {
    begun,
    send() {
      request.end(body.slice(5));
      return promise;
    },
  };
}

interface OpenWatch {
  readonly session: ClientHttp2Session;
  /** What came, when the stream has ended; rejects when it was broken off. */
  readonly ended: Promise<string>;
}

async function watch({ port, adminToken }: TestApiServer, query = ''): Promise<OpenWatch> {
  const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  const stream = session.request({
    ':path': `/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=0${query}`,
    authorization: `Bearer ${adminToken}`,
  });
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', part => (text += part));
  const ended = new Promise<string>((resolve, reject) => {
    stream.on('end', () => resolve(text));
    stream.on('error', reject);
    stream.on('aborted', () => reject(new Error('the watch was broken off')));
  });
  ended.catch(() => {});
  await once(stream, 'response');
  return { session, ended };
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));
const shutdown = (of: Partial<ApiServerConfig['shutdown']>): { config: Partial<ApiServerConfig> } => ({
  config: { shutdown: { delayMs: 0, watchGraceMs: 0, sendRetryAfter: false, goawayChance: 0, ...of } },
});

describe('the end of a server', () => {
  it('begins with readiness, while all is served as before', async () => {
    await using server = await startTestApiServer(shutdown({ delayMs: 400 }));
    assert.equal((await get(server, '/readyz')).status, 200);
    let over = false;
    const begun = server.server.beginShutdown().then(() => (over = true));
    const ready = await get(server, '/readyz?verbose');
    assert.equal(ready.status, 500);
    assert.match(ready.text, /\[-\]shutdown failed: reason withheld\nreadyz check failed\n$/);
    assert.equal((await get(server, '/readyz/shutdown')).text, 'internal server error: process is shutting down\n');
    assert.equal((await get(server, '/livez')).status, 200);
    assert.equal((await get(server, '/api/v1/namespaces')).status, 200);
    assert.equal(over, false);
    await begun;
  });

  it('answers what was asked, ends watches cleanly and takes nothing new', async () => {
    const server = await startTestApiServer();
    const slow = slowCreate(server);
    await slow.begun;
    const { session, ended } = await watch(server);
    const stopped = server[Symbol.asyncDispose]();
    await pause(100);
    await assert.rejects(get(server, '/api'), (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED');
    const { status, headers } = await slow.send();
    assert.equal(status, 201);
    assert.equal(headers.connection, 'close');
    assert.match(await ended, /"type":"ADDED".*"name":"kube-root-ca.crt"|"name":"slow"|^$/s);
    await stopped;
    assert.equal(session.closed, true);
  });

  it('sends newcomers away with 429 while it drains, when told to', async () => {
    const server = await startTestApiServer(shutdown({ sendRetryAfter: true }));
    const slow = slowCreate(server);
    await slow.begun;
    const stopped = server[Symbol.asyncDispose]();
    await pause(100);
    const refused = await get(server, '/api/v1/namespaces');
    assert.equal(refused.status, 429);
    assert.equal(refused.text, 'The apiserver is shutting down, please try again later.\n');
    assert.equal(refused.headers['retry-after'], '5');
    assert.equal(refused.headers.connection, 'close');
    assert.equal((await get(server, '/livez')).status, 200);
    assert.equal((await slow.send()).status, 201);
    await stopped;
  });

  it('ends watches one after another within their grace period', async () => {
    const server = await startTestApiServer(shutdown({ watchGraceMs: 2000 }));
    const watches = await Promise.all(Array.from({ length: 20 }, () => watch(server)));
    const begun = performance.now();
    const ends: number[] = [];
    const all = Promise.all(watches.map(({ ended }) => ended.then(() => ends.push(performance.now() - begun))));
    await Promise.all([all, server[Symbol.asyncDispose]()]);
    // Two hundred a second, so the last of twenty is ended after 95 ms.
    assert.ok(ends.at(-1)! > 80, `all were ended after ${ends.at(-1)} ms`);
    assert.ok(ends.at(-1)! < 2000);
  });

  it('tells connections of HTTP/2 to end by chance', async () => {
    await using server = await startTestApiServer(shutdown({ goawayChance: 1 }));
    const session = connect(`https://127.0.0.1:${server.port}`, { rejectUnauthorized: false });
    const goaway = once(session, 'goaway');
    const stream = session.request({ ':path': '/api', authorization: `Bearer ${server.adminToken}` });
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    assert.equal(headers[':status'], 200);
    assert.equal((await goaway)[0], 0);
    stream.resume();
    await once(stream, 'end');
    assert.equal((await get(server, '/api')).headers.connection, 'close');
  });

  it('takes its address back and leaves those of others', async () => {
    const store = createMemoryStore({ clock: systemClock });
    const start = (host: string) => startTestApiServer({ store, config: { externalAddress: { host, port: 6443 } } });
    const first = await start('192.0.2.1');
    const second = await start('192.0.2.2');
    assert.deepEqual(await addresses(second), ['192.0.2.1', '192.0.2.2']);
    assert.deepEqual(await leases(store), ['192.0.2.1', '192.0.2.2']);
    await first[Symbol.asyncDispose]();
    assert.deepEqual(await addresses(second), ['192.0.2.2']);
    assert.deepEqual(await leases(store), ['192.0.2.2']);
    await second[Symbol.asyncDispose]();
    await store.close();
  });

  it('of others is seen by their expired leases, which are removed', async () => {
    const store = createMemoryStore({ clock: systemClock });
    const leasePath = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';
    const first = await startTestApiServer({ store });
    const labels = { 'apiserver.kubernetes.io/identity': 'kube-apiserver' };
    const make = (name: string, renewTime: string, more: object) =>
      first.transport().request({
        method: 'POST',
        path: leasePath,
        body: { metadata: { name, ...more }, spec: { holderIdentity: name, leaseDurationSeconds: 3600, renewTime } },
      });
    await make('apiserver-gone', '2020-01-01T00:00:00.000000Z', { labels });
    await make('other-gone', '2020-01-01T00:00:00.000000Z', {});
    await make('apiserver-there', new Date().toISOString().replace('Z', '000Z'), { labels });
    await first[Symbol.asyncDispose]();
    await using second = await startTestApiServer({ store });
    const response = await second.transport().request({ method: 'GET', path: leasePath });
    const { items } = (await response.json()) as { items: KubeObject[] };
    const names = items.map(({ metadata }) => metadata.name!).sort();
    assert.equal(names.includes('apiserver-gone'), false);
    assert.equal(names.includes('other-gone'), true);
    assert.equal(names.includes('apiserver-there'), true);
    assert.equal(names.length, 3);
  });

  it('comes with SIGTERM: readiness first, then the delay, then the process', async () => {
    const root = mkdtempSync(join(tmpdir(), 'kobune-shutdown-'));
    const port = await freePort();
    const flags = ['--api-only', '--store', 'memory', '--port', String(port), '--shutdown-delay-duration=1500ms'];
    const child = spawn(process.execPath, [launcher, 'server', '--root', root, '--name', 'end', ...flags]);
    try {
      await new Promise<void>((resolve, reject) => {
        child.stderr.on('data', text => String(text).includes('ready') && resolve());
        child.on('exit', code => reject(new Error(`ended with ${code}`)));
      });
      const begun = performance.now();
      child.kill('SIGTERM');
      await pause(150);
      const [ready, live] = await Promise.all([readAnonymously(port, '/readyz'), readAnonymously(port, '/livez')]);
      assert.deepEqual([ready, live], [500, 200]);
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
      const tookMs = performance.now() - begun;
      assert.ok(tookMs > 1400 && tookMs < 8000, `${tookMs} ms`);
    } finally {
      child.kill('SIGKILL');
      rmSync(root, { recursive: true, force: true });
    }
  });
});

function readAnonymously(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false };
    httpsRequest(options, response => answerOf(response).then(({ status }) => resolve(status), reject))
      .on('error', reject)
      .end();
  });
}

async function addresses(server: TestApiServer): Promise<string[]> {
  const read = async (path: string) =>
    (await (await server.transport().request({ method: 'GET', path })).json()) as Record<string, any>;
  const endpoints = await read('/api/v1/namespaces/default/endpoints/kubernetes');
  const slice = await read('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes');
  const ips = (endpoints['subsets'] ?? []).flatMap((subset: any) => subset.addresses.map(({ ip }: any) => ip));
  assert.deepEqual(
    slice['endpoints'].flatMap((each: any) => each.addresses),
    ips,
  );
  return ips;
}

async function leases(store: Store): Promise<string[]> {
  const start = '/registry/masterleases/';
  const { kvs } = await store.range({ start, end: prefixEnd(start), keysOnly: true });
  return kvs.map(({ key }) => key.slice(start.length));
}
