/** What stands around every request, over real HTTPS: deadlines, compression, metrics, strange methods. */
import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { builtinTypes } from '#api/tables';
import { readProtobufObject } from '#apimachinery';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';

let server: TestApiServer;
before(async () => {
  server = await startTestApiServer();
});
after(() => server[Symbol.asyncDispose]());

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Buffer;
}

function get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { authority, port, adminToken } = server;
    const own = { authorization: `Bearer ${adminToken}`, ...headers };
    const options = { host: '127.0.0.1', port, path, ca: authority.certPem, headers: own, agent: false };
    const request = httpsRequest(options, response => {
      const parts: Buffer[] = [];
      response.on('data', part => parts.push(part));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(parts) }),
      );
    });
    request.on('error', reject);
    request.end();
  });
}

async function createMaps(count: number, sizeBytes: number, prefix: string): Promise<void> {
  const transport = server.transport();
  for (let at = 0; at < count; at++) {
    const body = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `${prefix}-${at}` },
      data: { k: 'x'.repeat(sizeBytes) },
    };
    await transport.request({ method: 'POST', path: '/api/v1/namespaces/default/configmaps', body });
  }
}

test('a timeout that is none is refused, one that passes ends the request', async () => {
  const path = '/api/v1/namespaces/default/configmaps';
  const wrong = await get(`${path}?timeout=1`);
  assert.equal(wrong.status, 400);
  assert.match(wrong.bytes.toString(), /invalid timeout specified in the request URL - time: missing unit in duration/);
  const late = await get(`${path}?timeout=1ns`);
  assert.equal(late.status, 504);
  assert.equal(late.headers['content-type'], 'text/plain; charset=utf-8');
  assert.match(
    late.bytes.toString(),
    /^\{"metadata":\{\},"status":"Failure","message":"Timeout: request did not complete/,
  );
  assert.equal((await get(`${path}?timeout=-5s`)).status, 200);
});

test('lists and objects beyond 128 KiB are compressed for who takes gzip, and nothing else is', async () => {
  await createMaps(10, 40_000, 'big');
  await createMaps(1, 200_000, 'huge');
  for (const path of ['/api/v1/namespaces/default/configmaps', '/api/v1/namespaces/default/configmaps/huge-0']) {
    const plain = await get(path);
    assert.equal(plain.headers['content-encoding'], undefined);
    const packed = await get(path, { 'accept-encoding': 'deflate, gzip' });
    assert.equal(packed.headers['content-encoding'], 'gzip');
    assert.match(String(packed.headers['vary']), /Accept-Encoding/);
    assert.ok(packed.bytes.length < plain.bytes.length / 4);
    assert.deepEqual(JSON.parse(gunzipSync(packed.bytes).toString()), JSON.parse(plain.bytes.toString()));
  }
  const small = await get('/api/v1/namespaces/default/configmaps/big-0', { 'accept-encoding': 'gzip' });
  assert.equal(small.headers['content-encoding'], undefined);
  const refused = await get('/api/v1/namespaces/default/configmaps', { 'accept-encoding': 'gzip;q=1' });
  assert.equal(refused.headers['content-encoding'], undefined);
});

test('requests are counted and timed under upstream names', async () => {
  await get('/api/v1/namespaces/default/configmaps/nope');
  await get('/apis/made.up/v1/inventions/of-a-client');
  const text = (await get('/metrics')).bytes.toString();
  assert.match(
    text,
    /apiserver_request_total\{code="404",component="apiserver",dry_run="",group="",resource="configmaps",scope="resource",subresource="",verb="GET",version="v1"\} 1\n/,
  );
  assert.doesNotMatch(text, /inventions/);
  assert.match(
    text,
    /apiserver_request_duration_seconds_bucket\{component="apiserver",dry_run="",[^}]*verb="LIST"[^}]*le="0.005"\}/,
  );
  for (const name of [
    'apiserver_current_inflight_requests',
    'apiserver_response_sizes_count',
    'apiserver_request_sli_duration_seconds_sum',
    'apiserver_storage_objects',
    'process_resident_memory_bytes',
    'process_start_time_seconds',
    'etcd_request_duration_seconds_count',
  ]) {
    assert.ok(text.includes(`\n${name}`), name);
  }
});

test('a watch counts as long-running until its client goes', async () => {
  const gauge = async (): Promise<string | undefined> =>
    /apiserver_longrunning_requests\{[^}]*resource="secrets"[^}]*\} (\d+)/.exec(
      (await get('/metrics')).bytes.toString(),
    )?.[1];
  const session = connectHttp2(server.url, { ca: server.authority.certPem });
  const stream = session.request({
    ':path': '/api/v1/secrets?watch=true',
    authorization: `Bearer ${server.adminToken}`,
  });
  await new Promise(resolve => stream.once('response', resolve));
  assert.equal(await gauge(), '1');
  stream.close();
  session.close();
  await new Promise(resolve => session.once('close', resolve));
  for (let at = 0; (await gauge()) !== '0'; at++) assert.ok(at < 100, 'the watch is still counted');
});

test('a method that HTTP does not know is refused in words', async () => {
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port: server.port, ca: server.authority.certPem }, () => {
      socket.write(`FOO /api/v1/pods HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${server.adminToken}\r\n\r\n`);
    });
    let text = '';
    socket.on('data', part => (text += part));
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
  assert.match(answer, /^HTTP\/1\.1 405 /);
  assert.match(answer, /"reason":"MethodNotAllowed"/);
});

test('a list in protobuf holds what the list in JSON holds', async () => {
  const path = '/api/v1/namespaces/default/configmaps';
  const { bytes, headers } = await get(path, { accept: 'application/vnd.kubernetes.protobuf' });
  assert.equal(headers['content-type'], 'application/vnd.kubernetes.protobuf');
  const struct = builtinTypes.struct('io.k8s.api.core.v1.ConfigMapList');
  const list = readProtobufObject(bytes, () => struct) as unknown as { metadata: object; items: { data?: object }[] };
  const json = JSON.parse((await get(path)).bytes.toString()) as typeof list;
  assert.equal(list.items.length, json.items.length);
  assert.deepEqual(list.metadata, json.metadata);
  assert.deepEqual(
    list.items.map(item => item.data),
    json.items.map(item => item.data),
  );
});
