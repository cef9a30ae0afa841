/** Watches: live, from the past, joined without a gap, progress, previous values. Upstream: etcd tests/common/watch_test.go. */
import assert from 'node:assert/strict';
import { create, put, reader, remove, shownEvent, under } from './help.ts';
import type { SuiteCase } from './suite.ts';

export const watchCases: readonly SuiteCase[] = [
  {
    name: 'a watch tells every change in its range, in order, with the state before',
    async run({ store }) {
      const base = await create(store, '/w/before', '0');
      await using watch = reader(store, under('/w/'));
      await create(store, '/w/a', '1');
      await create(store, '/x/a', '1');
      await put(store, '/w/a', '2');
      const last = await remove(store, '/w/a');
      assert.deepEqual((await watch.until(last)).map(shownEvent), [
        `${base + 1} put /w/a=1`,
        `${base + 3} put /w/a=2 (was 1)`,
        `${base + 4} delete /w/a (was 2)`,
      ]);
    },
  },
  {
    name: 'a watch of one key sees only that key',
    async run({ store }) {
      await using watch = reader(store, { start: '/w/a' });
      await create(store, '/w/a', '1');
      const last = await create(store, '/w/aa', '1');
      assert.deepEqual(
        (await watch.until(last)).map(event => event.key),
        ['/w/a'],
      );
    },
  },
  {
    name: 'a watch from the past reads history, then joins the live stream without gap or repeat',
    async run({ store }) {
      const base = await store.currentRevision();
      for (let at = 0; at < 50; at++) await put(store, `/w/${at % 7}`, String(at));
      await using watch = reader(store, { ...under('/w/'), afterRevision: base });
      const writing = (async () => {
        for (let at = 50; at < 100; at++) await put(store, `/w/${at % 7}`, String(at));
      })();
      const events = await watch.take(100);
      await writing;
      assert.deepEqual(
        events.map(event => event.revision),
        Array.from({ length: 100 }, (_, at) => base + 1 + at),
      );
      assert.deepEqual(
        events.map(event => (event.prev ? 'again' : 'first')),
        [...Array(7).fill('first'), ...Array(93).fill('again')],
      );
    },
  },
  {
    name: 'changes of one transaction arrive in one batch, in the order of its ops',
    async run({ store }) {
      await using watch = reader(store, under('/w/'));
      const value = new Uint8Array([1]);
      await store.txn(
        [],
        ['/w/c', '/w/a', '/w/b'].map(key => ({ type: 'put' as const, key, value })),
      );
      const { value: batch } = await watch.next();
      const keys = batch.events.map((event: { key: string }) => event.key);
      assert.deepEqual(keys.toSorted(), ['/w/a', '/w/b', '/w/c']);
    },
  },
  {
    name: 'progress: a watch learns that the store moved on though nothing in its range changed',
    async run({ store }) {
      await using watch = reader(store, under('/w/'));
      const last = await create(store, '/elsewhere', '1');
      assert.deepEqual(await watch.until(last), []);
    },
  },
  {
    name: 'a watch from a revision yet to come skips what is not after it',
    async run({ store }) {
      const base = await store.currentRevision();
      await using watch = reader(store, { ...under('/w/'), afterRevision: base + 2 });
      for (const value of ['1', '2', '3']) await put(store, '/w/a', value);
      assert.deepEqual((await watch.take(1)).map(shownEvent), [`${base + 3} put /w/a=3 (was 2)`]);
    },
  },
  {
    name: 'an aborted watch ends without an error',
    async run({ store }) {
      const abort = new AbortController();
      const iterator = store.watch({ ...under('/w/'), signal: abort.signal })[Symbol.asyncIterator]();
      const pending = iterator.next();
      setImmediate(() => abort.abort());
      for (let result = await pending; !result.done; result = await iterator.next())
        assert.equal(result.value.events.length, 0);
    },
  },
  {
    name: 'closing the store ends its watches and refuses what comes later',
    async run({ store }) {
      const iterator = store.watch(under('/w/'))[Symbol.asyncIterator]();
      const pending = iterator.next();
      await store.close();
      for (let result = await pending; !result.done; result = await iterator.next())
        assert.equal(result.value.events.length, 0);
      await assert.rejects(store.get('/a'), { code: 'closed' });
      await assert.rejects(store.txn([], [{ type: 'delete', key: '/a' }]), { code: 'closed' });
      await store.close();
    },
  },
];
