import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricsRegistry, noFaults, SteppedClock, silentLogger } from '#base';
import { createMemoryStore, type MemoryStore } from '../memory/memory-store.ts';
import { bytes, create, put, remove, text } from '../suite/help.ts';
import type { CacheCodec, CacheEvent, CacheItem } from './cache-item.ts';
import type { CacheWatch } from './cache-watch.ts';
import type { ResourceCache } from './resource-cache.ts';
import { startWatchCache, type WatchCache, type WatchCacheOptions } from './watch-cache.ts';

interface Thing {
  readonly node?: string;
  readonly app?: string;
  readonly n?: number;
  readonly pad?: string;
  revision: number;
}

/** Objects of the tests: JSON, with their revision spliced in when decoded. */
const codec: CacheCodec<Thing> = {
  decode: (value, revision) => ({ ...JSON.parse(text(value)), revision }),
  index: thing => ({
    labels: (thing.app ? { app: thing.app } : {}) as Record<string, string>,
    fields: { 'spec.nodeName': thing.node ?? '' },
  }),
};

interface Bench extends AsyncDisposable {
  readonly store: MemoryStore;
  readonly cache: WatchCache;
  readonly pods: ResourceCache<Thing>;
}

async function start(options: Partial<WatchCacheOptions> = {}): Promise<Bench> {
  const clock = new SteppedClock();
  const store = createMemoryStore({ clock, faults: noFaults });
  const cache = await startWatchCache({ store, clock, logger: silentLogger }, { prefix: '/r/', ...options });
  const pods = cache.resource({ prefix: '/r/pods/', codec, indexes: ['spec.nodeName'] });
  const dispose = async () => {
    await cache[Symbol.asyncDispose]();
    await store.close();
  };
  return { store, cache, pods, [Symbol.asyncDispose]: dispose };
}

const thing = (value: Omit<Thing, 'revision'>): string => JSON.stringify(value);
const keys = (items: ReadonlyArray<CacheItem<Thing>>): string => items.map(item => item.key.slice(8)).join(' ');
const shown = (event: CacheEvent<Thing>): string =>
  `${event.type} ${event.key.slice(8)} ${event.item.object.n} ${event.prev ? event.prev.object.n : '-'}`;

/** Reads until `revision` is delivered. */
async function until(watch: CacheWatch<Thing>, revision: number): Promise<Array<CacheEvent<Thing>>> {
  const events: Array<CacheEvent<Thing>> = [];
  watch.requestProgress();
  for await (const batch of watch) {
    events.push(...batch.events);
    if (batch.revision >= revision) break;
  }
  return events;
}

test('a list shows every acknowledged write, ordered, by namespace, by page, by index, by filter', async () => {
  await using bench = await start();
  const { store, pods } = bench;
  await create(store, '/r/pods/b/1', thing({ node: 'n1', n: 1 }));
  await create(store, '/r/pods/a/1', thing({ node: 'n1', n: 2, app: 'web' }));
  await pods.fresh();
  await create(store, '/r/pods/a/2', thing({ node: 'n2', n: 3 }));
  await create(store, '/r/pods/a-b/1', thing({ n: 4, app: 'web' }));
  const last = await create(store, '/r/nodes/n1', '{}');
  await pods.fresh();
  assert.equal(keys(pods.list().items), 'a-b/1 a/1 a/2 b/1');
  assert.equal(pods.list().revision, last);
  assert.equal(keys(pods.list({ prefix: '/r/pods/a/' }).items), 'a/1 a/2');
  assert.equal(keys(pods.list({ index: { name: 'spec.nodeName', value: 'n1' } }).items), 'a/1 b/1');
  assert.equal(keys(pods.list({ prefix: '/r/pods/b/', index: { name: 'spec.nodeName', value: 'n1' } }).items), 'b/1');
  assert.equal(keys(pods.list({ filter: item => item.labels['app'] === 'web' }).items), 'a-b/1 a/1');
  const page = pods.list({ limit: 3 });
  assert.deepEqual([keys(page.items), page.more, page.remaining], ['a-b/1 a/1 a/2', true, 1]);
  assert.equal(keys(pods.list({ after: '/r/pods/a/2', limit: 3 }).items), 'b/1');
  const filtered = pods.list({ limit: 1, filter: item => item.labels['app'] === 'web' });
  assert.deepEqual([keys(filtered.items), filtered.more, filtered.remaining], ['a-b/1', true, 3]);
});

