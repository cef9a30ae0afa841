/** What watches see, and in which order. Upstream: test/e2e/apimachinery/watch.go. */
import assert from 'node:assert/strict';
import { CoreV1Api, type V1ConfigMap } from '@kubernetes/client-node';
import { mergePatch } from './support/operations.ts';
import { row, useSubject } from './support/subject.ts';

const subject = useSubject();

/** ConfigMaps of a new namespace, and watches on them. */
async function configMaps() {
  const namespace = await subject.namespace();
  const core = subject.api(CoreV1Api);
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const patch = (name: string, body: object): Promise<V1ConfigMap> =>
    core.patchNamespacedConfigMap({ name, namespace, body }, mergePatch);
  return {
    make: (name: string, label: string) =>
      core.createNamespacedConfigMap({ namespace, body: { metadata: { name, labels: { watched: label } } } }),
    mutate: (name: string, mutation: string) => patch(name, { data: { mutation } }),
    relabel: (name: string, label: string) => patch(name, { metadata: { labels: { watched: label } } }),
    remove: (name: string) => core.deleteNamespacedConfigMap({ name, namespace }),
    revision: async () => (await core.listNamespacedConfigMap({ namespace })).metadata!.resourceVersion!,
    watch: (labels: string, resourceVersion: string) =>
      subject.watch(path, { labelSelector: `watched in (${labels})`, resourceVersion }),
    watchAll: (resourceVersion: string) => subject.watch(path, { resourceVersion }),
  };
}

row(
  '[sig-api-machinery] Watchers should observe add, update, and delete watch notifications on configmaps [Conformance]',
  async () => {
    const maps = await configMaps();
    const from = await maps.revision();
    using ofA = await maps.watch('a', from);
    using ofB = await maps.watch('b', from);
    using ofBoth = await maps.watch('a,b', from);
    const made = await maps.make('first', 'a');
    for (const watch of [ofA, ofBoth]) assert.equal((await watch.next('ADDED')).metadata.uid, made.metadata!.uid);
    for (const mutation of ['1', '2']) {
      const { metadata } = await maps.mutate('first', mutation);
      for (const watch of [ofA, ofBoth]) {
        const seen = await watch.next('MODIFIED');
        assert.equal(seen.data.mutation, mutation);
        assert.equal(seen.metadata.resourceVersion, metadata!.resourceVersion);
      }
    }
    await maps.remove('first');
    for (const watch of [ofA, ofBoth]) assert.equal((await watch.next('DELETED')).data.mutation, '2');
    await maps.make('second', 'b');
    await maps.remove('second');
    for (const watch of [ofB, ofBoth]) {
      assert.equal((await watch.next('ADDED')).metadata.name, 'second');
      assert.equal((await watch.next('DELETED')).metadata.name, 'second');
    }
    assert.deepEqual(
      ofA.seen.map(event => event.type),
      ['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED'],
    );
  },
);

row(
  '[sig-api-machinery] Watchers should be able to start watching from a specific resource version [Conformance]',
  async () => {
    const maps = await configMaps();
    await maps.make('one', 'a');
    const first = await maps.mutate('one', '1');
    await maps.mutate('one', '2');
    await maps.remove('one');
    using watch = await maps.watch('a', first.metadata!.resourceVersion!);
    assert.equal((await watch.next('MODIFIED')).data.mutation, '2');
    assert.equal((await watch.next('DELETED')).data.mutation, '2');
  },
);

row(
  '[sig-api-machinery] Watchers should be able to restart watching from the last resource version observed by the previous watch [Conformance]',
  async () => {
    const maps = await configMaps();
    let last: string;
    {
      using watch = await maps.watch('a', await maps.revision());
      await maps.make('one', 'a');
      await maps.mutate('one', '1');
      await watch.next('ADDED');
      last = (await watch.next('MODIFIED')).metadata.resourceVersion;
    }
    await maps.mutate('one', '2');
    using watch = await maps.watch('a', last);
    await maps.remove('one');
    assert.equal((await watch.next('MODIFIED')).data.mutation, '2');
    await watch.next('DELETED');
  },
);

row(
  '[sig-api-machinery] Watchers should observe an object deletion if it stops meeting the requirements of the selector [Conformance]',
  async () => {
    const maps = await configMaps();
    using watch = await maps.watch('a', await maps.revision());
    await maps.make('one', 'a');
    await maps.mutate('one', '1');
    const left = await maps.relabel('one', 'other');
    await watch.next('ADDED');
    await watch.next('MODIFIED');
    const gone = await watch.next('DELETED');
    assert.equal(gone.metadata.labels.watched, 'a', 'as it was when it last matched');
    assert.equal(gone.metadata.resourceVersion, left.metadata!.resourceVersion);
    await maps.mutate('one', '2');
    await maps.relabel('one', 'a');
    await maps.mutate('one', '3');
    await maps.remove('one');
    assert.equal((await watch.next('ADDED')).data.mutation, '2');
    assert.equal((await watch.next('MODIFIED')).data.mutation, '3');
    await watch.next('DELETED');
  },
);

row(
  '[sig-api-machinery] Watchers should receive events on concurrent watches in same order [Conformance]',
  async () => {
    const maps = await configMaps();
    const from = await maps.revision();
    const count = 60;
    const writing = (async () => {
      for (let at = 0; at < count; at++) {
        const name = `map-${at % 7}`;
        await (at < 7 ? maps.make(name, 'a') : maps.mutate(name, String(at)));
      }
    })();
    using stack = new DisposableStack();
    let resourceVersion = from;
    const orders: string[][] = [];
    // Each further watch begins where the first one has got to.
    const first = stack.use(await maps.watchAll(from));
    for (let at = 0; at < count; at++) {
      const event = await first.until(at < 7 ? 'ADDED' : 'MODIFIED');
      const watch = stack.use(await maps.watchAll(resourceVersion));
      assert.equal(
        (await watch.until(at < 7 ? 'ADDED' : 'MODIFIED')).metadata.resourceVersion,
        event.metadata.resourceVersion,
      );
      resourceVersion = event.metadata.resourceVersion;
      if (at % 10 === 0) orders.push(await revisions(watch, count - at));
    }
    await writing;
    const all = first.seen.map(event => event.object.metadata.resourceVersion as string);
    for (const order of orders) assert.deepEqual(order, all.slice(count - order.length));
  },
);

async function revisions(watch: Awaited<ReturnType<typeof subject.watch>>, count: number): Promise<string[]> {
  while (watch.seen.length < count) await watch.until('MODIFIED', () => true);
  return watch.seen.map(event => event.object.metadata.resourceVersion);
}
