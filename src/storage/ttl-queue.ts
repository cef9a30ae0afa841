/**
 * Keys that end by themselves: a heap by expiry with one timer for the next. A newer put of the same key needs no
 * removal here: the engine deletes only the revision that the entry was made for.
 */
import type { Clock, Timer } from '#base';

interface Expiry {
  readonly key: string;
  readonly revision: number;
  readonly atMs: number;
}

/** See the file header. `expire` is told keys in order of expiry, and may be told of revisions long superseded. */
export class TtlQueue {
  readonly #clock: Clock;
  readonly #expire: (key: string, revision: number) => void;
  readonly #heap: Expiry[] = [];
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, expire: (key: string, revision: number) => void) {
    this.#clock = clock;
    this.#expire = expire;
  }

  /** @param atMs wall time. */
  add(key: string, revision: number, atMs: number): void {
    const heap = this.#heap;
    const entry: Expiry = { key, revision, atMs };
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (heap[up]!.atMs <= atMs) break;
      heap[at] = heap[up]!;
      heap[up] = entry;
      at = up;
    }
    this.#arm();
  }

  close(): void {
    this.#heap.length = 0;
    this.#timer?.cancel();
  }

  #arm(): void {
    const next = this.#heap[0];
    if (!next || next.atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = next.atMs;
    this.#timer = this.#clock.setTimer(() => this.#fire(), next.atMs - this.#clock.now());
  }

  #fire(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    while (this.#heap.length > 0 && this.#heap[0]!.atMs <= now) {
      const { key, revision } = this.#pop();
      this.#expire(key, revision);
    }
    this.#arm();
  }

  #pop(): Expiry {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && heap[down + 1]!.atMs < heap[down]!.atMs) down++;
      if (heap[down]!.atMs >= last.atMs) break;
      heap[at] = heap[down]!;
      at = down;
    }
    heap[at] = last;
    return top;
  }
}
