/**
 * The cache of one resource: every object under a prefix at the store's revision, ordered by key, with indexes on
 * named fields, recent events, and watches. Filled when first used, fed by the watch cache that it belongs to.
 * Upstream: apiserver pkg/storage/cacher/{cacher,watch_cache}.go.
 */
import type { Logger } from '#base';
import { prefixEnd, type RangeResult, StorageError, type StorageEvent, type Store } from '../contract.ts';
import { OrderedMap } from '../ordered-map.ts';
import { loose, type Stored } from '../slabs.ts';
import { type CacheCodec, CacheEvent, CacheItem, type IndexRecord, type ItemHome } from './cache-item.ts';
import type { ResourceLabels, ResourceMetrics } from './cache-metrics.ts';
import { type CacheWatch, type CacheWatchOptions, FanOut, type WatchSource } from './cache-watch.ts';
import { EventRing, type RingBudget } from './event-ring.ts';

export interface ResourceCacheOptions<T> {
  /** Of all its keys, ending in a slash: `/registry/pods/`. No resource's prefix may begin with another's. */
  readonly prefix: string;
  readonly codec: CacheCodec<T>;
  /** Field names, as `spec.nodeName`, by which lists and watches may be narrowed cheaply. */
  readonly indexes?: readonly string[];
  /** In metrics; absent: no group, and the last part of the prefix. */
  readonly labels?: ResourceLabels;
}

export interface CacheListOptions<T> {
  /** Only keys below it, for example one namespace. Absent: all. */
  readonly prefix?: string;
  /** Only keys after this one: where the page before ended. */
  readonly after?: string;
  /** At most so many that pass the filter; 0 or absent means all. */
  readonly limit?: number;
  readonly index?: { readonly name: string; readonly value: string };
  readonly filter?: (item: CacheItem<T>) => boolean;
}

export interface CacheList<T> {
  /** By key. A copy: it does not change when the cache does. */
  readonly items: ReadonlyArray<CacheItem<T>>;
  /** There are more that pass the filter. */
  readonly more: boolean;
  /** How many keys of the range come after the last item, whatever the filter. */
  readonly remaining: number;
  readonly revision: number;
}

/** A part of the cache as it was. */
interface Slice<T> {
  readonly items: Array<CacheItem<T>>;
  /** Keys of the range behind the items. */
  readonly behind: number;
  readonly revision: number;
}

/** What the watch cache lends to each of its resources. */
export interface ResourceDeps {
  readonly store: Store;
  readonly logger: Logger;
  readonly home: Pick<ItemHome<never>, 'slabs' | 'keepsakes'>;
  readonly rings: RingBudget;
  readonly metrics: ResourceMetrics;
  /** Everything up to this revision was handed to {@link ResourceCache.apply}. */
  progress(): number;
  waitFor(revision: number, signal?: AbortSignal): Promise<void>;
  remove(cache: ResourceCache<never>): void;
}

const fillPage = 500;
/** Items that a filter looks at in a turn: some 1 ms. */
const filteredATurn = 4000;
const noIndex: IndexRecord = Object.freeze({ labels: Object.freeze({}), fields: Object.freeze({}) });

/** See the file header. */
export class ResourceCache<T> {
  readonly prefix: string;
  readonly #end: string;
  readonly #deps: ResourceDeps;
  readonly #home: ItemHome<T>;
  readonly #fanOut: FanOut<T>;
  readonly #items = new OrderedMap<CacheItem<T>>();
  readonly #indexes = new Map<string, Map<string, OrderedMap<CacheItem<T>>>>();
  readonly #source: WatchSource<T>;
  #ring: EventRing<T> | undefined;
  /** The revision that the fill read; earlier events are in it. 0: not filled. */
  #filledAt = 0;
  #filling: Promise<void> | undefined;
  #waiting: StorageEvent[] = [];
  /** Moves on with every reset, so that a fill that was under way knows that it read too early. */
  #generation = 0;
  #closed = false;
  #sizeBytes = 0;

  constructor(deps: ResourceDeps, options: ResourceCacheOptions<T>) {
    this.#deps = deps;
    this.prefix = options.prefix;
    this.#end = prefixEnd(options.prefix);
    this.#home = { ...deps.home, codec: options.codec };
    const indexes = options.indexes ?? [];
    this.#fanOut = new FanOut(options.prefix, indexes, () => deps.metrics.terminated());
    for (const name of indexes) this.#indexes.set(name, new Map());
    const revision = () => this.revision;
    this.#source = {
      get revision() {
        return revision();
      },
      recent: after => (this.#ring && after >= this.#ring.from ? this.#ring.after(after) : undefined),
      history: (watch, after, upTo) => this.#history(watch, after, upTo),
    };
  }

