/**
 * Watches of one resource: a bounded queue for each, filled synchronously when a change is applied, read at the
 * watcher's own pace. Watchers stand in buckets by what they look at (everything, a namespace, one key, one value of
 * an index), so that a change costs only those that it may concern. Upstream: storage/cacher/cacher.go.
 */
import { StorageError } from '../contract.ts';
import type { CacheEvent } from './cache-item.ts';
import { WakeTurns } from './wake-turns.ts';

export interface CacheWatchOptions {
  /** Deliver changes with a greater revision; absent: from the cache's revision on. */
  readonly afterRevision?: number;
  /** Only keys below this prefix: the resource's own, or one level deeper (a namespace). Ends in a slash. */
  readonly prefix?: string;
  /** Only this key. */
  readonly key?: string;
  /** Only objects whose indexed field has, or had before the change, this value. */
  readonly index?: { readonly name: string; readonly value: string };
  readonly signal?: AbortSignal;
  /** The watch is closed when so many events wait. Default 10,000. */
  readonly maxQueued?: number;
  /** What its events are sent on, for watches that share it to be served together; absent: served at once. */
  readonly connection?: object;
}

export interface CacheBatch<T> {
  /** Ascending; empty for a progress mark. */
  readonly events: ReadonlyArray<CacheEvent<T>>;
  /** Everything up to and including this revision has been delivered: what a bookmark may say. */
  readonly revision: number;
}

export interface CacheWatch<T> extends AsyncIterable<CacheBatch<T>> {
  /** Asks for a batch even if nothing happened: a bookmark is due. It comes after whatever is queued. */
  requestProgress(): void;
  /** Why it ended; undefined while it runs. */
  readonly ended: 'aborted' | 'slow' | 'stopped' | undefined;
}

const defaultMaxQueued = 10_000;
const maxBatch = 500;

/** What a watch needs of its cache. */
export interface WatchSource<T> {
  readonly revision: number;
  /** Events in the past that the ring no longer has, up to `upTo`; throws `compacted`. */
  history(options: CacheWatchOptions, after: number, upTo: number): AsyncIterable<ReadonlyArray<CacheEvent<T>>>;
  /** Events after a revision from memory, or undefined when memory does not reach back that far. */
  recent(after: number): ReadonlyArray<CacheEvent<T>> | undefined;
}

/** One watch; see {@link CacheWatch}. */
export class Watcher<T> implements CacheWatch<T> {
  readonly options: CacheWatchOptions;
  readonly #source: WatchSource<T>;
  readonly #leave: (watcher: Watcher<T>) => void;
  readonly #turns: WakeTurns;
  readonly #onAbort: () => void = () => this.end('aborted');
  readonly #joinedAt: number;
  #queue: Array<CacheEvent<T>> = [];
  #ended: 'aborted' | 'slow' | 'stopped' | undefined;
  #progressDue = false;
  #wake: (() => void) | undefined;
  /** Its turn to be waked is coming. */
  #waking = false;