test('an index follows updates and deletions', async () => {
  await using bench = await start();
  const { store, pods } = bench;
  const on = (value: string) => keys(pods.list({ index: { name: 'spec.nodeName', value } }).items);
  await create(store, '/r/pods/a/1', thing({ n: 1 }));
  await pods.fresh();
  assert.equal(on(''), 'a/1');
  await put(store, '/r/pods/a/1', thing({ node: 'n1', n: 2 }));
  await pods.fresh();
  assert.deepEqual([on(''), on('n1')], ['', 'a/1']);
  await remove(store, '/r/pods/a/1');
  await pods.fresh();
  assert.deepEqual([on('n1'), pods.size, bench.cache.stats.objects], ['', 0, 0]);
});

test('objects are frozen, keep their revision, and are decoded again after they were dropped', async () => {
  await using bench = await start({ keptBytes: 1000 });
  const { store, pods } = bench;
  for (let at = 0; at < 50; at++) await create(store, `/r/pods/a/${at}`, thing({ n: at, pad: 'x'.repeat(100) }));
  await pods.fresh();
  const item = pods.get('/r/pods/a/7')!;
  const { object } = item;
  assert.ok(Object.isFrozen(object));
  assert.deepEqual([object.n, object.revision], [7, item.modRevision]);
  assert.equal(item.object, object);
  const form = item.form('upper', made => Buffer.from(text(made.bytes).toUpperCase()));
  assert.equal(
    item.form('upper', () => Buffer.alloc(0)),
    form,
  );
  for (let at = 8; at < 50; at++) void pods.get(`/r/pods/a/${at}`)!.object;
  assert.notEqual(item.object, object);
  assert.deepEqual(item.object, object);
});

test('watches: everything, a namespace, a key, an index value that an object enters and leaves', async () => {
  await using bench = await start();
  const { store, pods } = bench;
  await pods.fresh();
  const all = pods.watch();
  const inA = pods.watch({ prefix: '/r/pods/a/' });
  const one = pods.watch({ key: '/r/pods/a/1' });
  const onN1 = pods.watch({ index: { name: 'spec.nodeName', value: 'n1' } });
  await create(store, '/r/pods/a/1', thing({ n: 1 }));
  await put(store, '/r/pods/a/1', thing({ n: 2, node: 'n1' }));
  await create(store, '/r/pods/b/1', thing({ n: 3 }));
  await put(store, '/r/pods/a/1', thing({ n: 4, node: 'n2' }));
  const last = await remove(store, '/r/pods/a/1');
  await pods.fresh();
  const a = ['added a/1 1 -', 'modified a/1 2 1', 'modified a/1 4 2', 'deleted a/1 4 4'];
  assert.deepEqual((await until(all, last)).map(shown), [a[0], a[1], 'added b/1 3 -', a[2], a[3]]);
  assert.deepEqual((await until(inA, last)).map(shown), a);
  assert.deepEqual((await until(one, last)).map(shown), a);
  const events = await until(onN1, last);
  assert.deepEqual(events.map(shown), [a[1], a[2]]);
  const { gone } = events[1]!;
  assert.deepEqual([gone.object.n, gone.object.revision, gone.modRevision], [2, last - 1, last - 1]);
  assert.equal(pods.watchers, 0);
});

test('a deletion carries the previous state with the deleting revision', async () => {
  await using bench = await start();
  const { store, pods } = bench;
  await pods.fresh();
  const watch = pods.watch();
  await create(store, '/r/pods/a/1', thing({ n: 1 }));
  const gone = await remove(store, '/r/pods/a/1');
  await pods.fresh();
  const [, event] = await until(watch, gone);
  assert.deepEqual([event!.item.object.n, event!.item.object.revision, event!.item.modRevision], [1, gone, gone]);
  assert.equal(event!.prev!.object.revision, gone - 1);
});

