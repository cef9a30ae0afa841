/**
 * What clients rely on in every API server, over HTTPS and by the transport within the process alike: encodings,
 * generated names, finalizers, preconditions, dry run, tables, watches in all their forms; and `startCluster()`.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { builtinTypes, resources } from '#api/tables';
import { isStatusError, type KubeObject, readEnvelope, readProtobuf, writeProtobufObject } from '#apimachinery';
import {
  type Client,
  configMaps,
  createClient,
  createHttpsTransport,
  deployments,
  pods,
  type ResourceClient,
} from '#client';
import { SteppedClock, startCluster } from '#cluster/testing';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';

let server: TestApiServer;
before(async () => {
  server = await startTestApiServer({ controllers: true });
});
after(() => server[Symbol.asyncDispose]());

const reason = (wanted: Parameters<typeof isStatusError>[1]) => (error: unknown) => isStatusError(error, wanted);
const json = { 'content-type': 'application/json' };

for (const kind of ['in-process', 'https'] as const) {
  describe(`the API by the ${kind} transport`, () => {
    let client: Client;
    let maps: ResourceClient<KubeObject & { data?: Record<string, string> }>;
    const namespace = `by-${kind}`;
    before(async () => {
      client = createClient(
        kind === 'https'
          ? createHttpsTransport({ server: server.url, caPem: server.authority.certPem, token: server.adminToken })
          : server.transport(),
      );
      const name = { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false };
      await client.resource(name).create({ metadata: { name: namespace } });
      maps = client.resource(configMaps).namespace(namespace) as typeof maps;
    });
    after(() => client.transport[Symbol.asyncDispose]());

    test(`${kind}: generateName gives distinct names with the prefix`, async () => {
      const made = await Promise.all([1, 2, 3].map(() => maps.create({ metadata: { generateName: 'gen-' } })));
      const names = made.map(each => each.metadata.name!);
      for (const name of names) assert.match(name, /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
      assert.equal(new Set(names).size, 3);
    });

    test(`${kind}: a finalizer holds an object until it is taken off`, async () => {
      await maps.create({ metadata: { name: 'held', finalizers: ['test.kobune.dev/hold'] } });
      await maps.delete('held');
      const held = await maps.get('held');
      assert.match(held.metadata.deletionTimestamp ?? '', /^\d{4}-/);
      await maps.patch('held', { metadata: { finalizers: null } }, { type: 'merge' });
      await assert.rejects(maps.get('held'), reason('NotFound'));
    });

    test(`${kind}: preconditions of uid and resourceVersion`, async () => {
      const { metadata } = await maps.create({ metadata: { name: 'pre' } });
      await assert.rejects(maps.delete('pre', { preconditions: { uid: 'other' } }), reason('Conflict'));
      await assert.rejects(maps.delete('pre', { preconditions: { resourceVersion: '1' } }), reason('Conflict'));
      await maps.delete('pre', { preconditions: { uid: metadata.uid!, resourceVersion: metadata.resourceVersion! } });
    });

    test(`${kind}: a dry run answers as the write would, and writes nothing`, async () => {
      const dry = await maps.create({ metadata: { name: 'dry' }, data: { a: '1' } }, { dryRun: true });
      assert.deepEqual(dry.data, { a: '1' });
      await assert.rejects(maps.get('dry'), reason('NotFound'));
      await maps.create({ metadata: { name: 'dry' }, data: { a: '1' } });
      const patched = await maps.patch('dry', { data: { a: '2' } }, { type: 'merge', dryRun: true });
      assert.deepEqual(patched.data, { a: '2' });
      await maps.delete('dry', { dryRun: true });
      assert.deepEqual((await maps.get('dry')).data, { a: '1' });
    });

    test(`${kind}: list in pages, by label, and deletecollection`, async () => {
      const labels = { batch: 'paged' };
      for (let n = 0; n < 5; n++) await maps.create({ metadata: { name: `page-${n}`, labels } });
      const first = await maps.list({ labelSelector: 'batch=paged', limit: 2 });
      assert.equal(first.items.length, 2);
      const token = first.metadata.continue!;
      const second = await maps.list({ labelSelector: 'batch=paged', limit: 2, continue: token });
      assert.deepEqual(
        second.items.map(each => each.metadata.name),
        ['page-2', 'page-3'],
      );
      await maps.deleteCollection({ labelSelector: 'batch=paged' });
      assert.deepEqual((await maps.list({ labelSelector: 'batch=paged' })).items, []);
    });

    test(`${kind}: a watch resumes from a revision, and marks its progress by bookmarks`, async () => {
      const made = await maps.create({ metadata: { name: 'watched' } });
      await maps.patch('watched', { data: { a: '1' } }, { type: 'merge' });
      await maps.delete('watched');
      const abort = new AbortController();
      const resumed = await maps.watch({
        resourceVersion: made.metadata.resourceVersion!,
        fieldSelector: 'metadata.name=watched',
        signal: abort.signal,
      });
      const seen: string[] = [];
      for await (const event of resumed) if (seen.push(event.type) === 2) break;
      abort.abort();
      assert.deepEqual(seen, ['MODIFIED', 'DELETED']);
      const ends = await maps.watch({
        resourceVersion: made.metadata.resourceVersion!,
        allowWatchBookmarks: true,
        timeoutSeconds: 3,
      });
      const types: string[] = [];
      for await (const event of ends) types.push(event.type);
      assert.equal(types.at(-1), 'BOOKMARK');
    });

    test(`${kind}: sendInitialEvents gives what there is, then a bookmark that says so, then changes`, async () => {
      await maps.create({ metadata: { name: 'initial', labels: { initial: 'yes' } } });
      const abort = new AbortController();
      const response = await client.transport.request({
        method: 'GET',
        path: `/api/v1/namespaces/${namespace}/configmaps`,
        query: [
          ['watch', 'true'],
          ['labelSelector', 'initial=yes'],
          ['sendInitialEvents', 'true'],
          ['resourceVersionMatch', 'NotOlderThan'],
          ['allowWatchBookmarks', 'true'],
        ],
        signal: abort.signal,
      });
      const seen: string[] = [];
      for await (const { type, object } of response.events()) {
        const { metadata } = object as unknown as KubeObject;
        const isEnd = metadata.annotations?.['k8s.io/initial-events-end'] === 'true';
        seen.push(isEnd ? 'END' : `${type} ${metadata.name}`);
        if (isEnd) await maps.patch('initial', { data: { a: '1' } }, { type: 'merge' });
        if (type === 'MODIFIED') break;
      }
      abort.abort();
      assert.deepEqual(seen, ['ADDED initial', 'END', 'MODIFIED initial']);
    });

    test(`${kind}: scale and status are written by themselves`, async () => {
      const sets = client.resource(deployments).namespace(namespace);
      const labels = { app: 'scaled' };
      const made = await sets.create({
        metadata: { name: 'scaled' },
        spec: {
          replicas: 1,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'x' }] } },
        },
      } as never);
      const scale = {
        apiVersion: 'autoscaling/v1',
        kind: 'Scale',
        metadata: { name: 'scaled' },
        spec: { replicas: 4 },
      };
      await sets.subresource('scaled', 'scale', scale, { method: 'PUT' });
      const scaled = await sets.get('scaled');
      assert.deepEqual([scaled.spec?.replicas, scaled.metadata.generation], [4, 2]);
      const status = { ...scaled, spec: made.spec, status: { ...scaled.status, replicas: 3 } };
      const written = await sets.updateStatus(status as never);
      assert.deepEqual([written.spec?.replicas, written.status?.replicas, written.metadata.generation], [4, 3, 2]);
    });
  });
}

/** A request with a body of its own encoding. */
function raw(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: Uint8Array | string,
): Promise<Response> {
  return import('node:https').then(
    ({ request }) =>
      new Promise((resolve, reject) => {
        const outgoing = request(
          `${server.url}${path}`,
          {
            method,
            ca: server.authority.certPem,
            headers: { authorization: `Bearer ${server.adminToken}`, ...headers },
          },
          async incoming => {
            const parts: Buffer[] = [];
            for await (const part of incoming) parts.push(part as Buffer);
            const answered = Object.entries(incoming.headers).map(
              ([name, value]) => [name, String(value)] as [string, string],
            );
            resolve(new Response(Buffer.concat(parts), { status: incoming.statusCode ?? 0, headers: answered }));
          },
        );
        outgoing.on('error', reject).end(body);
      }),
  );
}