  constructor(
    source: WatchSource<T>,
    options: CacheWatchOptions,
    turns: WakeTurns,
    leave: (watcher: Watcher<T>) => void,
  ) {
    this.#source = source;
    this.options = options;
    this.#turns = turns;
    this.#leave = leave;
    this.#joinedAt = source.revision;
    if (options.signal?.aborted) this.#ended = 'aborted';
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get ended(): 'aborted' | 'slow' | 'stopped' | undefined {
    return this.#ended;
  }

  requestProgress(): void {
    this.#progressDue = true;
    this.#wake?.();
  }

  /** For the fan-out, which has checked the bucket but not the rest. */
  push(event: CacheEvent<T>): void {
    if (this.#ended || !concerns(event, this.options)) return;
    if (event.revision <= (this.options.afterRevision ?? 0)) return;
    const { connection, maxQueued = defaultMaxQueued } = this.options;
    if (this.#queue.push(event) > maxQueued) this.end('slow');
    else if (!connection) this.#wake?.();
    else if (this.#wake && !this.#waking) {
      this.#waking = true;
      this.#turns.add(connection, this.#awake);
    }
  }

  readonly #awake = (): void => {
    this.#waking = false;
    this.#wake?.();
  };

  end(reason: 'aborted' | 'slow' | 'stopped'): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#queue = [];
    this.#leave(this);
    this.options.signal?.removeEventListener('abort', this.#onAbort);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CacheBatch<T>, void> {
    try {
      yield* this.#past();
      while (!this.#ended) {
        const queue = this.#queue;
        if (queue.length === 0 && !this.#progressDue) {
          await new Promise<void>(resolve => (this.#wake = resolve));
          this.#wake = undefined;
          continue;
        }
        if (queue.length > maxBatch) {
          this.#queue = queue.slice(maxBatch);
          const events = queue.slice(0, maxBatch);
          yield { events, revision: before(events.at(-1)!.revision, this.#queue[0]!.revision) };
        } else {
          this.#queue = [];
          this.#progressDue = false;
          yield { events: queue, revision: Math.max(this.#source.revision, this.options.afterRevision ?? 0) };
        }
      }
    } finally {
      this.end('stopped');
    }
  }

  /** What happened after `afterRevision` and before this watch was registered. */
  async *#past(): AsyncGenerator<CacheBatch<T>, void> {
    const after = this.options.afterRevision;
    if (after === undefined || after >= this.#joinedAt) return;
    const recent = this.#source.recent(after);
    if (recent) {
      const upTo = this.#joinedAt;
      const events = recent.filter(event => event.revision <= upTo && concerns(event, this.options));
      this.#queue = [...events, ...this.#queue];
      return;
    }
    for await (const events of this.#source.history(this.options, after, this.#joinedAt)) {
      if (this.#ended) return;
      const mine = events.filter(event => concerns(event, this.options));
      if (mine.length > 0) yield { events: mine, revision: mine.at(-1)!.revision - 1 };
    }
  }
}

/** A batch that was cut inside a revision has not delivered that revision. */
function before(last: number, next: number): number {
  return last === next ? last - 1 : last;
}

function concerns<T>(event: CacheEvent<T>, { prefix, key, index }: CacheWatchOptions): boolean {
  if (key !== undefined && event.key !== key) return false;
  if (prefix !== undefined && !event.key.startsWith(prefix)) return false;
  if (!index) return true;
  return event.item.fields[index.name] === index.value || event.prev?.fields[index.name] === index.value;
}

/** The open watches of one resource, in buckets. */
export class FanOut<T> {
  readonly #prefix: string;
  readonly #indexes: readonly string[];
  readonly #onSlow: () => void;
  readonly #all = new Set<Watcher<T>>();
  readonly #byPrefix = new Map<string, Set<Watcher<T>>>();
  readonly #byKey = new Map<string, Set<Watcher<T>>>();
  readonly #byIndex = new Map<string, Map<string, Set<Watcher<T>>>>();
  readonly #turns = new WakeTurns();
  #size = 0;

  /** @param onSlow told of every watcher that is closed for being too slow. */
  constructor(prefix: string, indexes: readonly string[], onSlow: () => void) {
    this.#prefix = prefix;
    this.#onSlow = onSlow;
    this.#indexes = indexes;
    for (const name of indexes) this.#byIndex.set(name, new Map());
  }

  get size(): number {
    return this.#size;
  }

  open(source: WatchSource<T>, options: CacheWatchOptions): Watcher<T> {
    const { key, prefix, index } = options;
    let bucket = this.#all;
    let undo = (): void => {};
    const inMap = (map: Map<string, Set<Watcher<T>>>, name: string): void => {
      bucket = map.get(name) ?? new Set();
      map.set(name, bucket);
      undo = () => bucket.size === 0 && map.delete(name);
    };
    if (index && !this.#indexes.includes(index.name))
      throw new StorageError('unavailable', `no index on ${index.name}`);
    if (key !== undefined) inMap(this.#byKey, key);
    else if (index) inMap(this.#byIndex.get(index.name)!, index.value);
    else if (prefix !== undefined && prefix !== this.#prefix) inMap(this.#byPrefix, prefix);
    const watcher = new Watcher(source, options, this.#turns, leaving => {
      if (bucket.delete(leaving)) this.#size--;
      if (leaving.ended === 'slow') this.#onSlow();
      undo();
    });
    if (watcher.ended) undo();
    else {
      bucket.add(watcher);
      this.#size++;
    }
    return watcher;
  }

  /** Queues `event` for all that it concerns. */
  dispatch(event: CacheEvent<T>): void {
    for (const watcher of this.#all) watcher.push(event);
    const { key } = event;
    if (this.#byPrefix.size > 0) this.#push(this.#byPrefix.get(key.slice(0, key.lastIndexOf('/') + 1)), event);
    if (this.#byKey.size > 0) this.#push(this.#byKey.get(key), event);
    for (const [name, values] of this.#byIndex) {
      if (values.size === 0) continue;
      const now = event.item.fields[name] ?? '';
      const was = event.prev?.fields[name] ?? '';
      this.#push(values.get(now), event);
      if (was !== now) this.#push(values.get(was), event);
    }
    this.#turns.run();
  }

  /** Ends all, as the cache cannot go on without a gap. */
  endAll(): void {
    const open = [...this.#all];
    for (const map of [this.#byPrefix, this.#byKey, ...this.#byIndex.values()])
      for (const bucket of map.values()) open.push(...bucket);
    for (const watcher of open) watcher.end('stopped');
  }

  #push(bucket: Set<Watcher<T>> | undefined, event: CacheEvent<T>): void {
    if (bucket) for (const watcher of bucket) watcher.push(event);
  }
}
