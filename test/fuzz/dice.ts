/** Choices of a fuzzer from one seed, so that a run can be repeated. */
import { seededRandom } from '#base';

export class Dice {
  readonly #random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** An integer from 0 to `below` - 1. */
  below(below: number): number {
    return Math.floor(this.#random.float() * below);
  }

  chance(share: number): boolean {
    return this.#random.float() < share;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
}
