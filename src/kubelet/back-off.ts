/** Delays that double with each failure, by key. Upstream: client-go util/flowcontrol/backoff.go. */
import type { Clock } from '#base';

interface Entry {
  delayMs: number;
  updatedMs: number;
}

/** The history of a key is dropped when nothing happened for twice the longest delay. */
export class BackOff {
  readonly #entries = new Map<string, Entry>();
  readonly #clock: Clock;
  readonly #initialMs: number;
  readonly #maxMs: number;

  constructor(clock: Clock, initialMs: number, maxMs: number) {
    this.#clock = clock;
    this.#initialMs = initialMs;
    this.#maxMs = maxMs;
  }

  /** The delay in force; 0 for an unknown key. */
  delayMs(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }

  /** Takes note of a failure at `eventMs`. */
  next(key: string, eventMs: number): void {
    const entry = this.#entries.get(key);
    const fresh = !entry || eventMs - entry.updatedMs > this.#maxMs * 2;
    const delayMs = fresh ? this.#initialMs : Math.min(entry.delayMs * 2, this.#maxMs);
    this.#entries.set(key, { delayMs, updatedMs: this.#clock.now() });
  }

  /** Whether the delay, counted from `eventMs`, is not over. */
  isInBackOffSince(key: string, eventMs: number): boolean {
    const entry = this.#entries.get(key);
    if (!entry || eventMs - entry.updatedMs > this.#maxMs * 2) return false;
    return this.#clock.now() - eventMs < entry.delayMs;
  }

  /** Whether the delay, counted from the last failure noted, is not over; answers its end, or undefined. */
  endOfBackOff(key: string): number | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const endMs = entry.updatedMs + entry.delayMs;
    return this.#clock.now() < endMs ? endMs : undefined;
  }

  /** Forgets keys that begin with `prefix`. */
  forget(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
  }
}
