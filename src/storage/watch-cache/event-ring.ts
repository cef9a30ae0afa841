/**
 * Recent events of one resource, oldest first, so that a watch can begin in the past without the store. All rings of
 * a cluster share one budget of bytes; when it is exceeded, the largest ring loses its oldest events, so a busy
 * resource costs itself its history and not its neighbours.
 */
import type { CacheEvent } from './cache-item.ts';

/** The rings of one cluster and what they may hold together. */
export class RingBudget {
  readonly #maxBytes: number;
  readonly #rings = new Set<EventRing<unknown>>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  join(ring: EventRing<never>): void {
    this.#rings.add(ring as EventRing<unknown>);
  }

  leave(ring: EventRing<never>): void {
    this.#rings.delete(ring as EventRing<unknown>);
  }

  /** Counts `delta`; above the budget, evicts a slice of the largest ring at once. */
  count(delta: number): void {
    this.#bytes += delta;
    while (this.#bytes > this.#maxBytes) {
      let largest: EventRing<unknown> | undefined;
      for (const ring of this.#rings) if (!largest || ring.bytes > largest.bytes) largest = ring;
      if (!largest || largest.bytes === 0) return;
      this.#bytes -= largest.evict(this.#maxBytes / 64);
    }
  }
}

/** See the file header. */
export class EventRing<T> {
  readonly #budget: RingBudget;
  #events: Array<CacheEvent<T> | undefined> = [];
  #head = 0;
  #bytes = 0;
  #from: number;

  /** @param from every event after this revision is going to be in the ring. */
  constructor(budget: RingBudget, from: number) {
    this.#budget = budget;
    this.#from = from;
    budget.join(this as unknown as EventRing<never>);
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#events.length - this.#head;
  }

  /** A watch may begin after any revision from here on. */
  get from(): number {
    return this.#from;
  }

  push(event: CacheEvent<T>): void {
    event.item.hold();
    event.prev?.hold();
    this.#events.push(event);
    this.#bytes += event.sizeBytes;
    this.#budget.count(event.sizeBytes);
  }

  /** Events with a greater revision, which must not be below {@link from}. */
  after(revision: number): Array<CacheEvent<T>> {
    let low = this.#head;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#events[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#events.slice(low) as Array<CacheEvent<T>>;
  }

  /** Drops whole revisions from the oldest on until `bytes` are free; answers how many became so. */
  evict(bytes: number): number {
    let freed = 0;
    while (this.#head < this.#events.length) {
      const event = this.#events[this.#head]!;
      if (freed >= bytes && event.revision > this.#from) break;
      this.#from = event.revision;
      freed += event.sizeBytes;
      this.#events[this.#head++] = undefined;
      release(event);
    }
    this.#bytes -= freed;
    if (this.#head > 1024 && this.#head * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
    return freed;
  }

  close(): void {
    for (let at = this.#head; at < this.#events.length; at++) release(this.#events[at]!);
    this.#budget.leave(this as unknown as EventRing<never>);
    this.#budget.count(-this.#bytes);
    this.#bytes = 0;
    this.#head = 0;
    this.#events = [];
  }
}

function release(event: CacheEvent<unknown>): void {
  event.item.release();
  event.prev?.release();
}
