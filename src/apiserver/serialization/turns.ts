/**
 * Long work in short turns: who encodes many objects lets others on this thread have theirs in between. What a turn may
 * do is told in bytes of stored objects, to which all of such work is about proportional.
 */

/** Some 0.3 to 1 ms of encoding or filtering decoded objects. */
const turnBytes = 16 * 1024;

/** Resolves when whatever else is ready has run. */
const loopTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

export class Turns {
  readonly #wait: () => Promise<void>;
  #left = turnBytes;

  /** `wait` resolves when the work may go on; left out: in the next turn of the event loop. */
  constructor(wait: () => Promise<void> = loopTurn) {
    this.#wait = wait;
  }

  /** Call after work on an object of so many stored bytes; true: await {@link next}. */
  over(sizeBytes: number): boolean {
    this.#left -= sizeBytes;
    return this.#left <= 0;
  }

  next(): Promise<void> {
    this.#left = turnBytes;
    return this.#wait();
  }
}
