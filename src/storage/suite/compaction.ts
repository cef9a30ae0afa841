/** Forgetting: what compaction keeps, what it refuses afterwards. Upstream: etcd tests/common/compact_test.go. */
import assert from 'node:assert/strict';
import { create, put, reader, rejectsWith, remove, shown, shownEvent, under } from './help.ts';
import type { SuiteCase } from './suite.ts';

export const compactionCases: readonly SuiteCase[] = [
  {
    name: 'compaction keeps the newest state and what came after, and refuses the past',
    async run({ store }) {
      const created = await create(store, '/c/a', '1');
      const middle = await put(store, '/c/a', '2');
      await create(store, '/c/gone', 'x');
      const cut = await remove(store, '/c/gone');
      const last = await put(store, '/c/a', '3');
      await store.compact(cut);
      assert.equal(await store.compactedRevision(), cut);
      assert.deepEqual((await store.range(under('/c/'))).kvs.map(shown), [`/c/a=3@${created}/${last}`]);
      assert.deepEqual((await store.range({ ...under('/c/'), revision: cut })).kvs.map(shown), [
        `/c/a=2@${created}/${middle}`,
      ]);
      await rejectsWith('compacted', store.range({ ...under('/c/'), revision: cut - 1 }));
      assert.deepEqual(await store.verify(), []);
    },
  },
  {
    name: 'a watch from below the compacted revision throws; from it on, it does not',
    async run({ store }) {
      for (let at = 0; at < 10; at++) await put(store, '/c/a', String(at));
      const last = await store.currentRevision();
      await store.compact(last - 2);
      await using tooOld = reader(store, { ...under('/c/'), afterRevision: last - 5 });
      await rejectsWith('compacted', tooOld.next());
      await using fine = reader(store, { ...under('/c/'), afterRevision: last - 2 });
      assert.deepEqual(
        (await fine.take(2)).map(event => event.revision),
        [last - 1, last],
      );
    },
  },
  {
    name: 'compacting the future is refused, the past does nothing',
    async run({ store }) {
      const last = await create(store, '/c/a', '1');
      await rejectsWith('futureRevision', store.compact(last + 1));
      await store.compact(last);
      await store.compact(last - 1);
      assert.equal(await store.compactedRevision(), last);
    },
  },
  {
    name: 'revisions go on after everything was deleted and compacted',
    async run({ store }) {
      await create(store, '/c/a', '1');
      const gone = await remove(store, '/c/a');
      await store.compact(gone);
      assert.equal((await store.range(under('/c/'))).count, 0);
      await using watch = reader(store, under('/c/'));
      const next = await create(store, '/c/a', '2');
      assert.equal(next, gone + 1);
      assert.deepEqual((await watch.take(1)).map(shownEvent), [`${next} put /c/a=2`]);
    },
  },
];