test('bodies and answers in JSON, YAML and protobuf', async () => {
  const path = '/api/v1/namespaces/default/configmaps';
  const object = (name: string): object => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: { a: '1' },
  });
  const node = builtinTypes.struct('io.k8s.api.core.v1.ConfigMap');
  const protobuf = 'application/vnd.kubernetes.protobuf';
  const sent: ReadonlyArray<readonly [string, Uint8Array | string]> = [
    ['application/json', JSON.stringify(object('in-json'))],
    ['application/yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: in-yaml}\ndata: {a: "1"}\n'],
    [protobuf, writeProtobufObject(object('in-protobuf'), node)],
  ];
  for (const [type, body] of sent) {
    const made = await raw('POST', path, { 'content-type': type, accept: type }, body);
    assert.equal(made.status, 201, await made.clone().text());
    assert.equal(made.headers.get('content-type'), type);
  }
  for (const name of ['in-json', 'in-yaml', 'in-protobuf']) {
    const bytes = new Uint8Array(await (await raw('GET', `${path}/${name}`, { accept: protobuf })).arrayBuffer());
    const { metadata, data } = readProtobuf(readEnvelope(bytes).raw, node) as unknown as KubeObject & { data: object };
    assert.deepEqual([metadata.name, data], [name, { a: '1' }]);
  }
});

