import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:https';
import { type Duplex, Duplex as DuplexStream } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { WebSocket } from 'ws';
import { systemClock } from '#base';
import { createAuthority, type KeyPair } from '#pki';
import { SpdyConnection, tunnelProtocol } from '#streaming';
import type { KubeletServing } from '../config.ts';
import { startHarness } from '../testing/harness.ts';

const main = { name: 'main', image: 'busybox:1' };

/** The least of a WebSocket client: binary messages as bytes, masked with zero. */
function binaryMessages(raw: Duplex): Duplex {
  let rest = Buffer.alloc(0);
  const stream = new DuplexStream({
    read: () => {},
    write(chunk: Buffer, _encoding, callback) {
      const head = Buffer.from([0x82, 0xfe, 0, 0, 0, 0, 0, 0]);
      head.writeUInt16BE(chunk.length, 2);
      raw.write(Buffer.concat([head, chunk]), callback);
    },
    destroy(error, callback) {
      raw.destroy();
      callback(error);
    },
  });
  raw.on('close', () => stream.destroy());
  raw.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 2) {
      const short = rest[1]! & 0x7f;
      const start = short === 126 ? 4 : 2;
      if (rest.length < start) return;
      const length = short === 126 ? rest.readUInt16BE(2) : short;
      if (rest.length < start + length) return;
      if ((rest[0]! & 0x0f) <= 2) stream.push(rest.subarray(start, start + length));
      rest = rest.subarray(start + length);
    }
  });
  return stream;
}

/** A harness with a server, one running pod called `web`, and ways to ask. */
async function serve() {
  const nowMs = systemClock.now();
  const authority = await createAuthority('test', nowMs);
  const [own, client] = await Promise.all([
    authority.issue({ commonName: 'node', ipAddresses: ['127.0.0.1'], usages: ['server auth'], nowMs }),
    authority.issue({ commonName: 'api', organizations: ['system:masters'], usages: ['client auth'], nowMs }),
  ]);
  const harness = await startHarness({
    clock: () => systemClock,
    config: { address: '127.0.0.1', port: 0 },
    serving: { certPem: own.certPem, keyPem: own.keyPem, clientCaPem: authority.certPem },
    script: () => ({ output: ['one', 'two', 'three'] }),
  });
  await harness.run('web', { containers: [main] });
  await harness.until('web', pod => pod?.status?.phase === 'Running');
  const tls = { ca: authority.certPem, cert: client.certPem, key: client.keyPem };
  const { port } = harness.kubelet;
  const options = (path: string, anonymous = false) => ({
    host: '127.0.0.1',
    port,
    path,
    agent: false as const,
    ...(anonymous ? { ca: authority.certPem } : tls),
  });
  const get = (path: string, anonymous = false): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      request(options(path, anonymous), response => {
        text(response).then(body => resolve({ status: response.statusCode!, body }), reject);
      })
        .on('error', reject)
        .end();
    });
  const spdy = (path: string, protocol: string): Promise<SpdyConnection> =>
    new Promise((resolve, reject) => {
      const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': protocol };
      request({ ...options(path), method: 'POST', headers })
        .on('upgrade', (_response, socket: Duplex, head) =>
          resolve(new SpdyConnection(socket, { side: 'client', head })),
        )
        .on('response', response => reject(new Error(`answered ${response.statusCode}`)))
        .on('error', reject)
        .end();
    });
  const socket = (path: string, protocol: string): WebSocket =>
    new WebSocket(`wss://127.0.0.1:${port}${path}`, [protocol], tls);
  const tunnel = (path: string): Promise<Duplex> =>
    new Promise((resolve, reject) => {
      const key = { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' };
      const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-protocol': tunnelProtocol, ...key };
      request({ ...options(path), headers })
        .on('upgrade', (response, raw: Duplex) => {
          assert.equal(response.headers['sec-websocket-protocol'], tunnelProtocol);
          resolve(binaryMessages(raw));
        })
        .on('error', reject)
        .end();
    });
  return { harness, get, spdy, socket, tunnel, [Symbol.asyncDispose]: () => harness[Symbol.asyncDispose]() };
}

