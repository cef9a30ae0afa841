/** Two API servers on one etcd serve one truth: reads, watches, optimistic updates, allocations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json, KubeObject, StatusError } from '#apimachinery';
import { type ApiServer, createApiServer, user } from '#apiserver';
import { createActivity, MetricsRegistry, noFaults, silentLogger, systemClock, systemRandom } from '#base';
import type { Transport } from '#client';
import { openEtcdStore, type Store } from '#storage';
import { startTestApiServer } from '../support/api-server.ts';
import { etcdMissing, startEtcd } from '../support/etcd.ts';

interface ConfigMap {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly data: Readonly<Record<string, string>>;
}

interface Server extends AsyncDisposable {
  readonly store: Store;
  readonly client: Transport;
}

async function startServer(endpoints: readonly string[]): Promise<Server> {
  const store = await openEtcdStore({ endpoints, clock: systemClock });
  const server: ApiServer = await createApiServer({
    store,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    metrics: new MetricsRegistry(),
    faults: noFaults,
    activity: createActivity(),
  });
  const dispose = async () => {
    await server[Symbol.asyncDispose]();
    await store.close();
  };
  return { store, client: server.transport(user('admin', ['system:masters'])), [Symbol.asyncDispose]: dispose };
}

const maps = '/api/v1/namespaces/default/configmaps';
const get = async (client: Transport, path: string): Promise<Json> =>
  (await client.request({ method: 'GET', path })).json();

function configMap(name: string, data: Record<string, string>): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
}

/** Adds one to a counter by reading and replacing, again when another was quicker. */
async function increment(client: Transport): Promise<void> {
  for (;;) {
    const current = (await get(client, `${maps}/counter`)) as unknown as ConfigMap;
    const body = { ...current, data: { n: String(Number(current.data['n']) + 1) } };
    try {
      await client.request({ method: 'PUT', path: `${maps}/counter`, body });
      return;
    } catch (error) {
      assert.match(String(error), /the object has been modified/);
    }
  }
}

const missing = etcdMissing();
test('two API servers on one etcd serve one truth', missing ? { skip: missing } : {}, async () => {
  await using etcd = await startEtcd(1);
  await using a = await startServer(etcd.endpoints);
  await using b = await startServer(etcd.endpoints);
  const abort = new AbortController();
  const watch = await b.client.request({ method: 'GET', path: maps, query: [['watch', 'true']], signal: abort.signal });
  const seen: string[] = [];
  const watching = (async () => {
    for await (const { type, object } of watch.events())
      seen.push(`${type} ${(object as unknown as ConfigMap).metadata.name}`);
  })().catch(() => {});

  for (let at = 0; at < 40; at++) {
    const [writer, reader] = at % 2 ? [a, b] : [b, a];
    await writer.client.request({ method: 'POST', path: maps, body: configMap(`m${at}`, { at: String(at) }) });
    const list = (await get(reader.client, maps)) as unknown as { items: ConfigMap[] };
    assert.ok(
      list.items.some(item => item.metadata.name === `m${at}`),
      `m${at} is not in the other server's list`,
    );
  }
  await a.client.request({ method: 'POST', path: maps, body: configMap('counter', { n: '0' }) });
  await Promise.all(
    [a, b].map(async ({ client }) => {
      for (let at = 0; at < 25; at++) await increment(client);
    }),
  );
  assert.equal(((await get(b.client, `${maps}/counter`)) as unknown as ConfigMap).data['n'], '50');

  const services = '/api/v1/namespaces/default/services';
  const created = await Promise.all(
    Array.from({ length: 40 }, async (_, at) => {
      const spec = { ports: [{ port: 80 }], type: 'NodePort' };
      const body = { apiVersion: 'v1', kind: 'Service', metadata: { name: `s${at}` }, spec };
      const answer = await (at % 2 ? a : b).client.request({ method: 'POST', path: services, body });
      return (await answer.json()) as unknown as { spec: { clusterIP: string; ports: Array<{ nodePort: number }> } };
    }),
  );
  assert.equal(new Set(created.map(each => each.spec.clusterIP)).size, 40, 'an address was given twice');
  assert.equal(new Set(created.map(each => each.spec.ports[0]!.nodePort)).size, 40, 'a node port was given twice');

  const { kvs } = await a.store.range({ start: '/registry/configmaps/default/counter' });
  assert.equal(kvs.length, 1, "upstream's key layout");
  for (let at = 0; seen.length < 91 && at < 100; at++) await get(b.client, maps);
  const added = seen.filter(each => /^ADDED m\d/.test(each));
  assert.deepEqual(
    added,
    Array.from({ length: 40 }, (_, at) => `ADDED m${at}`),
  );
  abort.abort();
  await watching;
});

