/** Reads: ranges, limits, counts, the past. Upstream: etcd tests/common/kv_test.go. */
import assert from 'node:assert/strict';
import { create, put, rejectsWith, remove, shown, under } from './help.ts';
import type { SuiteCase } from './suite.ts';

export const historyCases: readonly SuiteCase[] = [
  {
    name: 'an empty store has a revision, and nothing in it',
    async run({ store }) {
      const revision = await store.currentRevision();
      assert.ok(revision >= 1);
      assert.deepEqual(await store.range(under('/')), { kvs: [], more: false, count: 0, revision });
      assert.deepEqual(await store.get('/a'), { kv: null, revision });
      assert.deepEqual(await store.verify(), []);
      assert.equal(store.readOnlyReason, null);
    },
  },
  {
    name: 'a range: whole, limited, keys only, count only, one key, empty',
    async run({ store }) {
      for (const key of ['/p/a', '/p/b', '/p/c', '/p/d', '/q/a']) await create(store, key, key);
      const keys = async (options: object) => {
        const result = await store.range({ ...under('/p/'), ...options });
        return [result.kvs.map(kv => kv.key).join(' '), result.more, result.count];
      };
      assert.deepEqual(await keys({}), ['/p/a /p/b /p/c /p/d', false, 4]);
      assert.deepEqual(await keys({ limit: 3 }), ['/p/a /p/b /p/c', true, 4]);
      assert.deepEqual(await keys({ limit: 4 }), ['/p/a /p/b /p/c /p/d', false, 4]);
      assert.deepEqual(await keys({ start: '/p/c\0' }), ['/p/d', false, 1]);
      assert.deepEqual(await keys({ countOnly: true }), ['', false, 4]);
      assert.deepEqual(await keys({ start: '/p/b', end: undefined }), ['/p/b', false, 1]);
      assert.deepEqual(await keys({ start: '/p/bb', end: undefined }), ['', false, 0]);
      const { kvs } = await store.range({ ...under('/p/'), keysOnly: true });
      assert.ok(kvs.every(kv => kv.value.length === 0 && kv.modRevision > 0));
    },
  },
  {
    name: 'the past stays readable, page by page',
    async run({ store }) {
      for (const key of ['/p/a', '/p/b', '/p/c']) await create(store, key, 'old');
      const before = await store.currentRevision();
      await put(store, '/p/a', 'new');
      await remove(store, '/p/b');
      await create(store, '/p/d', 'new');
      const old = { ...under('/p/'), revision: before };
      const at = (await store.range(old)).kvs.map(kv => `${kv.key} ${shown(kv)?.split('=')[1]?.split('@')[0]}`);
      assert.deepEqual(at, ['/p/a old', '/p/b old', '/p/c old']);
      const first = await store.range({ ...old, limit: 2 });
      assert.deepEqual([first.more, first.count, first.revision], [true, 3, before]);
      const rest = await store.range({ ...old, start: `${first.kvs.at(-1)!.key}\0`, limit: 2 });
      assert.deepEqual(
        rest.kvs.map(kv => kv.key),
        ['/p/c'],
      );
      assert.deepEqual(
        (await store.range(under('/p/'))).kvs.map(kv => kv.key),
        ['/p/a', '/p/c', '/p/d'],
      );
    },
  },
  {
    name: 'the future is refused',
    async run({ store }) {
      const now = await create(store, '/a', 'x');
      await rejectsWith('futureRevision', store.range({ start: '/a', revision: now + 1 }));
    },
  },
  {
    name: 'more than a batch of keys comes back whole and in order',
    async run({ store }) {
      const keys = Array.from({ length: 2500 }, (_, at) => `/many/${String(at).padStart(5, '0')}`);
      await Promise.all(keys.toReversed().map(key => create(store, key, key.repeat(20))));
      const { kvs, count } = await store.range(under('/many/'));
      assert.deepEqual([kvs.map(kv => kv.key), count], [keys, keys.length]);
      assert.ok(kvs.every(kv => kv.value.length === kv.key.length * 20));
    },
  },
];
