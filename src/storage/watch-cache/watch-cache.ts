/**
 * The watch cache of one API server: a single watch on the store, whose events are dealt out to one
 * {@link ResourceCache} a resource, so that all of them show the same revision. Memory is bounded by what the cluster
 * holds plus three budgets: recent events, decoded objects and encoded forms.
 *
 * A real use, GET of a list followed by a watch of what comes after it:
 *
 *     const cache = await startWatchCache({ store, clock, logger }, { prefix: '/registry/' });
 *     const pods = cache.resource({ prefix: '/registry/pods/', codec, indexes: ['spec.nodeName'] });
 *     await pods.fresh(signal);                                     // as new as the store
 *     const { items, revision } = pods.list({ prefix: '/registry/pods/default/', limit: 500 });
 *     for (const item of items) send(item.bytes, item.modRevision); // or item.object, or item.form('protobuf', make)
 *     const watch = pods.watch({ prefix: '/registry/pods/default/', afterRevision: revision, signal });
 *     const minute = clock.setTicker(() => watch.requestProgress(), 60_000);
 *     for await (const { events, revision } of watch) {             // throws StorageError `compacted`: 410
 *       for (const event of events) send(event.type, event.item);   // or event.gone when it left the selection
 *       if (events.length === 0) sendBookmark(revision);
 *     }                                                             // ended by the reader, or for being too slow
 *
 * Upstream: apiserver pkg/storage/cacher.
 */
import { type Clock, isAbort, type Logger, type MetricsRegistry } from '#base';
import { prefixEnd, StorageError, type StorageEvent, type Store } from '../contract.ts';
import { Slabs } from '../slabs.ts';
import { cacheMetrics, noResourceMetrics, type ResourceLabels, type ResourceMetrics } from './cache-metrics.ts';
import { RingBudget } from './event-ring.ts';
import { Keepsakes } from './keepsakes.ts';
import { ResourceCache, type ResourceCacheOptions } from './resource-cache.ts';

export interface WatchCacheDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where upstream's metrics of the watch cache are registered; absent: nowhere. */
  readonly metrics?: MetricsRegistry;
}

export interface WatchCacheOptions {
  /** Of all resources, ending in a slash: `/registry/`. */
  readonly prefix: string;
  /** Bytes of recent events. Default 32 MiB. */
  readonly recentBytes?: number;
  /** Bytes of decoded objects and encoded forms, estimated. Default 64 MiB. */
  readonly keptBytes?: number;
}

export interface WatchCacheStats {
  readonly objects: number;
  readonly watchers: number;
  /** Buffers of encoded objects. */
  readonly slabBytes: number;
  readonly liveBytes: number;
  readonly recentBytes: number;
}

const defaultRecentBytes = 32 << 20;
const defaultKeptBytes = 64 << 20;
const reopenDelayMs = 200;

/** Opens the store's watch; resources are filled when first used. Rejects when the store does. */
export async function startWatchCache(deps: WatchCacheDeps, options: WatchCacheOptions): Promise<WatchCache> {
  const cache = new WatchCache(deps, options, await deps.store.currentRevision());
  cache.start();
  return cache;
}

interface Waiter {
  readonly revision: number;
  readonly wake: () => void;
}

/** See the file header; made by {@link startWatchCache}. */
export class WatchCache implements AsyncDisposable {
  readonly #deps: WatchCacheDeps;
  readonly #options: WatchCacheOptions;
  readonly #abort = new AbortController();
  readonly #resources = new Map<string, ResourceCache<never>>();
  readonly #slabs = new Slabs();
  readonly #keepsakes: Keepsakes;
  readonly #rings: RingBudget;
  readonly #metrics: (labels: ResourceLabels) => ResourceMetrics;
  #waiters: Waiter[] = [];
  #revision: number;
  #feeding: Promise<void> | undefined;

  constructor(deps: WatchCacheDeps, options: WatchCacheOptions, revision: number) {
    this.#deps = deps;
    this.#options = options;
    this.#revision = revision;
    this.#metrics = deps.metrics ? cacheMetrics(deps.metrics) : () => noResourceMetrics;
    this.#keepsakes = new Keepsakes(options.keptBytes ?? defaultKeptBytes);
    this.#rings = new RingBudget(options.recentBytes ?? defaultRecentBytes);
  }

  /** Every event up to this revision has been applied to every resource. */
  get revision(): number {
    return this.#revision;
  }