test('a watch from the past: from memory, from the store when memory forgot, else compacted', async () => {
  for (const recentBytes of [32 << 20, 2000]) {
    await using bench = await start({ recentBytes });
    const { store, pods, cache } = bench;
    await pods.fresh();
    const base = await store.currentRevision();
    for (let n = 0; n < 60; n++) await put(store, `/r/pods/a/${n % 3}`, thing({ n }));
    await pods.fresh();
    assert.ok(cache.stats.recentBytes <= recentBytes);
    const watch = pods.watch({ afterRevision: base });
    const writing = (async () => {
      for (let n = 60; n < 120; n++) await put(store, `/r/pods/a/${n % 3}`, thing({ n }));
    })();
    const events = await until(watch, base + 60);
    await writing;
    assert.deepEqual(
      events.slice(0, 60).map(event => event.item.object.n),
      Array.from({ length: 60 }, (_, n) => n),
    );
    assert.deepEqual(
      events.slice(3, 60).map(event => event.prev?.object.n),
      Array.from({ length: 57 }, (_, n) => n),
    );
    await pods.fresh();
    const joined = pods.watch({ afterRevision: base + 1, index: { name: 'spec.nodeName', value: '' } });
    const rest = await until(joined, base + 120);
    assert.deepEqual(
      rest.map(event => event.revision),
      Array.from({ length: 119 }, (_, n) => base + 2 + n),
    );
    await store.compact(base + 110);
    const old = pods.watch({ afterRevision: base + 5 });
    if (recentBytes > 2000) assert.equal((await until(old, base + 120)).length, 115);
    else await assert.rejects(until(old, base + 120), { code: 'compacted' });
    assert.equal(pods.watchers, 0);
  }
});

test('who does not read is closed, without harm to others', async () => {
  await using bench = await start();
  const { store, pods } = bench;
  await pods.fresh();
  const slow = pods.watch({ maxQueued: 5 });
  const quick = pods.watch();
  let last = 0;
  for (let n = 0; n < 10; n++) last = await put(store, '/r/pods/a/1', thing({ n }));
  await pods.fresh();
  assert.equal(slow.ended, 'slow');
  assert.deepEqual(await until(slow, last), []);
  assert.equal((await until(quick, last)).length, 10);
  const abort = new AbortController();
  const aborted = pods.watch({ signal: abort.signal });
  abort.abort();
  assert.equal(aborted.ended, 'aborted');
  assert.equal(pods.watchers, 0);
});

test('progress comes on request, after what is queued, with the revision of the store', async () => {
  await using bench = await start();
  const { store, pods } = bench;
  await pods.fresh();
  const watch = pods.watch({ prefix: '/r/pods/a/' });
  const iterator = watch[Symbol.asyncIterator]();
  await create(store, '/r/pods/a/1', thing({ n: 1 }));
  const last = await create(store, '/r/pods/b/1', thing({ n: 1 }));
  await pods.fresh();
  assert.deepEqual((await iterator.next()).value?.events.length, 1);
  const pending = iterator.next();
  watch.requestProgress();
  const { value } = await pending;
  assert.deepEqual([value?.events.length, value?.revision], [0, last]);
  await iterator.return?.();
});

test('a page of the past, and what cannot be decoded', async () => {
  await using bench = await start();
  const { store, pods } = bench;
  for (const name of ['1', '2', '3']) await create(store, `/r/pods/a/${name}`, thing({ n: 1 }));
  const past = await store.currentRevision();
  await put(store, '/r/pods/a/3', 'no json');
  await remove(store, '/r/pods/a/1');
  await pods.fresh();
  const page = await pods.listAt(past, { after: '/r/pods/a/1', limit: 1 });
  assert.deepEqual([keys(page.items), page.more, page.remaining, page.revision], ['a/2', true, 1, past]);
  assert.equal(keys(pods.list().items), 'a/2 a/3');
  assert.throws(() => pods.get('/r/pods/a/3')!.object, SyntaxError);
});

