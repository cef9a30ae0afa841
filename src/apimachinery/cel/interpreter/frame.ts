/**
 * One evaluation: the variables, what it has cost so far, and when it must end. Upstream: cel-go
 * interpreter/{activation,runtimecost}.go.
 */
import { Cancelled, costExceeded } from '../values/cancelled.ts';
import type { Value } from '../values/value.ts';

/** Where variables come from; undefined for one that is not set. */
export type Lookup = (name: string) => Value | undefined;

/** How often folds look whether they are to stop: every so many steps. */
const interruptCheckFrequency = 100;

export interface FrameOptions {
  /** Evaluation ends when the cost exceeds it; unlimited if absent. */
  readonly costLimit?: number;
  /** Asked now and then in folds; true ends the evaluation. */
  readonly interrupted?: () => boolean;
}

/** The state of one evaluation. */
export class Frame {
  readonly lookup: Lookup;
  readonly costLimit: number;
  /** Variables of folds, by slot. */
  readonly slots: (Value | undefined)[] = [];
  cost = 0;
  readonly #interrupted: (() => boolean) | undefined;
  #steps = 0;

  constructor(lookup: Lookup, options: FrameOptions = {}) {
    this.lookup = lookup;
    this.costLimit = options.costLimit ?? Number.POSITIVE_INFINITY;
    this.#interrupted = options.interrupted;
  }

  /** Adds to the cost. Throws Cancelled beyond the limit. */
  charge(cost: number): void {
    this.cost += cost;
    if (this.cost > this.costLimit) throw new Cancelled(costExceeded);
  }

  /** Counts a step of a fold; whether it is to stop. */
  stopped(): boolean {
    if (this.#interrupted === undefined) return false;
    return this.#steps++ % interruptCheckFrequency === 0 && this.#interrupted();
  }
}
