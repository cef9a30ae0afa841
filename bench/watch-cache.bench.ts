/**
 * The watch cache at 100,000 pods of 2 KB in the sqlite engine: time until it serves, memory, lists, changes to many
 * watchers. Budget: ready in 5 s and 1.3 GB for the whole server; this is the share of the store and its cache.
 * Run: `node --expose-gc bench/watch-cache.bench.ts [objects]`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { silentLogger, systemClock } from '../src/base/index.ts';
import { type CacheCodec, openSqliteStore, type SqliteStore, startWatchCache } from '../src/storage/index.ts';

const objects = Number(process.argv[2] ?? 100_000);
const nodes = Math.ceil(objects / 50);

interface Pod {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly nodeName: string };
  readonly status: { readonly phase: string };
}

/** Something of a pod's size and shape. */
function pod(at: number, generation: number): Uint8Array {
  const container = {
    name: 'web',
    image: 'registry.example.com/team/web:1.2.3',
    ports: [{ containerPort: 80, protocol: 'TCP' }],
  };
  const env = Array.from({ length: 12 }, (_, i) => ({ name: `SETTING_${i}`, value: `value-${i}-of-pod-${at}` }));
  const conditions = ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(type => ({
    type,
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }));
  const labels = { app: `app-${at % 100}`, 'pod-template-hash': 'abcdef1234', tier: 'web' };
  const metadata = {
    name: `pod-${at}`,
    namespace: `ns-${at % 100}`,
    uid: `${at}`.padStart(36, '0'),
    generation,
    labels,
  };
  const spec = { nodeName: `node-${at % nodes}`, containers: [{ ...container, env }], restartPolicy: 'Always' };
  const status = { phase: 'Running', conditions, podIP: '10.0.0.1', startTime: '2026-01-01T00:00:00Z' };
  return Buffer.from(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec, status }));
}

const key = (at: number): string => `/registry/pods/ns-${at % 100}/pod-${at}`;
const codec: CacheCodec<Pod> = {
  decode: bytes => JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')),
  index: ({ metadata, spec, status }) => ({
    labels: metadata.labels,
    fields: { 'spec.nodeName': spec.nodeName, 'status.phase': status.phase },
  }),
};

const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`;
function memory(): string {
  globalThis.gc?.();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return `rss ${megabytes(rss)}, heap ${megabytes(heapUsed)}, buffers ${megabytes(arrayBuffers)}`;
}

async function timed<T>(name: string, work: () => T | Promise<T>): Promise<T> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const begin = performance.now();
  const result = await work();
  const ms = performance.now() - begin;
  delay.disable();
  console.log(`${name}: ${ms.toFixed(1)} ms, loop delay at most ${(delay.max / 1e6).toFixed(0)} ms; ${memory()}`);
  return result;
}

async function put(store: SqliteStore, at: number, generation: number): Promise<void> {
  await store.txn([], [{ type: 'put', key: key(at), value: pod(at, generation) }]);
}

const folder = await mkdtemp(join(tmpdir(), 'kobune-bench-'));
const path = join(folder, 'store.db');
console.log(`${objects} pods of ${pod(1, 1).length} bytes; at the start ${memory()}`);
const first = await openSqliteStore({ path, clock: systemClock });
await timed('written', async () => {
  for (let at = 0; at < objects; at += 500)
    await Promise.all(Array.from({ length: Math.min(500, objects - at) }, (_, i) => put(first, at + i, 1)));
});
await first.close();

const store = await timed('store opened', () => openSqliteStore({ path, clock: systemClock }));
const cache = await startWatchCache({ store, clock: systemClock, logger: silentLogger }, { prefix: '/registry/' });
const pods = cache.resource({ prefix: '/registry/pods/', codec, indexes: ['spec.nodeName'] });
await timed('cache filled', () => pods.fresh());
const { items } = await timed('list of all', () => pods.list());
await timed('list of one node', () => pods.list({ index: { name: 'spec.nodeName', value: 'node-1' } }).items.length);
await timed('list by label', () => pods.list({ filter: item => item.labels['app'] === 'app-7' }).items.length);
await timed('all bytes touched', () => items.reduce((sum, item) => sum + item.bytes[0]!, 0));
await timed('10,000 objects decoded', () => items.slice(0, 10_000).forEach(item => item.object));

for (const count of [0, 1000, 5000]) {
  const abort = new AbortController();
  const { signal } = abort;
  let delivered = 0;
  const watching = Array.from({ length: count }, async (_, at) => {
    const watch =
      at % 2 ? pods.watch({ signal }) : pods.watch({ signal, index: { name: 'spec.nodeName', value: `node-${at}` } });
    for await (const { events } of watch) delivered += events.length;
  });
  await timed(`1,000 changes with ${count} watchers`, async () => {
    await Promise.all(Array.from({ length: 1000 }, (_, at) => put(store, at, 2)));
    await pods.fresh();
  });
  await new Promise(resolve => setImmediate(resolve));
  console.log(`  ${delivered} events delivered`);
  abort.abort();
  await Promise.all(watching);
}
await timed('20,000 changes', async () => {
  for (let at = 0; at < 20_000; at += 500)
    await Promise.all(Array.from({ length: 500 }, (_, i) => put(store, (at + i) % objects, 3)));
  await pods.fresh();
});
console.log(cache.stats);
await cache[Symbol.asyncDispose]();
await store.close();
await rm(folder, { recursive: true });
