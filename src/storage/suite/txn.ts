/** Transactions: preconditions, several keys at once, revisions, order, bytes. Upstream: etcd tests/common/txn_test.go. */
import assert from 'node:assert/strict';
import { applied, bytes, create, put, remove, shown, under } from './help.ts';
import type { SuiteCase } from './suite.ts';

export const txnCases: readonly SuiteCase[] = [
  {
    name: 'a create is refused when the key exists, and says what stands there',
    async run({ store }) {
      const first = await create(store, '/a', 'one');
      const refused = await store.txn(
        [{ key: '/a', modRevision: 0 }],
        [{ type: 'put', key: '/a', value: bytes('two') }],
      );
      assert.equal(refused.ok, false);
      assert.deepEqual(!refused.ok && refused.current.map(shown), [`/a=one@${first}/${first}`]);
      assert.ok(refused.revision >= first);
      assert.equal(shown((await store.get('/a')).kv), `/a=one@${first}/${first}`);
    },
  },
  {
    name: 'an update keeps createRevision and takes the next revision; a stale one is refused',
    async run({ store }) {
      const first = await create(store, '/a', 'one');
      const op = { type: 'put' as const, key: '/a', value: bytes('two') };
      const second = applied(await store.txn([{ key: '/a', modRevision: first }], [op]));
      assert.equal(second, first + 1);
      assert.equal(shown((await store.get('/a')).kv), `/a=two@${first}/${second}`);
      const stale = await store.txn([{ key: '/a', modRevision: first }], [{ ...op, value: bytes('three') }]);
      assert.deepEqual(!stale.ok && stale.current.map(shown), [`/a=two@${first}/${second}`]);
    },
  },
  {
    name: 'several keys change at one revision or not at all',
    async run({ store }) {
      const ops = ['/svc', '/ip'].map(key => ({ type: 'put' as const, key, value: bytes(key) }));
      const free = ops.map(({ key }) => ({ key, modRevision: 0 }));
      const revision = applied(await store.txn(free, ops));
      assert.equal(shown((await store.get('/svc')).kv), `/svc=/svc@${revision}/${revision}`);
      assert.equal(shown((await store.get('/ip')).kv), `/ip=/ip@${revision}/${revision}`);
      await remove(store, '/svc');
      const refused = await store.txn(free, ops);
      assert.deepEqual(!refused.ok && refused.current.map(shown), [null, `/ip=/ip@${revision}/${revision}`]);
      assert.equal((await store.get('/svc')).kv, null);
    },
  },
  {
    name: 'a precondition may concern a key that is not changed, and a key that must be absent',
    async run({ store }) {
      const guard = await create(store, '/guard', 'x');
      const op = { type: 'put' as const, key: '/a', value: bytes('1') };
      applied(await store.txn([{ key: '/guard', modRevision: guard }], [op]));
      await put(store, '/guard', 'y');
      assert.equal((await store.txn([{ key: '/guard', modRevision: guard }], [op])).ok, false);
      assert.equal((await store.txn([{ key: '/absent', modRevision: 7 }], [op])).ok, false);
    },
  },
  {
    name: 'what changes nothing takes no revision',
    async run({ store }) {
      const revision = await create(store, '/a', 'one');
      assert.equal(applied(await store.txn([], [{ type: 'delete', key: '/absent' }])), revision);
      assert.equal(applied(await store.txn([{ key: '/a', modRevision: revision }], [])), revision);
      assert.equal(await store.currentRevision(), revision);
      const mixed = await store.txn(
        [],
        [
          { type: 'delete', key: '/absent' },
          { type: 'delete', key: '/a' },
        ],
      );
      assert.equal(applied(mixed), revision + 1);
    },
  },
  {
    name: 'a deleted key can be created again with a new createRevision',
    async run({ store }) {
      const first = await create(store, '/a', 'one');
      const gone = await remove(store, '/a');
      assert.equal(gone, first + 1);
      assert.deepEqual(await store.get('/a'), { kv: null, revision: gone });
      const again = await create(store, '/a', 'two');
      assert.equal(shown((await store.get('/a')).kv), `/a=two@${again}/${again}`);
    },
  },
  {
    name: 'transactions are decided in call order and see each other before they are answered',
    async run({ store }) {
      const ops = (value: string) => [{ type: 'put' as const, key: '/a', value: bytes(value) }];
      const results = await Promise.all(
        ['1', '2', '3'].map(value => store.txn([{ key: '/a', modRevision: 0 }], ops(value))),
      );
      assert.deepEqual(
        results.map(each => each.ok),
        [true, false, false],
      );
      assert.deepEqual(
        results.slice(1).map(each => !each.ok && each.current.map(shown)),
        [
          [`/a=1@${results[0]!.revision}/${results[0]!.revision}`],
          [`/a=1@${results[0]!.revision}/${results[0]!.revision}`],
        ],
      );
    },
  },
  {
    name: 'revisions follow call order',
    async run({ store }) {
      const many = await Promise.all(Array.from({ length: 100 }, (_, at) => create(store, `/many/${at}`, 'x')));
      assert.deepEqual(
        many,
        many.map((_, at) => many[0]! + at),
      );
    },
  },
  {
    name: 'bytes come back as they went in: empty, binary, 2 MB',
    async run({ store }) {
      const binary = Uint8Array.from({ length: 256 }, (_, at) => at);
      const large = new Uint8Array(2_000_000).fill(7);
      const values = { '/empty': new Uint8Array(0), '/binary': binary, '/large': large };
      for (const [key, value] of Object.entries(values)) applied(await store.txn([], [{ type: 'put', key, value }]));
      for (const [key, value] of Object.entries(values)) {
        const { kv } = await store.get(key);
        assert.ok(kv && Buffer.compare(kv.value, value) === 0, key);
      }
    },
  },
  {
    name: 'keys are ordered by their UTF-8 bytes',
    async run({ store }) {
      const keys = ['/k/a', '/k/a-b', '/k/a/b', '/k/a0', '/k/z', '/k/é', '/k/\ufb01', '/k/😀', '/k/A'];
      for (const key of keys) await create(store, key, 'x');
      const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const { kvs } = await store.range(under('/k/'));
      assert.deepEqual(
        kvs.map(kv => kv.key),
        sorted,
      );
    },
  },
  {
    name: 'a key with a ttl ends by itself, with an event; a newer put extends it or takes the ttl away',
    async run({ store, advance, ttlSeconds }) {
      await create(store, '/t/short', 'x', ttlSeconds);
      await create(store, '/t/extended', 'x', ttlSeconds);
      await create(store, '/t/kept', 'x', ttlSeconds);
      await put(store, '/t/kept', 'y');
      const started = await store.currentRevision();
      const keysNow = async () => (await store.range(under('/t/'))).kvs.map(kv => kv.key);
      await advance(ttlSeconds * 600);
      assert.deepEqual(await keysNow(), ['/t/extended', '/t/kept', '/t/short']);
      const longer = { type: 'put' as const, key: '/t/extended', value: bytes('z'), ttlSeconds: ttlSeconds * 10 };
      const extended = applied(await store.txn([], [longer]));
      assert.equal(extended, started + 1);
      await advance(ttlSeconds * 1900);
      assert.deepEqual(await keysNow(), ['/t/extended', '/t/kept']);
      assert.ok((await store.currentRevision()) > extended);
    },
  },
];
