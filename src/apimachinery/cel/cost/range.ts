/**
 * Ranges of sizes and costs, saturating where 64 bits end. Upstream: cel-go checker/cost.go (SizeEstimate,
 * CostEstimate).
 */

/** The least and the most; `unbounded` is as much as can be. */
export interface CostRange {
  readonly min: number;
  readonly max: number;
}

/** The greatest cost: where 64 bits end. */
export const unbounded: number = 2 ** 64;

const saturate = (value: number): number => Math.min(value, unbounded);

export const range = (min: number, max: number = min): CostRange => ({ min, max });
export const zero: CostRange = range(0);
export const unknownSize: CostRange = range(0, unbounded);

export const addRanges = (...ranges: readonly CostRange[]): CostRange =>
  ranges.reduce((sum, one) => range(saturate(sum.min + one.min), saturate(sum.max + one.max)), zero);

export const multiplyRanges = (left: CostRange, right: CostRange): CostRange =>
  range(saturate(left.min * right.min), saturate(left.max * right.max));

/** Each bound times a factor, rounded up. */
export const scaleRange = (one: CostRange, factor: number): CostRange =>
  range(saturate(Math.ceil(one.min * factor)), saturate(Math.ceil(one.max * factor)));

export const unite = (left: CostRange, right: CostRange): CostRange =>
  range(Math.min(left.min, right.min), Math.max(left.max, right.max));
