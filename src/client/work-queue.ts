/**
 * A queue of keys for a controller: a key waits at most once, is worked on by at most one worker, and comes back later
 * when it failed. Upstream: client-go util/workqueue.
 *
 * Worked example: add('a'), add('a') → one 'a'. While a worker has it, add('a') marks it dirty; done('a') puts it back.
 */
import { type Activity, type Clock, Fifo, type Timer } from '#base';
import type { QueueMetrics } from './metrics.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly activity: Activity;
  /** First delay after a failure; doubles up to `maxDelayMs`. Upstream's default limiter: 5 ms to 1000 s. */
  readonly baseDelayMs?: number;
  readonly maxDelayMs?: number;
  readonly metrics?: QueueMetrics | undefined;
}

export interface WorkQueue {
  add(key: string): void;
  addAfter(key: string, delayMs: number): void;
  /** Adds after a delay that doubles with each failure since `forget`. */
  addRateLimited(key: string): void;
  /** Ends the key's history of failures. */
  forget(key: string): void;
  /** Times that the key was rate limited since it was last forgotten. */
  failures(key: string): number;
  /** The next key; undefined when the queue was closed. Every key taken must be given back with `done`. */
  take(): Promise<string | undefined>;
  done(key: string): void;
  readonly length: number;
  /** Drops what waits and lets all takers go. */
  close(): void;
}

/** See the file header. */
export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { clock, activity, baseDelayMs = 5, maxDelayMs = 1_000_000, metrics } = options;
  const ready = new Fifo<string>();
  const dirty = new Set<string>();
  const working = new Map<string, () => void>();
  const delayed = new Map<string, { timer: Timer; atMs: number }>();
  const failed = new Map<string, number>();
  const pendingEnds = new Map<string, () => void>();
  const takers: Array<(key: string | undefined) => void> = [];
  let closed = false;

  const hand = (key: string, taker: (key: string | undefined) => void): void => {
    dirty.delete(key);
    metrics?.taken(key);
    working.set(key, pendingEnds.get(key) ?? activity.begin());
    pendingEnds.delete(key);
    taker(key);
  };
  const offer = (key: string): void => {
    const taker = takers.shift();
    if (taker) hand(key, taker);
    else ready.push(key);
  };
  const add = (key: string): void => {
    if (closed || dirty.has(key)) return;
    dirty.add(key);
    metrics?.added(key);
    if (working.has(key)) return;
    pendingEnds.set(key, activity.begin());
    offer(key);
  };
  const addAfter = (key: string, delayMs: number): void => {
    if (closed) return;
    if (delayMs <= 0) {
      add(key);
      return;
    }
    const atMs = clock.monotonicMs() + delayMs;
    const known = delayed.get(key);
    if (known && known.atMs <= atMs) return;
    known?.timer.cancel();
    const timer = clock.setTimer(() => {
      delayed.delete(key);
      add(key);
    }, delayMs);
    delayed.set(key, { timer, atMs });
  };
  return {
    add,
    addAfter,
    addRateLimited(key) {
      const count = failed.get(key) ?? 0;
      failed.set(key, count + 1);
      metrics?.retried();
      addAfter(key, Math.min(baseDelayMs * 2 ** count, maxDelayMs));
    },
    forget: key => void failed.delete(key),
    failures: key => failed.get(key) ?? 0,
    take() {
      return new Promise(resolve => {
        if (closed) return resolve(undefined);
        const key = ready.shift();
        if (key === undefined) takers.push(resolve);
        else hand(key, resolve);
      });
    },
    done(key) {
      const end = working.get(key);
      working.delete(key);
      metrics?.done(key);
      if (dirty.has(key) && !closed) {
        pendingEnds.set(key, activity.begin());
        offer(key);
      }
      end?.();
    },
    get length() {
      return ready.length;
    },
    close() {
      closed = true;
      for (const { timer } of delayed.values()) timer.cancel();
      delayed.clear();
      for (const end of pendingEnds.values()) end();
      pendingEnds.clear();
      ready.clear();
      for (const taker of takers.splice(0)) taker(undefined);
    },
  };
}