  get stats(): WatchCacheStats {
    let objects = 0;
    let watchers = 0;
    for (const resource of this.#resources.values()) {
      objects += resource.size;
      watchers += resource.watchers;
    }
    const { sizeBytes: slabBytes, liveBytes } = this.#slabs;
    return { objects, watchers, slabBytes, liveBytes, recentBytes: this.#rings.bytes };
  }

  /** For {@link startWatchCache}. */
  start(): void {
    this.#feeding = this.#feed();
  }

  /** Adds a resource; its prefix must be new and lie below the cache's. */
  resource<T>(options: ResourceCacheOptions<T>): ResourceCache<T> {
    const { prefix } = options;
    if (!prefix.endsWith('/') || !prefix.startsWith(this.#options.prefix))
      throw new Error(`${prefix} is no prefix here`);
    for (const other of this.#resources.keys())
      if (other.startsWith(prefix) || prefix.startsWith(other)) throw new Error(`${prefix} overlaps ${other}`);
    const { store, logger } = this.#deps;
    const made = new ResourceCache<T>(
      {
        store,
        logger,
        home: { slabs: this.#slabs, keepsakes: this.#keepsakes },
        rings: this.#rings,
        metrics: this.#metrics(options.labels ?? { group: '', resource: prefix.split('/').at(-2)! }),
        progress: () => this.#revision,
        waitFor: (revision, signal) => this.waitFor(revision, signal),
        remove: cache => this.#resources.delete(cache.prefix),
      },
      options,
    );
    this.#resources.set(prefix, made as unknown as ResourceCache<never>);
    return made;
  }

  /** Resolves when {@link revision} has reached `revision`; rejects with the signal's reason, or when closed. */
  async waitFor(revision: number, signal?: AbortSignal): Promise<void> {
    if (this.#revision >= revision) return;
    const stop = signal ? AbortSignal.any([signal, this.#abort.signal]) : this.#abort.signal;
    this.#deps.store.requestProgress();
    await new Promise<void>((resolve, reject) => {
      const fail = () =>
        reject(signal?.aborted ? signal.reason : new StorageError('closed', 'the watch cache is closed'));
      if (stop.aborted) return fail();
      const wake = () => {
        stop.removeEventListener('abort', fail);
        resolve();
      };
      stop.addEventListener('abort', fail, { once: true });
      this.#waiters.push({ revision, wake });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    for (const resource of [...this.#resources.values()]) resource.close();
    await this.#feeding;
  }

  /** Reads the store's watch for as long as the cache lives; after a break every resource starts anew. */
  async #feed(): Promise<void> {
    const { store, clock, logger } = this.#deps;
    const { signal } = this.#abort;
    const range = { start: this.#options.prefix, end: prefixEnd(this.#options.prefix), prev: false, signal };
    while (!signal.aborted) {
      try {
        for await (const batch of store.watch({ ...range, afterRevision: this.#revision })) {
          this.#apply(batch.events);
          this.#advance(batch.revision);
        }
        if (signal.aborted) return;
        logger.warn('the watch on the store ended');
      } catch (error) {
        if (signal.aborted || isAbort(error, signal)) return;
        if (error instanceof StorageError && error.code === 'closed') return;
        logger.warn('the watch on the store broke', { error });
      }
      this.#reset();
      await clock.sleep(reopenDelayMs, signal).catch(() => {});
      await this.#restart();
    }
  }

  /** From the current revision on, forgetting all: what happened in between is not known. */
  async #restart(): Promise<void> {
    try {
      this.#revision = await this.#deps.store.currentRevision();
      this.#reset();
    } catch (error) {
      this.#deps.logger.warn('the store does not answer', { error });
    }
  }

  #reset(): void {
    for (const resource of this.#resources.values()) resource.reset();
  }

  /** No await between here and the new revision: a reader would see half a transaction. */
  #apply(events: readonly StorageEvent[]): void {
    for (let at = 0; at < events.length; ) {
      const resource = this.#resourceOf(events[at]!.key);
      let to = at + 1;
      while (to < events.length && resource && events[to]!.key.startsWith(resource.prefix)) to++;
      resource?.apply(at === 0 && to === events.length ? events : events.slice(at, to));
      at = to;
    }
  }

  #advance(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
    if (this.#waiters.length === 0) return;
    const still: Waiter[] = [];
    for (const waiter of this.#waiters) {
      if (waiter.revision <= this.#revision) waiter.wake();
      else still.push(waiter);
    }
    this.#waiters = still;
  }

  /** The resource whose prefix `key` begins with: tried from the shortest, one slash after another. */
  #resourceOf(key: string): ResourceCache<never> | undefined {
    for (let at = this.#options.prefix.length - 1; at >= 0; at = key.indexOf('/', at + 1)) {
      const found = this.#resources.get(key.slice(0, at + 1));
      if (found) return found;
    }
    return undefined;
  }
}
