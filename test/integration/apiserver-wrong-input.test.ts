/** Wrong input over real HTTP: a Status with upstream's reason, never a stack, and the server goes on. */
import assert from 'node:assert/strict';
import { request as httpsRequest } from 'node:https';
import { after, before, test } from 'node:test';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';

let server: TestApiServer;
before(async () => {
  server = await startTestApiServer({ controllers: true });
});
after(() => server[Symbol.asyncDispose]());

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: { kind?: string; reason?: string; message?: string; code?: number };
}

function send(
  method: string,
  path: string,
  body?: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port: server.port,
        method,
        path,
        ca: server.authority.certPem,
        headers: { authorization: `Bearer ${server.adminToken}`, 'content-type': 'application/json', ...headers },
        agent: false,
      },
      response => {
        const parts: Buffer[] = [];
        response.on('data', part => parts.push(part));
        response.on('end', () => {
          const text = Buffer.concat(parts).toString();
          let parsed = {};
          try {
            parsed = JSON.parse(text);
          } catch {
            // Plain text.
          }
          resolve({ status: response.statusCode ?? 0, text, body: parsed });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const path = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string, more: object = {}): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...more });

async function refused(answer: Promise<Answer>, code: number, reason: string, message: RegExp): Promise<void> {
  const { status, body, text } = await answer;
  assert.equal(status, code, text);
  assert.equal(body.kind, 'Status', text);
  assert.equal(body.reason, reason);
  assert.match(body.message ?? '', message);
  assert.doesNotMatch(text, /\.ts:\d+/, 'no stack');
  const alive = await send('GET', '/livez');
  assert.equal(alive.text, 'ok');
}

test('malformed JSON', () =>
  refused(send('POST', path, '{"kind":'), 400, 'BadRequest', /unexpected end of JSON input/));

test('malformed YAML', () =>
  refused(
    send('POST', path, 'kind: [ConfigMap', { 'content-type': 'application/yaml' }),
    400,
    'BadRequest',
    /yaml|unrecognized/,
  ));

test('malformed protobuf', () =>
  refused(
    send('POST', path, Buffer.from([0x6b, 0x38, 0x73, 0, 0xff, 0xff, 0xff]), {
      'content-type': 'application/vnd.kubernetes.protobuf',
    }),
    400,
    'BadRequest',
    /unrecognized|cannot be handled/,
  ));

test('a body over 3 MiB', () =>
  refused(
    send('POST', path, configMap('big', { data: { k: 'x'.repeat(3 * 1024 * 1024) } })),
    413,
    'RequestEntityTooLarge',
    /limit is 3145728/,
  ));

test('nesting thousands deep', () =>
  refused(
    send('POST', path, `{"apiVersion":"v1","kind":"ConfigMap","x":${'['.repeat(5000)}${']'.repeat(5000)}}`),
    400,
    'BadRequest',
    /exceeded max depth/,
  ));

test('a bad name', () => refused(send('POST', path, configMap('Not A Name')), 422, 'Invalid', /RFC 1123 subdomain/));

test('a content type that is none', () =>
  refused(
    send('POST', path, configMap('a'), { 'content-type': 'text/csv' }),
    415,
    'UnsupportedMediaType',
    /unknown format - accepted media types include/,
  ));

test('a stale resourceVersion', async () => {
  const created = JSON.parse((await send('POST', path, configMap('stale'))).text);
  assert.equal((await send('PUT', `${path}/stale`, configMap('stale', { data: { a: '1' } }))).status, 200);
  const old = JSON.stringify({ ...created, data: { a: '2' } });
  await refused(send('PUT', `${path}/stale`, old), 409, 'Conflict', /the object has been modified/);
});

test('unknown and duplicate fields, strictly', async () => {
  const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"s"},"datta":{},"data":{"a":"1","a":"2"}}';
  await refused(
    send('POST', `${path}?fieldValidation=Strict`, body),
    400,
    'BadRequest',
    /strict decoding error: unknown field "datta", duplicate field "data.a"/,
  );
});

test('what nobody serves, and a namespace that does not exist', async () => {
  await refused(send('GET', '/api/v1/foos'), 404, 'NotFound', /could not find the requested resource/);
  const elsewhere = '/api/v1/namespaces/nowhere/configmaps';
  await refused(send('POST', elsewhere, configMap('a')), 404, 'NotFound', /namespaces "nowhere" not found/);
});

test('a field named like a prototype is data', async () => {
  const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"proto"},"data":{"__proto__":"x"}}';
  const { status, text } = await send('POST', path, body);
  assert.ok(status === 422 || status === 201, text);
  assert.equal(({} as { x?: string }).x, undefined);
});

test('where upstream answers with 500, so do we: a watch from a version that is none, a path that breaks off', async () => {
  const watch = await send('GET', `${path}?watch=1&resourceVersion=zz`);
  assert.deepEqual([watch.status, watch.body.code, watch.body.reason], [500, 500, undefined]);
  assert.match(watch.body.message!, /^resourceVersion: Invalid value: "zz": strconv\.ParseUint: parsing "zz": invalid/);
  const broken = await send('GET', '/api/v1/proxy');
  const why = 'failed to create RequestInfo: unable to determine kind and namespace from url, /api/v1/proxy';
  assert.deepEqual([broken.status, broken.text], [500, `Internal Server Error: "/api/v1/proxy": ${why}\n`]);
});

test('a body of nothing but mistakes is refused with the first thousand, and how many more there are', async () => {
  // Each is refused twice.
  const count = 150_000;
  const finalizers = Array.from({ length: count }, () => 'a!');
  const { status, text, body } = await send('POST', path, JSON.stringify({ metadata: { name: 'x', finalizers } }));
  assert.equal(status, 422, text.slice(0, 1000));
  assert.match(body.message ?? '', new RegExp(`, and ${2 * count - 1000} more\\]$`));
  const { details } = body as { details?: { causes?: unknown[] } };
  assert.equal(details?.causes?.length, 1000);
});

test('a review that asks for very many labels is refused with what is wrong with the first', async () => {
  const requirements = Array.from({ length: 150_000 }, () => ({}));
  const spec = { resourceAttributes: { labelSelector: { requirements } } };
  const reviews = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  assert.equal((await send('POST', reviews, JSON.stringify({ spec }))).status, 422);
});

test('what a patch says that it is has to be a group and a version', () =>
  refused(
    send('PATCH', `${path}/kube-root-ca.crt`, '{"apiVersion":"a/b/c"}', {
      'content-type': 'application/merge-patch+json',
    }),
    422,
    'Invalid',
    /unexpected GroupVersion string: a\/b\/c$/,
  ));