test('the server gives logs, refuses strangers, and runs commands over SPDY and WebSocket', async t => {
  await using server = await serve();
  const { get, spdy, socket } = server;
  await t.test('logs', async () => {
    assert.deepEqual(await get('/containerLogs/default/web/main'), { status: 200, body: 'one\ntwo\nthree\n' });
    assert.equal((await get('/containerLogs/default/web/main?tailLines=1')).body, 'three\n');
    assert.equal((await get('/containerLogs/default/web/main?tailLines=0')).body, '');
    assert.equal((await get('/containerLogs/default/web/main?limitBytes=5')).body, 'one\nt');
    assert.match((await get('/containerLogs/default/web/main?timestamps=true&tailLines=1')).body, /^20\S+Z three\n$/);
    assert.deepEqual(await get('/containerLogs/default/none/main'), { status: 404, body: 'pod "none" does not exist' });
    assert.deepEqual(await get('/containerLogs/default/web/main?previous=true'), {
      status: 400,
      body: 'previous terminated container "main" in pod "web" not found',
    });
  });
  await t.test('strangers and unknown paths', async () => {
    assert.deepEqual(await get('/pods', true), { status: 401, body: 'Unauthorized' });
    assert.equal((await get('/nothing')).status, 404);
    assert.equal((await get('/healthz')).body, 'ok');
    assert.equal(JSON.parse((await get('/pods')).body).items.length, 1);
    assert.equal(JSON.parse((await get('/stats/summary')).body).pods[0].podRef.name, 'web');
  });
  await t.test('exec over SPDY: output, exit code', async () => {
    const query = 'command=sh&command=-c&command=echo+hello+there&stdout=true&stderr=true';
    const connection = await spdy(`/exec/default/web/main?${query}`, 'v4.channel.k8s.io');
    const error = await connection.openStream({ streamType: 'error' }, { end: true });
    const stdout = await connection.openStream({ streamType: 'stdout' }, { end: true });
    const stderr = await connection.openStream({ streamType: 'stderr' }, { end: true });
    assert.deepEqual(await Promise.all([text(stdout), text(stderr)]), ['hello there\n', '']);
    assert.deepEqual(JSON.parse(await text(error)), { metadata: {}, status: 'Success' });
    await connection.closed;
    const failing = await spdy('/exec/default/web/main?command=exit&command=3&output=1', 'v4.channel.k8s.io');
    const status = await failing.openStream({ streamType: 'error' }, { end: true });
    await failing.openStream({ streamType: 'stdout' }, { end: true });
    const { reason, details } = JSON.parse(await text(status));
    assert.deepEqual([reason, details], ['NonZeroExitCode', { causes: [{ reason: 'ExitCode', message: '3' }] }]);
  });
  await t.test('exec over WebSocket: input, its end, exit status', async () => {
    const ws = socket('/exec/default/web/main?command=cat&stdin=1&stdout=1', 'v5.channel.k8s.io');
    const received: Buffer[] = [];
    ws.on('message', data => received.push(data as Buffer));
    await new Promise(resolve => ws.once('open', resolve));
    ws.send(Buffer.from('\x00echo me'));
    ws.send(Buffer.from([255, 0]));
    await new Promise(resolve => ws.once('close', resolve));
    const of = (channel: number): string =>
      Buffer.concat(received.filter(message => message[0] === channel).map(message => message.subarray(1))).toString();
    assert.equal(of(1), 'echo me');
    assert.deepEqual(JSON.parse(of(3)), { metadata: {}, status: 'Success' });
  });
  await t.test('port-forward over SPDY', async () => {
    const connection = await spdy('/portForward/default/web', 'portforward.k8s.io');
    const headers = { port: '80', requestID: '1' };
    const error = await connection.openStream({ ...headers, streamType: 'error' }, { end: true });
    const data = await connection.openStream({ ...headers, streamType: 'data' });
    data.end('ping');
    assert.deepEqual(await Promise.all([text(data), text(error)]), ['ping', '']);
    connection.destroy();
  });
  await t.test('port-forward over SPDY in a WebSocket', async () => {
    const tunnel = await server.tunnel('/portForward/default/web');
    const connection = new SpdyConnection(tunnel, { side: 'client' });
    const headers = { port: '80', requestID: '1' };
    const error = await connection.openStream({ ...headers, streamType: 'error' }, { end: true });
    const data = await connection.openStream({ ...headers, streamType: 'data' });
    data.end('tunnelled');
    assert.deepEqual(await Promise.all([text(data), text(error)]), ['tunnelled', '']);
    connection.destroy();
    await connection.closed;
  });
});

test('a renewed certificate is shown from the next handshake on', async () => {
  const nowMs = systemClock.now();
  const authority = await createAuthority('test', nowMs);
  const issue = (): Promise<KeyPair> =>
    authority.issue({ commonName: 'node', ipAddresses: ['127.0.0.1'], usages: ['server auth'], nowMs });
  const [first, second] = await Promise.all([issue(), issue()]);
  let replace: ((next: Omit<KubeletServing, 'onChange'>) => void) | undefined;
  await using harness = await startHarness({
    clock: () => systemClock,
    config: { address: '127.0.0.1', port: 0 },
    serving: {
      ...first!,
      clientCaPem: authority.certPem,
      onChange(tell) {
        replace = tell;
      },
    },
    script: () => ({}),
  });
  const shown = async (): Promise<string> => {
    const socket = connect({ host: '127.0.0.1', port: harness.kubelet.port, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerX509Certificate()!;
    socket.destroy();
    return serialNumber;
  };
  const serial = ({ certPem }: KeyPair): string => new X509Certificate(certPem).serialNumber;
  assert.equal(await shown(), serial(first!));
  replace!({ ...second!, clientCaPem: authority.certPem });
  assert.equal(await shown(), serial(second!));
});
