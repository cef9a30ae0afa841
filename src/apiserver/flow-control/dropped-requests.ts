/**
 * After how many seconds a refused client shall come again: doubled while a level goes on refusing, taken back second
 * by second once it does not. Upstream: apiserver pkg/util/flowcontrol/dropped_requests_tracker.go.
 */
import type { Clock } from '#base';

const maxRetryAfter = 32;

interface Second {
  readonly at: number;
  readonly count: number;
}

class LevelHistory {
  retryAfter = 1;
  #history: Second[] = [];
  #second = 0;
  #count = 0;
  #raisedAt = 0;

  record(second: number): void {
    if (this.#second === second) {
      this.#count++;
      return;
    }
    this.#remember(this.#second, this.#count);
    this.#second = second;
    this.#count = 1;
    this.#adjust(second);
  }

  #remember(at: number, count: number): void {
    const oldest = at - Math.min(2 * this.retryAfter, maxRetryAfter);
    this.#history = [...this.#history, { at, count }].filter(each => each.at >= oldest);
  }

  /** By what was refused in the last `retryAfter` seconds before this one. */
  #adjust(second: number): void {
    const { retryAfter } = this;
    let dropped = 0;
    for (const { at, count } of this.#history) if (at >= second - retryAfter && at < second) dropped += count;
    if (second - this.#raisedAt >= retryAfter && dropped >= 3 * retryAfter) {
      this.retryAfter = Math.min(retryAfter * 2, maxRetryAfter);
      this.#raisedAt = second;
    } else if (dropped < retryAfter && retryAfter > 1) this.retryAfter--;
  }
}

export class DroppedRequests {
  readonly #clock: Clock;
  readonly #levels = new Map<string, LevelHistory>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes a refusal by a level and answers the seconds to wait. */
  record(level: string): number {
    let history = this.#levels.get(level);
    if (!history) this.#levels.set(level, (history = new LevelHistory()));
    history.record(Math.floor(this.#clock.now() / 1000));
    return history.retryAfter;
  }
}
