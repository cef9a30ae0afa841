/**
 * Seats share out how much is done at once; on one thread it also matters who is next. Long answers (lists, initial
 * events) are made bit by bit, one bit of one of them a turn of the event loop, in turn; and while any short request is
 * being answered they rest, but for a fifth of the time, so that they come to an end whatever else there is. Where many
 * of them want the thread at once it is left idle for half of the time, so that what comes is seen at once, and a busy
 * machine does not take it for one that has had its share. No counterpart upstream, where threads do this.
 *
 * What a bit took is looked at when the loop comes round: by then it is not only made, but also framed, encrypted and
 * handed to the kernel, which takes longer than making it.
 */
import type { Clock, Timer } from '#base';

/** While short requests are being answered, a rest lasts so many times what the bit before it took, */
const restFactor = 4;
/** where so many long answers wait, as long as that, */
const crowd = 4;
/** and at least so long. */
const minRestMs = 1;
/** More than a bit takes: what took longer was other work of the same turn, or none. */
const maxBitMs = 10;
/** Bits that may be done without letting the event loop turn. */
const maxInARow = 3;

export class BulkTurns {
  readonly #clock: Clock;
  readonly #waiting: Array<() => void> = [];
  #shortRequests = 0;
  #scheduled = false;
  #rest: Timer | undefined;
  /** When the bit of this turn of the loop began. */
  #beganMs: number | undefined;
  #inARow = 0;
  /** When the last bit ended, and what it took. */
  #endedMs = Number.NEGATIVE_INFINITY;
  #tookMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A short request is being answered, until {@link shortEnded}. */
  shortBegan(): void {
    this.#shortRequests++;
  }

  shortEnded(): void {
    if (--this.#shortRequests > 0) return;
    this.#rest?.cancel();
    this.#rest = undefined;
    if (this.#waiting.length > 0) this.#schedule();
  }

  /** Resolves when the caller may do a bit of long work: some milliseconds, or as much as a connection takes at once. */
  async next(): Promise<void> {
    if (this.#mayGoOn()) return;
    await new Promise<void>(resolve => {
      this.#waiting.push(resolve);
      if (!this.#rest) this.#schedule();
    });
  }

  /** Where nobody else wants the thread, some bits may follow one another. */
  #mayGoOn(): boolean {
    if (this.#waiting.length > 0 || this.#shortRequests > 0 || this.#inARow >= maxInARow) return false;
    this.#inARow++;
    this.#began(this.#clock.monotonicMs());
    return true;
  }

  #began(nowMs: number): void {
    this.#beganMs ??= nowMs;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#turned());
  }

  /** The loop has come round. */
  #turned(): void {
    this.#scheduled = false;
    this.#inARow = 0;
    const nowMs = this.#clock.monotonicMs();
    if (this.#beganMs !== undefined) {
      this.#tookMs = Math.min(nowMs - this.#beganMs, maxBitMs);
      this.#endedMs = nowMs;
      this.#beganMs = undefined;
    }
    if (this.#waiting.length === 0) return;
    const leftMs = this.#endedMs + this.#restMs() - nowMs;
    if (leftMs > 0) {
      this.#rest = this.#clock.setTimer(() => {
        this.#rest = undefined;
        this.#schedule();
      }, leftMs);
      return;
    }
    this.#began(nowMs);
    this.#waiting.shift()!();
  }

  #restMs(): number {
    const factor = this.#shortRequests > 0 ? restFactor : this.#waiting.length >= crowd ? 1 : 0;
    return factor === 0 ? 0 : Math.max(minRestMs, this.#tookMs * factor);
  }
}

/** What is sent in one turn: pieces of lists as they are, larger ones cut. */
const sliceBytes = 96 * 1024;

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
        await turns.next();
        const step = await slice();
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
