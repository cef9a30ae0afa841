/** The API over real HTTP: both protocol versions, watches, pages, patches, apply, tokens, limits of streams. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { get } from 'node:https';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { createClient, createHttpsTransport } from '#client';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';

const run = promisify(execFile);
const configMaps = { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap', namespaced: true };

let server: TestApiServer;
before(async () => {
  server = await startTestApiServer({ controllers: true });
});
after(() => server[Symbol.asyncDispose]());

const https = () =>
  createHttpsTransport({
    server: server.url,
    caPem: server.authority.certPem,
    certPem: server.admin.certPem,
    keyPem: server.admin.keyPem,
  });

test('the HTTPS transport reads what the in-process transport wrote', async () => {
  const inside = createClient(server.transport()).resource(configMaps).namespace('default');
  await inside.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shared' } });
  await using transport = https();
  const outside = createClient(transport).resource(configMaps).namespace('default');
  assert.deepEqual(await outside.get('shared'), await inside.get('shared'));
});

test('refusals are indented for browsers, curl and whoever asks, as objects are', async () => {
  const options = { ca: server.authority.certPem, agent: false };
  const answer = (path: string, headers: Record<string, string>): Promise<string> =>
    new Promise((resolve, reject) => {
      const authorization = `Bearer ${server.adminToken}`;
      const request = get(`${server.url}${path}`, { ...options, headers: { ...headers, authorization } }, response => {
        let text = '';
        response.on('data', chunk => (text += chunk)).on('end', () => resolve(text));
      });
      request.on('error', reject);
    });
  const none = '/api/v1/namespaces/none';
  assert.match(await answer(none, { 'user-agent': 'curl/8' }), /^\{\n {2}"kind": "Status",\n/);
  assert.match(await answer(`${none}?pretty=true`, { 'user-agent': 'x' }), /^\{\n {2}"kind": "Status",\n/);
  assert.match(
    await answer(none, { 'user-agent': 'x' }),
    /^\{"kind":"Status","apiVersion":"v1","metadata":\{\},"status"/,
  );
});

test('a list of 48 MB does not hold up other streams of its connection', async () => {
  await using transport = https();
  const client = createClient(transport).resource(configMaps).namespace('kube-public');
  const text = 'x'.repeat(1_000_000);
  for (let i = 0; i < 48; i++) {
    await client.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `big-${i}` },
      data: { text },
    } as never);
  }
  const path = '/api/v1/namespaces/kube-public/configmaps';
  const [list, ...small] = await Promise.all([
    transport.request({ method: 'GET', path }).then(response => response.json()),
    ...Array.from({ length: 20 }, () => transport.request({ method: 'GET', path: '/livez' })),
  ]);
  assert.equal((list as { items: unknown[] }).items.filter(Boolean).length >= 48, true);
  for (const each of small) assert.equal(each.status, 200);
});

test('a hundred watchers see one change each once', async () => {
  await using transport = https();
  const path = '/api/v1/namespaces/default/configmaps';
  const stop = new AbortController();
  const watches = await Promise.all(
    Array.from({ length: 100 }, () =>
      transport.request({
        method: 'GET',
        path,
        query: [
          ['watch', 'true'],
          ['fieldSelector', 'metadata.name=fan'],
        ],
        signal: stop.signal,
      }),
    ),
  );
  await transport.request({
    method: 'POST',
    path,
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'fan' } },
  });
  const types = await Promise.all(
    watches.map(async watch => {
      for await (const event of watch.events()) return event.type;
      return 'none';
    }),
  );
  assert.deepEqual(new Set(types), new Set(['ADDED']));
  stop.abort();
});

const kubectlFolder = '/usr/lib/google-cloud-sdk/bin';
const kubectls = existsSync(kubectlFolder)
  ? readdirSync(kubectlFolder)
      .filter(name => /^kubectl\.1\.(27|30|33)$/.test(name))
      .map(name => `${kubectlFolder}/${name}`)
  : [];

for (const kubectl of kubectls) {
  test(`${kubectl.split('/').at(-1)}: create, apply, patch, scale, explain, delete`, async () => {
    const config = server.kubeconfig();
    const k = async (...args: string[]): Promise<string> =>
      (await run(kubectl, ['--kubeconfig', config, ...args], { env: { ...process.env, HOME: '/nonexistent' } })).stdout;
    const suffix = kubectl.replace(/\D/g, '');
    const namespace = `k${suffix}`;
    await k('create', 'namespace', namespace);
    await k('create', 'deployment', 'web', '--image=nginx', '--replicas=2', '-n', namespace);
    await k('set', 'image', 'deployment/web', 'nginx=nginx:2', '-n', namespace);
    await k('scale', 'deployment/web', '--replicas=3', '-n', namespace);
    await k('label', 'deployment/web', 'tier=front', '-n', namespace);
    const replicas = await k('get', 'deployment/web', '-n', namespace, '-o', 'jsonpath={.spec.replicas}');
    assert.equal(replicas, '3');
    assert.match(await k('get', 'deployments', '-n', namespace, '-l', 'tier=front'), /web\s+0\/3/);
    assert.match(await k('explain', 'pods.spec.containers'), /List of containers/i);
    await k('delete', 'deployment/web', '-n', namespace);
    assert.match(await k('auth', 'can-i', 'create', 'pods'), /yes/);
  });
}

test('kubectl of 1.27, 1.30, 1.33', { skip: kubectls.length > 0 ? false : 'no kubectl found' }, () => {
  assert.ok(kubectls.length > 0);
});