test(
  'two API servers on three members: each member and the leader are killed in turn, and writes and watches go on',
  missing ? { skip: missing } : {},
  async () => {
    await using etcd = await startEtcd(3);
    await etcd.leader();
    await using a = await startServer(etcd.endpoints);
    await using b = await startServer(etcd.endpoints);
    const abort = new AbortController();
    const query: Array<[string, string]> = [['watch', 'true']];
    const watch = await b.client.request({ method: 'GET', path: maps, query, signal: abort.signal });
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { type, object } of watch.events())
        if (type === 'ADDED') seen.push((object as unknown as ConfigMap).metadata.name);
    })().catch(() => {});
    const written: string[] = [];
    let stop = false;
    const writing = Promise.all(
      [a, b].map(async ({ client }, who) => {
        for (let at = 0; !stop; at++) {
          await client.request({ method: 'POST', path: maps, body: configMap(`w${who}-${at}`, {}) });
          written.push(`w${who}-${at}`);
        }
      }),
    );
    for (const victim of [0, 1, 2, 'leader'] as const) {
      const member = victim === 'leader' ? await etcd.leader() : victim;
      const before = written.length;
      await etcd.kill(member);
      while (written.length < before + 40) await new Promise(resolve => setTimeout(resolve, 20));
      await etcd.start(member);
      await etcd.leader();
    }
    stop = true;
    await writing;
    for (const { client } of [a, b]) {
      const { items } = (await get(client, maps)) as unknown as { items: ConfigMap[] };
      const names = new Set(items.map(item => item.metadata.name));
      for (const name of written) assert.ok(names.has(name), `${name} was acknowledged`);
    }
    for (let turn = 0; turn < 100 && !written.every(name => seen.includes(name)); turn++)
      await new Promise(resolve => setTimeout(resolve, 50));
    const told = seen.filter(name => name.startsWith('w'));
    assert.deepEqual(told.toSorted(), written.toSorted(), 'every one once');
    abort.abort();
    await watching;
  },
);

test(
  'etcd is gone and comes back: 504, the health check, and what needs no etcd',
  missing ? { skip: missing } : {},
  async () => {
    await using etcd = await startEtcd(1);
    const store = await openEtcdStore({ endpoints: etcd.endpoints, clock: systemClock, timeoutMs: 1000 });
    await using server = await startTestApiServer({ store });
    const client = server.transport();
    const body = configMap('before', {});
    await client.request({ method: 'POST', path: maps, body });
    const health = async (path: string): Promise<string> => {
      const answer = await client.request({ method: 'GET', path }).catch(error => error);
      return answer instanceof Error ? answer.message : 'ok';
    };
    assert.equal(await health('/livez/etcd'), 'ok');
    await etcd.kill(0);
    const timeout = /Timeout: request did not complete within requested timeout - context deadline exceeded/;
    const refused = async (work: Promise<unknown>): Promise<void> => {
      await assert.rejects(work, (error: { status?: { code: number; reason: string; message: string } }) => {
        assert.equal(error.status?.code, 504);
        assert.equal(error.status.reason, 'Timeout');
        assert.match(error.status.message, timeout);
        return true;
      });
    };
    await Promise.all([
      refused(client.request({ method: 'POST', path: maps, body: configMap('after', {}) })),
      refused(client.request({ method: 'GET', path: maps })),
      refused(client.request({ method: 'GET', path: `${maps}/before` })),
      refused(client.request({ method: 'DELETE', path: `${maps}/before` })),
    ]);
    const query: Array<[string, string]> = [['resourceVersion', '0']];
    const list = (await (await client.request({ method: 'GET', path: maps, query })).json()) as unknown as {
      items: ConfigMap[];
    };
    assert.ok(list.items.some(item => item.metadata.name === 'before'));
    await new Promise(resolve => setTimeout(resolve, 1100));
    assert.match(await health('/livez/etcd'), /error getting data from etcd: /);
    assert.match(await health('/readyz/etcd-readiness'), /error getting data from etcd: /);
    assert.equal(await health('/livez/ping'), 'ok');
    await etcd.start(0);
    for (let turn = 0; ; turn++) {
      const made = await client.request({ method: 'POST', path: maps, body: configMap('after', {}) }).then(
        () => true,
        error => /already exists/.test(String(error)),
      );
      if (made) break;
      assert.ok(turn < 50);
    }
    assert.equal(await health('/livez/ping'), 'ok');
    await store.close();
  },
);

const tooLong =
  /^rpc error: code = ResourceExhausted desc = trying to send message larger than max \(\d+ vs\. 2097152\)$/;

/** What becomes of a ControllerRevision of about this size: its managers, or why it is refused. */
async function createSized(client: Transport, size: number): Promise<unknown> {
  const body = {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: { name: `c${size}` },
    revision: 1,
    data: { of: 'x'.repeat(size) },
  };
  try {
    const path = '/apis/apps/v1/namespaces/default/controllerrevisions';
    const created = (await (await client.request({ method: 'POST', path, body })).json()) as unknown as KubeObject;
    return created.metadata.managedFields?.length ?? 0;
  } catch (error) {
    const { code, reason, message } = (error as StatusError).status;
    assert.deepEqual({ code, reason }, { code: 500, reason: undefined });
    return message;
  }
}

test('what is too large for etcd is refused in its words', { skip: etcdMissing() }, async () => {
  await using etcd = await startEtcd(1);
  await using server = await startServer(etcd.endpoints);
  // These members take more than by default, but no client sends it.
  assert.equal(await createSized(server.client, 1_800_000), 1);
  assert.match(String(await createSized(server.client, 2_200_000)), tooLong);
});

test('what would be too large for etcd is refused by other engines too, and stored without managers before', async () => {
  await using server = await startTestApiServer();
  const client = server.transport();
  assert.equal(await createSized(client, 1_572_400), 1);
  assert.equal(await createSized(client, 1_572_560), 0);
  assert.equal(await createSized(client, 1_573_000), 'etcdserver: request is too large');
  assert.match(String(await createSized(client, 2_200_000)), tooLong);
});