  /** The revision that the cache shows. */
  get revision(): number {
    return Math.max(this.#filledAt, this.#deps.progress());
  }

  /** Objects at present. */
  get size(): number {
    return this.#items.size;
  }

  /** Bytes of all objects at present, as stored. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Open watches. */
  get watchers(): number {
    return this.#fanOut.size;
  }

  /** Whether {@link get}, {@link list} and {@link watch} may be called. */
  get ready(): boolean {
    return this.#filledAt > 0 && !this.#filling;
  }

  /** Resolves when the cache is filled and shows the store's current revision or a later one. Before every read. */
  async fresh(signal?: AbortSignal): Promise<void> {
    const begunMs = performance.now();
    const [revision] = await Promise.all([this.#deps.store.currentRevision(), this.fill()]);
    await this.waitFor(revision, signal);
    this.#deps.metrics.waited((performance.now() - begunMs) / 1000);
  }

  /** Resolves when the cache shows `revision` or a later one, which must exist or be about to. */
  async waitFor(revision: number, signal?: AbortSignal): Promise<void> {
    await this.fill();
    if (this.revision < revision) await this.#deps.waitFor(revision, signal);
  }

  /** Reads what the store has, once; rejects when the store does. */
  fill(): Promise<void> {
    if (this.ready) return Promise.resolve();
    if (this.#closed) return Promise.reject(new StorageError('closed', `the cache of ${this.prefix} is closed`));
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = undefined;
    });
    return this.#filling;
  }

  /** The object at `key` at the cache's revision. */
  get(key: string): CacheItem<T> | undefined {
    this.#assertReady();
    return this.#items.get(key);
  }

  /** What is there at the cache's revision; no await between this and a `watch` from its revision is needed. */
  list(options: CacheListOptions<T> = {}): CacheList<T> {
    const { filter, limit = 0 } = options;
    const all = this.#slice(options, filter ? 0 : limit);
    if (!filter) return this.#page(options, all, all.items, all.items.length);
    const items: Array<CacheItem<T>> = [];
    let at = 0;
    for (; at < all.items.length && !(limit > 0 && items.length > limit); at++) {
      if (filter(all.items[at]!)) items.push(all.items[at]!);
    }
    return this.#page(options, all, items, at);
  }

  /** The same, as of the moment of the call; others on this thread have their turns while the filter looks at many. */
  async filtered(options: CacheListOptions<T>): Promise<CacheList<T>> {
    const { filter, limit = 0 } = options;
    if (!filter) return this.list(options);
    const all = this.#slice(options, 0);
    const items: Array<CacheItem<T>> = [];
    let at = 0;
    for (; at < all.items.length && !(limit > 0 && items.length > limit); at++) {
      if (at % filteredATurn === filteredATurn - 1) await new Promise<void>(resolve => setImmediate(resolve));
      if (filter(all.items[at]!)) items.push(all.items[at]!);
    }
    return this.#page(options, all, items, at);
  }

  #slice(options: CacheListOptions<T>, limit: number): Slice<T> {
    this.#assertReady();
    const { prefix = this.prefix, after } = options;
    const start = after === undefined || after < prefix ? prefix : `${after}\0`;
    const end = prefixEnd(prefix);
    const from = options.index ? this.#index(options.index) : this.#items;
    const items = from?.slice(start, end, limit) ?? [];
    const behind = limit > 0 && items.length > 0 ? from!.count(`${items.at(-1)!.key}\0`, end) : 0;
    return { items, behind, revision: this.revision };
  }

  /** `items`: those of the slice that pass, one more than the limit if there are. */
  #page(
    { limit = 0, filter, index }: CacheListOptions<T>,
    { items: all, behind, revision }: Slice<T>,
    items: Array<CacheItem<T>>,
    fetched: number,
  ): CacheList<T> {
    const cut = filter !== undefined && limit > 0 && items.length > limit;
    if (cut) items.pop();
    this.#deps.metrics.listed(fetched, items.length, index?.name ?? '');
    if (!filter) return { items, more: behind > 0, remaining: behind, revision };
    const remaining = cut ? all.length - 1 - all.lastIndexOf(items.at(-1)!, fetched) : 0;
    return { items, more: cut, remaining, revision };
  }

