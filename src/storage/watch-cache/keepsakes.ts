/**
 * Things that can be made again (decoded objects, encoded forms), kept up to a number of bytes. Two generations: what
 * is used is young; when the young fill half of the budget, whatever was not used since the last time is dropped.
 */

/** Something that can give up what it keeps. */
export interface Keeper {
  /** Bytes that it keeps at present, estimated. */
  keptBytes: number;
  drop(): void;
}

/** See the file header. One a cluster. */
export class Keepsakes {
  readonly #halfBytes: number;
  #young = new Set<Keeper>();
  #old = new Set<Keeper>();
  #youngBytes = 0;

  constructor(maxBytes: number) {
    this.#halfBytes = maxBytes / 2;
  }

  /** Call when `keeper` begins to keep something, or is used. `addedBytes`: what it keeps more than before. */
  touch(keeper: Keeper, addedBytes = 0): void {
    keeper.keptBytes += addedBytes;
    if (this.#young.has(keeper)) this.#youngBytes += addedBytes;
    else {
      this.#old.delete(keeper);
      this.#young.add(keeper);
      this.#youngBytes += keeper.keptBytes;
    }
    if (this.#youngBytes > this.#halfBytes) this.#age();
  }

  /** Call when `keeper` is gone for good. */
  forget(keeper: Keeper): void {
    if (this.#young.delete(keeper)) this.#youngBytes -= keeper.keptBytes;
    else this.#old.delete(keeper);
  }

  #age(): void {
    for (const keeper of this.#old) {
      keeper.drop();
      keeper.keptBytes = 0;
    }
    this.#old = this.#young;
    this.#young = new Set();
    this.#youngBytes = 0;
  }
}
