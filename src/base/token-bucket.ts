/** So many at once, then so many a second. Upstream: client-go util/flowcontrol NewTokenBucketRateLimiter. */
import type { Clock } from './clock.ts';
import { LruMap } from './lru-map.ts';

export interface TokenRate {
  /** A second. */
  readonly qps: number;
  /** At once. */
  readonly burst: number;
}

export class TokenBucket {
  readonly #clock: Clock;
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor({ qps, burst }: TokenRate, clock: Clock) {
    this.#clock = clock;
    this.#perMs = qps / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = clock.monotonicMs();
  }

  /** Resolves when it is the caller's turn; turns come in the order of calls. */
  async take(): Promise<void> {
    this.#fill();
    this.#tokens -= 1;
    if (this.#tokens < 0) await this.#clock.sleep(-this.#tokens / this.#perMs);
  }

  /** Whether it is the caller's turn at once; else nothing is taken. */
  tryTake(): boolean {
    this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #fill(): void {
    const now = this.#clock.monotonicMs();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#atMs) * this.#perMs);
    this.#atMs = now;
  }
}

/** A bucket for each key; those that were not used for longest are forgotten, and so full again. */
export class KeyedTokenBuckets {
  readonly #rate: TokenRate;
  readonly #clock: Clock;
  readonly #buckets: LruMap<string, TokenBucket>;

  constructor(rate: TokenRate, clock: Clock, maxKeys: number) {
    this.#rate = rate;
    this.#clock = clock;
    this.#buckets = new LruMap(maxKeys);
  }

  /** As that of the key's bucket. */
  tryTake(key: string): boolean {
    let bucket = this.#buckets.get(key);
    if (!bucket) {
      bucket = new TokenBucket(this.#rate, this.#clock);
      this.#buckets.set(key, bucket);
    }
    return bucket.tryTake();
  }
}