  /**
   * The range as of an earlier revision, read from the store (continue tokens). The items are not kept.
   * Throws `compacted`, `futureRevision`.
   */
  async listAt(revision: number, options: Omit<CacheListOptions<T>, 'index' | 'filter'> = {}): Promise<CacheList<T>> {
    const { prefix = this.prefix, after, limit = 0 } = options;
    const start = after === undefined || after < prefix ? prefix : `${after}\0`;
    const page = await this.#deps.store.range({ start, end: prefixEnd(prefix), revision, limit });
    const items = page.kvs.map(kv => this.#item(kv.key, loose(kv.value), kv.createRevision, kv.modRevision, false));
    this.#deps.metrics.storeListed(items.length, items.length);
    return { items, more: page.more, remaining: page.count - items.length, revision };
  }

  /** The object at `key` as the store has it, for when the cache cannot be filled. It is not kept. */
  async read(key: string): Promise<CacheItem<T> | undefined> {
    const { kv } = await this.#deps.store.get(key);
    return kv ? this.#item(key, loose(kv.value), kv.createRevision, kv.modRevision, false) : undefined;
  }

  /** Registered when called. The first `next()` throws `compacted` when the past asked for is gone. */
  watch(options: CacheWatchOptions = {}): CacheWatch<T> {
    this.#assertReady();
    return this.#fanOut.open(this.#source, options);
  }

  /** For the watch cache: events under this prefix, ascending. No await: watches and lists rely on it. */
  apply(events: readonly StorageEvent[]): void {
    if (this.#closed) return;
    if (this.#filling) {
      for (const event of events) this.#waiting.push(event);
      return;
    }
    if (this.#filledAt === 0) return;
    // What cannot be read cannot be shown: watches end, and the next use fails as long as a read does.
    if (events.some(event => event.kv?.problem)) {
      this.reset();
      return;
    }
    for (const event of events) this.#applyOne(event);
    this.#deps.metrics.applied(events.length, events.at(-1)!.revision, this.#items.size, this.#sizeBytes);
  }

  /** For the watch cache: the stream broke; what is here may be stale. Watches end, the next use fills again. */
  reset(): void {
    this.#generation++;
    this.#fanOut.endAll();
    this.#filledAt = 0;
    this.#ring?.close();
    this.#ring = undefined;
    for (const item of this.#items.values()) item.release();
    this.#items.clear();
    this.#sizeBytes = 0;
    for (const values of this.#indexes.values()) values.clear();
  }

  /** The resource is no longer served: watches end, memory is given back. */
  close(): void {
    if (this.#closed) return;
    this.reset();
    this.#closed = true;
    this.#deps.remove(this as unknown as ResourceCache<never>);
  }

  async #fill(): Promise<void> {
    for (;;) {
      this.reset();
      const generation = this.#generation;
      this.#waiting = [];
      const revision = await this.#read().catch(error => {
        if (error instanceof StorageError && error.code === 'compacted') return undefined;
        throw error;
      });
      if (revision === undefined) continue; // compaction overtook the pages; a new read begins after it
      if (this.#closed) return this.reset();
      if (generation !== this.#generation) continue;
      const unread = this.#waiting.find(event => event.kv?.problem && event.revision > revision);
      if (unread) throw unread.kv!.problem;
      this.#filledAt = revision;
      this.#ring = new EventRing(this.#deps.rings, revision);
      this.#deps.metrics.filled(revision, this.#items.size, this.#sizeBytes);
      this.#deps.metrics.storeListed(this.#items.size, this.#items.size);
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const event of waiting) this.#applyOne(event);
      return;
    }
  }

  /** Places all that the store has, as of one revision, which is answered. The next page is read meanwhile. */
  async #read(): Promise<number> {
    const ask = (start: string, revision?: number): Promise<RangeResult> => {
      const at = revision === undefined ? {} : { revision };
      return this.#deps.store.range({ start, end: this.#end, limit: fillPage, count: false, ...at });
    };
    for (let page = await ask(this.prefix); ; ) {
      const next = page.more ? ask(`${page.kvs.at(-1)!.key}\0`, page.revision) : undefined;
      next?.catch(() => {}); // awaited below
      for (const kv of page.kvs) {
        const stored = this.#home.slabs.put(kv.value);
        this.#place(this.#item(kv.key, stored, kv.createRevision, kv.modRevision, false).hold());
      }
      if (!next) return page.revision;
      page = await next;
    }
  }

  #applyOne({ type, key, revision, kv }: StorageEvent): void {
    if (revision <= this.#filledAt) return;
    let event: CacheEvent<T>;
    if (type === 'put') {
      const stored = this.#home.slabs.put(kv!.value);
      const item = this.#item(key, stored, kv!.createRevision, revision, true).hold();
      const prev = this.#place(item) ?? null;
      event = new CacheEvent(prev ? 'modified' : 'added', revision, item, prev);
    } else {
      const prev = this.#items.delete(key);
      if (!prev) return;
      this.#unindex(prev);
      this.#sizeBytes -= prev.sizeBytes;
      event = new CacheEvent('deleted', revision, prev.at(revision), prev);
    }
    this.#ring!.push(event);
    event.prev?.release();
    this.#fanOut.dispatch(event);
  }

  /** An item with its index record; bytes that cannot be read have an empty one, and throw when decoded. */
  #item(key: string, stored: Stored, create: number, mod: number, keep: boolean): CacheItem<T> {
    const at = { key, create, mod };
    const { codec } = this.#home;
    try {
      const { bytes } = new CacheItem(this.#home, stored, at, noIndex);
      const decoded = codec.decode(bytes, mod, key);
      const item = new CacheItem(this.#home, stored, at, codec.index(decoded));
      if (keep) item.keep(decoded);
      return item;
    } catch (error) {
      this.#deps.logger.error('stored object cannot be decoded', { key, revision: mod, error });
      return new CacheItem(this.#home, stored, at, noIndex);
    }
  }

  #place(item: CacheItem<T>): CacheItem<T> | undefined {
    const prev = this.#items.set(item);
    this.#sizeBytes += item.sizeBytes - (prev?.sizeBytes ?? 0);
    for (const [name, values] of this.#indexes) {
      const value = item.fields[name] ?? '';
      const was = prev && (prev.fields[name] ?? '');
      if (prev && was !== value) this.#unindexOne(values, was!, prev.key);
      let bucket = values.get(value);
      if (!bucket) values.set(value, (bucket = new OrderedMap()));
      bucket.set(item);
    }
    return prev;
  }

  #unindex(item: CacheItem<T>): void {
    for (const [name, values] of this.#indexes) this.#unindexOne(values, item.fields[name] ?? '', item.key);
  }

  #unindexOne(values: Map<string, OrderedMap<CacheItem<T>>>, value: string, key: string): void {
    const bucket = values.get(value);
    bucket?.delete(key);
    if (bucket?.size === 0) values.delete(value);
  }

  #index({ name, value }: { readonly name: string; readonly value: string }): OrderedMap<CacheItem<T>> | undefined {
    const values = this.#indexes.get(name);
    if (!values) throw new StorageError('unavailable', `no index on ${name}`);
    return values.get(value);
  }

  /** Past events from the engine's history, as transient events. */
  async *#history(watch: CacheWatchOptions, after: number, upTo: number): AsyncGenerator<Array<CacheEvent<T>>> {
    const abort = new AbortController();
    const range =
      watch.key !== undefined
        ? { start: watch.key }
        : { start: watch.prefix ?? this.prefix, end: prefixEnd(watch.prefix ?? this.prefix) };
    const signal = watch.signal ? AbortSignal.any([watch.signal, abort.signal]) : abort.signal;
    try {
      for await (const batch of this.#deps.store.watch({ ...range, afterRevision: after, signal })) {
        yield batch.events.filter(event => event.revision <= upTo).map(event => this.#transient(event));
        if (batch.revision >= upTo) return;
      }
    } finally {
      abort.abort();
    }
  }

  #transient({ type, key, revision, kv, prev }: StorageEvent): CacheEvent<T> {
    const problem = kv?.problem ?? prev?.problem;
    if (problem) throw problem;
    const before = prev && this.#item(key, loose(prev.value), prev.createRevision, prev.modRevision, false);
    if (type === 'put') {
      const item = this.#item(key, loose(kv!.value), kv!.createRevision, revision, true);
      return new CacheEvent(before ? 'modified' : 'added', revision, item, before);
    }
    if (!before) throw new StorageError('compacted', `the state of ${key} before revision ${revision} is compacted`);
    return new CacheEvent('deleted', revision, before.at(revision), before);
  }

  #assertReady(): void {
    if (!this.ready) throw new StorageError('unavailable', `the cache of ${this.prefix} is being filled`);
  }
}