test('tables for kubectl, of lists and of single objects', async () => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  const answer = await raw('GET', '/api/v1/namespaces', { ...json, accept });
  const table = (await answer.json()) as { kind: string; columnDefinitions: Array<{ name: string }>; rows: unknown[] };
  assert.equal(table.kind, 'Table');
  assert.deepEqual(
    table.columnDefinitions.map(each => each.name),
    ['Name', 'Status', 'Age'],
  );
  assert.ok(table.rows.length >= 4);
});

test('every GA kind of v1.36 that can be listed is served', async () => {
  const client = createClient(server.transport());
  let listed = 0;
  for (const { group, version, resource, verbs } of resources) {
    if (!/^v\d+$/.test(version) || !verbs.includes('list')) continue;
    const prefix = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const list = (await client.getJson(`${prefix}/${resource}`)) as { kind: string };
    assert.match(list.kind, /List$/, `${prefix}/${resource}`);
    listed++;
  }
  assert.ok(listed > 50, `${listed} kinds`);
});

test('startCluster: a Deployment gets its pods, and stepped time stands still', async () => {
  await using cluster = await startCluster({ steppedTime: true, seed: 1 });
  const labels = { app: 'a' };
  await cluster.client
    .resource(deployments)
    .namespace('default')
    .create({
      metadata: { name: 'a' },
      spec: {
        replicas: 3,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'x' }] } },
      },
    } as never);
  const clock = cluster.clock as SteppedClock;
  assert.ok(clock instanceof SteppedClock);
  const begun = clock.now();
  await clock.advance(1000);
  const { items } = await cluster.client.resource(pods).namespace('default').list();
  assert.equal(items.length, 3);
  for (const { metadata } of items) assert.ok(Date.parse(metadata.creationTimestamp!) <= begun + 1000);
});