test('after the stream broke, watches end and the next use sees the truth', async () => {
  const clock = new SteppedClock();
  const store = createMemoryStore({ clock });
  let broken = false;
  const breaking = Object.create(store, {
    watch: {
      value: async function* (options: Parameters<MemoryStore['watch']>[0]) {
        for await (const batch of store.watch(options)) {
          if (broken) throw new Error('connection lost');
          yield batch;
        }
      },
    },
  }) as MemoryStore;
  for (const name of ['txn', 'range', 'currentRevision', 'requestProgress'] as const)
    Object.defineProperty(breaking, name, { value: (store[name] as () => unknown).bind(store) });
  await using cache = await startWatchCache({ store: breaking, clock, logger: silentLogger }, { prefix: '/r/' });
  const pods = cache.resource({ prefix: '/r/pods/', codec });
  await create(store, '/r/pods/a/1', thing({ n: 1 }));
  await pods.fresh();
  const watch = pods.watch();
  broken = true;
  await remove(store, '/r/pods/a/1');
  await create(store, '/r/pods/a/2', thing({ n: 2 }));
  assert.deepEqual(await until(watch, Number.POSITIVE_INFINITY), []);
  assert.equal(watch.ended, 'stopped');
  broken = false;
  const waiting = pods.fresh();
  await clock.advance(1000);
  await waiting;
  assert.equal(keys(pods.list().items), 'a/2');
});

test('memory is given back: slabs follow what is live', async () => {
  await using bench = await start({ recentBytes: 100_000 });
  const { store, pods, cache } = bench;
  await pods.fresh();
  const value = thing({ n: 1, pad: 'x'.repeat(2000) });
  for (let at = 0; at < 3000; at++)
    await store.txn([], [{ type: 'put', key: `/r/pods/a/${at % 500}`, value: bytes(value) }]);
  await pods.fresh();
  const { liveBytes, slabBytes, recentBytes } = cache.stats;
  assert.ok(recentBytes <= 100_000);
  assert.ok(liveBytes < 500 * 2100 + 200_000, `${liveBytes} live`);
  assert.ok(slabBytes < liveBytes * 2 + (2 << 20), `${slabBytes} in slabs for ${liveBytes}`);
  assert.ok(pods.list().items.every(item => text(item.bytes) === value));
  pods.close();
  assert.equal(cache.stats.liveBytes, 0);
});

test("metrics have upstream's names", async () => {
  const clock = new SteppedClock();
  const store = createMemoryStore({ clock });
  const metrics = new MetricsRegistry();
  await using cache = await startWatchCache({ store, clock, logger: silentLogger, metrics }, { prefix: '/r/' });
  const labels = { group: 'apps', resource: 'things' };
  const pods = cache.resource({ prefix: '/r/pods/', codec, labels });
  await create(store, '/r/pods/a/1', thing({ n: 1, app: 'web' }));
  await pods.fresh();
  pods.watch({ maxQueued: 1 });
  await create(store, '/r/pods/a/2', thing({ n: 2 }));
  const last = await create(store, '/r/pods/a/3', thing({ n: 2 }));
  await pods.fresh();
  pods.list({ filter: item => item.labels['app'] === 'web' });
  const lines = metrics
    .render()
    .split('\n')
    .filter(line => !/^#|^$|_read_wait_seconds/.test(line));
  const of = 'group="apps",resource="things"';
  assert.deepEqual(lines, [
    `apiserver_cache_list_fetched_objects_total{${of},index=""} 3`,
    `apiserver_cache_list_returned_objects_total{${of}} 1`,
    `apiserver_cache_list_total{${of},index=""} 1`,
    `apiserver_init_events_total{${of}} 1`,
    `apiserver_resource_objects{${of}} 3`,
    `apiserver_resource_size_estimate_bytes{${of}} ${pods.sizeBytes}`,
    `apiserver_storage_events_received_total{${of}} 2`,
    `apiserver_storage_list_evaluated_objects_total{${of}} 1`,
    `apiserver_storage_list_fetched_objects_total{${of}} 1`,
    `apiserver_storage_list_returned_objects_total{${of}} 1`,
    `apiserver_storage_list_total{${of}} 1`,
    'apiserver_storage_objects{resource="things.apps"} 3',
    `apiserver_terminated_watchers_total{${of}} 1`,
    `apiserver_watch_cache_events_dispatched_total{${of}} 2`,
    `apiserver_watch_cache_events_received_total{${of}} 2`,
    `apiserver_watch_cache_initializations_total{${of}} 1`,
    `apiserver_watch_cache_resource_version{${of}} ${last}`,
  ]);
});
