import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createActivity, MetricsRegistry, noFaults, silentLogger, systemClock, systemRandom } from '#base';
import { createMemoryStore } from '#storage';
import { createApiServer, user } from './index.ts';

test('an object is created, read, listed, watched and deleted through the in-process transport', async () => {
  await using store = {
    engine: createMemoryStore({ clock: systemClock }),
    async [Symbol.asyncDispose]() {
      await this.engine.close();
    },
  };
  await using server = await createApiServer({
    store: store.engine,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    metrics: new MetricsRegistry(),
    faults: noFaults,
    activity: createActivity(),
  });
  const client = server.transport(user('admin', ['system:masters']));
  const path = '/api/v1/namespaces/default/configmaps';
  const watching = new AbortController();
  const watch = await client.request({ method: 'GET', path, query: [['watch', 'true']], signal: watching.signal });
  const events = watch.events()[Symbol.asyncIterator]();
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { k: 'v' } };
  const created = await client.request({ method: 'POST', path, body });
  assert.equal(created.status, 201);
  const object = (await created.json()) as { metadata: { resourceVersion: string; uid: string } };
  const list = (await (await client.request({ method: 'GET', path })).json()) as { kind: string; items: object[] };
  assert.equal(list.kind, 'ConfigMapList');
  assert.deepEqual(list.items.length, 1);
  const added = (await events.next()).value;
  assert.equal(added?.type, 'ADDED');
  assert.deepEqual(added?.object, await (await client.request({ method: 'GET', path: `${path}/a` })).json());
  await client.request({ method: 'DELETE', path: `${path}/a` });
  assert.equal((await events.next()).value?.type, 'DELETED');
  await assert.rejects(client.request({ method: 'GET', path: `${path}/a` }), /configmaps "a" not found/);
  assert.match(object.metadata.resourceVersion, /^[1-9]\d*$/);
  watching.abort();
});
