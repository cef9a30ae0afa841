/**
 * A clock that moves only when told. `advance` fires one due instant, waits until the activity that it caused is
 * done, then fires the next, so an hour of timers runs in the time that their work takes.
 */
import { type Activity, noActivity } from './activity.ts';
import { type Clock, sleepOn, type Timer } from './clock.ts';

interface Due {
  atMs: number;
  seq: number;
  fn: () => void;
  periodMs: number | undefined;
  cancelled: boolean;
}

/** See the file header. Timers due at the same instant fire in the order in which they were set. */
export class SteppedClock implements Clock {
  #nowMs: number;
  #startMs: number;
  #seq = 0;
  #due: Due[] = [];
  readonly #activity: Activity;

  /** @param options `startMs`: wall time at the start (default 2026-01-01T00:00:00Z); `activity`: what to wait for. */
  constructor(options: { startMs?: number; activity?: Activity } = {}) {
    this.#startMs = this.#nowMs = options.startMs ?? Date.UTC(2026, 0, 1);
    this.#activity = options.activity ?? noActivity;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  setTimer(fn: () => void, delayMs: number): Timer {
    return this.#add(fn, delayMs, undefined);
  }

  setTicker(fn: () => void, periodMs: number): Timer {
    return this.#add(fn, periodMs, Math.max(1, periodMs));
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  /** Moves time forward by `byMs`, firing everything due on the way; resolves when its activity is done. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#nowMs + byMs;
    await this.#activity.idle();
    for (let next = this.#next(); next && next.atMs <= endMs; next = this.#next()) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#fire(this.#nowMs);
      await this.#activity.idle();
    }
    this.#nowMs = endMs;
  }

  #add(fn: () => void, delayMs: number, periodMs: number | undefined): Timer {
    const due: Due = { atMs: this.#nowMs + Math.max(0, delayMs), seq: this.#seq++, fn, periodMs, cancelled: false };
    this.#push(due);
    return {
      cancel: () => {
        due.cancelled = true;
      },
    };
  }

  #before(a: Due, b: Due): boolean {
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.seq < b.seq);
  }

  /** Binary min-heap by (atMs, seq). */
  #push(due: Due): void {
    const heap = this.#due;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!this.#before(heap[at]!, heap[up]!)) break;
      [heap[at], heap[up]] = [heap[up]!, heap[at]!];
      at = up;
    }
  }

  #pop(): Due {
    const heap = this.#due;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      for (let at = 0; ; ) {
        let down = 2 * at + 1;
        if (down >= heap.length) break;
        if (down + 1 < heap.length && this.#before(heap[down + 1]!, heap[down]!)) down++;
        if (!this.#before(heap[down]!, heap[at]!)) break;
        [heap[at], heap[down]] = [heap[down]!, heap[at]!];
        at = down;
      }
    }
    return top;
  }

  #next(): Due | undefined {
    while (this.#due[0]?.cancelled) this.#pop();
    return this.#due[0];
  }

  #fire(atMs: number): void {
    for (let next = this.#next(); next && next.atMs <= atMs; next = this.#next()) {
      this.#pop();
      if (next.periodMs !== undefined) {
        next.atMs += next.periodMs;
        next.seq = this.#seq++;
        this.#push(next);
      }
      next.fn();
    }
  }
}
