/**
 * API servers on three etcd members of which one hangs instead of dying, loses its disk, or is told by another server to
 * forget the past: writes go on, every watch sees every write once, and old revisions end as upstream's do.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '#base';
import { openEtcdStore, prefixEnd, type Store } from '#storage';
import { type EtcdCluster, etcdMissing, startEtcd } from '../support/etcd.ts';

const missing = etcdMissing();
const options = missing ? { skip: missing } : {};
const range = { start: '/k/', end: prefixEnd('/k/') };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What one watch saw, and whether it saw anything twice or out of order. */
class Watcher {
  readonly seen = new Map<string, number>();
  readonly #abort = new AbortController();
  readonly #watching: Promise<void>;
  #last = 0;

  constructor(store: Store) {
    this.#watching = this.#watch(store);
  }

  async #watch(store: Store): Promise<void> {
    for await (const { events } of store.watch({ ...range, afterRevision: 1, signal: this.#abort.signal })) {
      for (const { key, revision } of events) {
        assert.ok(!this.seen.has(key), `${key} was told twice`);
        assert.ok(revision >= this.#last, 'out of order');
        this.#last = revision;
        this.seen.set(key, revision);
      }
    }
  }

  async end(): Promise<void> {
    this.#abort.abort();
    await this.#watching;
  }
}

/** Two stores with two writers and a watch each; `during` is what happens to them. */
async function underLoad(
  cluster: EtcdCluster,
  during: (written: ReadonlyMap<string, number>, stores: readonly Store[]) => Promise<void>,
): Promise<void> {
  const open = (): Promise<Store> => openEtcdStore({ endpoints: cluster.endpoints, clock: systemClock });
  const stores = [await open(), await open()];
  const watchers = stores.map(store => new Watcher(store));
  const written = new Map<string, number>();
  let done = false;
  const write = async (store: Store, name: string): Promise<void> => {
    for (let at = 0; !done; at++) {
      const key = `/k/${name}/${at}`;
      const result = await store.txn([{ key, modRevision: 0 }], [{ type: 'put', key, value: bytes(key) }]);
      assert.ok(result.ok, `${key} was refused`);
      written.set(key, result.revision);
      await sleep(5);
    }
  };
  const writing = Promise.all(stores.flatMap((store, at) => [write(store, `${at}a`), write(store, `${at}b`)]));
  await during(written, stores);
  done = true;
  await writing;
  for (const store of stores) {
    const { kvs } = await store.range(range);
    const stored = new Map(kvs.map(kv => [kv.key, kv.modRevision]));
    for (const [key, revision] of written) assert.equal(stored.get(key), revision, `${key} was acknowledged`);
  }
  for (const watcher of watchers) {
    for (let turn = 0; watcher.seen.size < written.size && turn < 1000; turn++) await sleep(20);
    assert.deepEqual([...watcher.seen].toSorted(), [...written].toSorted());
    await watcher.end();
  }
  for (const store of stores) await store.close();
}

async function more(written: ReadonlyMap<string, number>, count: number): Promise<void> {
  const before = written.size;
  for (let turn = 0; written.size < before + count; turn++) {
    assert.ok(turn < 1500, 'writes do not go on');
    await sleep(20);
  }
}

test('etcd: members hang, the leader too: writes go on, and watches on them lose nothing', options, async () => {
  await using cluster = await startEtcd(3);
  await cluster.leader();
  await underLoad(cluster, async written => {
    await more(written, 50);
    for (const victim of [0, 1, 2, 'leader'] as const) {
      const member = victim === 'leader' ? await cluster.leader() : victim;
      cluster.pause(member);
      await more(written, 100);
      cluster.resume(member);
      await cluster.leader();
    }
  });
});

test('etcd: a member that lost its disk is replaced while everything goes on', options, async () => {
  await using cluster = await startEtcd(3);
  await cluster.leader();
  await underLoad(cluster, async written => {
    await more(written, 50);
    await cluster.kill(1);
    await more(written, 50);
    await cluster.replace(1);
    await more(written, 50);
    // The one that is new has to be good enough for a majority.
    await cluster.kill(2);
    await more(written, 50);
    await cluster.start(2);
  });
});

test(
  'etcd: what one server compacts is gone for the other, in the words of one that did it itself',
  options,
  async () => {
    await using cluster = await startEtcd(1);
    const [a, b] = [0, 1].map(() => openEtcdStore({ endpoints: cluster.endpoints, clock: systemClock }));
    const [one, other] = [await a!, await b!];
    for (let at = 0; at < 20; at++) await one.txn([], [{ type: 'put', key: '/k/x', value: bytes(`${at}`) }]);
    const now = await one.currentRevision();
    await one.compact(now - 5);
    await assert.rejects(other.range({ ...range, revision: now - 10 }), { code: 'compacted' });
    assert.equal((await other.range({ ...range, revision: now - 2 })).kvs.length, 1);
    const late = async (): Promise<void> => {
      for await (const _ of other.watch({ ...range, afterRevision: now - 10 })) assert.fail('it saw something');
    };
    await assert.rejects(late(), { code: 'compacted' });
    await one.close();
    await other.close();
  },
);
