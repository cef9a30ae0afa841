/**
 * Live watches of an embedded engine: what became durable is published once, and every open watch takes what lies in
 * its range. A watch from a past revision reads history up to the revision at which it was registered and goes on with
 * what was published since, so nothing is missed or seen twice. Upstream: etcd server/storage/mvcc/watchable_store.go.
 */
import type { StorageEvent, WatchBatch, WatchOptions } from './contract.ts';
import { compareKeys } from './ordered-map.ts';

/** What an engine lends to its watches. */
export interface HistorySource {
  /**
   * Changes in the range with `after < revision <= upTo`, by revision and in the order of their transaction. Throws
   * `compacted`.
   */
  changes(options: WatchOptions, after: number, upTo: number): AsyncIterable<readonly StorageEvent[]>;
}

interface Watcher {
  readonly options: WatchOptions;
  events: StorageEvent[];
  revision: number;
  wake: (() => void) | undefined;
}

/** See the file header. */
export class WatchHub {
  readonly #history: HistorySource;
  readonly #watchers = new Set<Watcher>();
  #revision: number;
  #closed = false;

  constructor(history: HistorySource, revision: number) {
    this.#history = history;
    this.#revision = revision;
  }

  /** Newest published revision. */
  get revision(): number {
    return this.#revision;
  }

  /** How many watches are open. */
  get size(): number {
    return this.#watchers.size;
  }

  /** Whether anyone wants previous values. */
  get wantsPrev(): boolean {
    for (const { options } of this.#watchers) if (options.prev !== false) return true;
    return false;
  }

  /** Hands on the changes of one or more whole revisions, of which `revision` is the last. */
  publish(revision: number, events: readonly StorageEvent[]): void {
    this.#revision = revision;
    for (const watcher of this.#watchers) {
      for (const event of events) if (inRange(event.key, watcher.options)) watcher.events.push(event);
      watcher.revision = revision;
      watcher.wake?.();
    }
  }

  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers) watcher.wake?.();
  }

  /** The engine's `Store.watch`. Registered when called, not at the first `next()`. */
  watch(options: WatchOptions): AsyncIterable<WatchBatch> {
    const registeredAt = this.#revision;
    const watcher: Watcher = { options, events: [], revision: registeredAt, wake: undefined };
    const onAbort = () => {
      unregister(); // now, since whoever aborted may never ask for another batch
      watcher.wake?.();
    };
    if (!this.#closed && !options.signal?.aborted) this.#watchers.add(watcher);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const unregister = () => {
      this.#watchers.delete(watcher);
      options.signal?.removeEventListener('abort', onAbort);
    };
    const batches = this.#batches(watcher, registeredAt, unregister);
    let begun = false;
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          begun = true;
          return batches.next();
        },
        return: () => {
          if (!begun) unregister();
          return batches.return(undefined);
        },
      }),
    };
  }

  async *#batches(watcher: Watcher, registeredAt: number, unregister: () => void): AsyncGenerator<WatchBatch, void> {
    const { options } = watcher;
    const after = options.afterRevision ?? registeredAt;
    try {
      if (after < registeredAt) {
        for await (const events of this.#history.changes(options, after, registeredAt)) {
          if (options.signal?.aborted) return;
          if (events.length > 0) yield { revision: events.at(-1)!.revision, events };
        }
        yield { revision: registeredAt, events: [] };
      }
      let delivered = Math.max(after, registeredAt);
      while (!this.#closed && !options.signal?.aborted) {
        if (watcher.revision <= delivered) {
          await new Promise<void>(resolve => (watcher.wake = resolve));
          watcher.wake = undefined;
          continue;
        }
        const { revision } = watcher;
        const events = after > registeredAt ? watcher.events.filter(each => each.revision > after) : watcher.events;
        watcher.events = [];
        delivered = revision;
        yield { revision, events };
      }
    } finally {
      unregister();
    }
  }
}

export function inRange(key: string, range: { readonly start: string; readonly end?: string }): boolean {
  if (range.end === undefined) return key === range.start;
  return compareKeys(key, range.start) >= 0 && compareKeys(key, range.end) < 0;
}
