/**
 * Seats share out how much is done at once; on one thread it also matters who is next. Long answers (lists, initial
 * events) are made bit by bit, one bit of one of them a turn of the event loop, in turn; and while any short request is
 * being answered they rest, but for a fifth of the time, so that they come to an end whatever else there is. No
 * counterpart upstream, where threads do this.
 */
import type { Clock, Timer } from '#base';

/** While short requests are being answered, a rest lasts so many times what the bit before it took, */
const restFactor = 4;
/** and at least so long. */
const minRestMs = 1;
/** A bit that takes longer waits for something else than this thread: others need not wait for it. */
const longBitMs = 10;
/** Bits that may be done without letting the event loop turn. */
const maxInARow = 3;

export class BulkTurns {
  readonly #clock: Clock;
  readonly #waiting: Array<() => void> = [];
  #shortRequests = 0;
  #scheduled = false;
  #rest: Timer | undefined;
  #watchdog: Timer | undefined;
  /** Counts the bits; a late end of one that was overtaken is known by it. */
  #bit = 0;
  #busy = false;
  #inARow = 0;
  #beganMs = 0;
  #endedMs = 0;
  #tookMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A short request is being answered, until {@link shortEnded}. */
  shortBegan(): void {
    this.#shortRequests++;
  }

  shortEnded(): void {
    if (--this.#shortRequests === 0) this.#schedule();
  }

  /** Does a bit of long work when it is its turn. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#mayGoOn()) {
      await new Promise<void>(resolve => {
        this.#waiting.push(resolve);
        this.#schedule();
      });
    }
    const bit = this.#bit;
    try {
      return await work();
    } finally {
      if (this.#busy && bit === this.#bit) this.#ended();
    }
  }

  /** Where nobody else wants the thread, some bits may follow one another. */
  #mayGoOn(): boolean {
    const alone = !this.#busy && this.#waiting.length === 0 && this.#shortRequests === 0;
    if (!alone || this.#inARow >= maxInARow) return false;
    this.#inARow++;
    this.#begin(this.#clock.monotonicMs());
    return true;
  }

  #begin(nowMs: number): void {
    this.#busy = true;
    this.#bit++;
    this.#beganMs = nowMs;
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    if (this.#busy) {
      this.#watchdog ??= this.#clock.setTimer(() => this.#overtake(), longBitMs);
      return;
    }
    this.#scheduled = true;
    setImmediate(() => this.#grant());
  }

  #grant(): void {
    this.#scheduled = false;
    if (this.#busy || this.#waiting.length === 0) return;
    const nowMs = this.#clock.monotonicMs();
    if (this.#shortRequests > 0) {
      const leftMs = this.#endedMs + Math.max(minRestMs, this.#tookMs * restFactor) - nowMs;
      if (leftMs > 0) {
        this.#rest ??= this.#clock.setTimer(() => {
          this.#rest = undefined;
          this.#schedule();
        }, leftMs);
        return;
      }
    }
    this.#inARow = 0;
    this.#begin(nowMs);
    this.#waiting.shift()!();
  }

  #ended(): void {
    this.#watchdog?.cancel();
    this.#watchdog = undefined;
    this.#busy = false;
    this.#endedMs = this.#clock.monotonicMs();
    this.#tookMs = Math.min(this.#endedMs - this.#beganMs, longBitMs);
    this.#schedule();
  }

  #overtake(): void {
    this.#watchdog = undefined;
    if (this.#busy && this.#clock.monotonicMs() - this.#beganMs >= longBitMs) this.#ended();
    else this.#schedule();
  }
}

/** What is written in one turn. */
const sliceBytes = 64 * 1024;

/** The same bytes, a slice a turn. `ended` is told once: when all is sent, failed, or nobody reads on. */
export function inTurns(
  chunks: AsyncIterable<Uint8Array>,
  turns: BulkTurns,
  ended: () => void,
): AsyncIterableIterator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  let rest: Uint8Array | undefined;
  const slice = async (): Promise<IteratorResult<Uint8Array>> => {
    if (!rest) {
      const step = await iterator.next();
      if (step.done) return step;
      rest = step.value;
    }
    const value = rest.subarray(0, sliceBytes);
    rest = rest.length > sliceBytes ? rest.subarray(sliceBytes) : undefined;
    return { done: false, value };
  };
  // Not a generator: `return` has to tell the end of one that nobody began to read, too.
  const own: AsyncIterableIterator<Uint8Array> = {
    async next() {
      try {
        const step = await turns.run(slice);
        if (step.done) ended();
        return step;
      } catch (error) {
        ended();
        throw error;
      }
    },
    async return() {
      ended();
      return (await iterator.return?.()) ?? { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => own,
  };
  return own;
}
