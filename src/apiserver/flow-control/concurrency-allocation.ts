/**
 * Divides a number of seats among levels in proportion to what each wants, within the bounds of each. Upstream:
 * apiserver pkg/util/flowcontrol/conc_alloc.go.
 *
 * Every level gets `fairFraction × target`, but not less than its lower bound and not more than its upper one. With
 * targets 10 and 30 of 60 seats the fraction is 1.5; if the second may have no more than 40, it gets 40, the first 20,
 * and the fraction is 2.
 */

export interface Claim {
  /** Not below `lowerBound`. */
  readonly target: number;
  readonly lowerBound: number;
  /** Not below `lowerBound`. */
  readonly upperBound: number;
}

export interface Allocation {
  /** In the order of the claims; they sum to what there is. */
  readonly seats: readonly number[];
  readonly fairFraction: number;
}

const minTarget = 0.001;
const epsilon = 1e-7;

/** Throws when the bounds do not allow it. */
export function allocateConcurrency(total: number, claims: readonly Claim[]): Allocation {
  const targets = claims.map(({ target }) => Math.max(target, minTarget));
  const sum = (numbers: readonly number[]): number => numbers.reduce((left, right) => left + right, 0);
  const low = sum(claims.map(({ lowerBound }) => lowerBound));
  const high = sum(claims.map(({ upperBound }) => upperBound));
  check(total, claims, low, high);
  const lowerFractions = claims.map(({ lowerBound }, at) => lowerBound / targets[at]!);
  const upperFractions = claims.map(({ upperBound }, at) => upperBound / targets[at]!);
  if (total === 0) return { seats: claims.map(() => 0), fairFraction: 0 };
  if (low - total > -epsilon) {
    return { seats: claims.map(each => each.lowerBound), fairFraction: Math.min(...lowerFractions) };
  }
  if (total - high > -epsilon) {
    return { seats: claims.map(each => each.upperBound), fairFraction: Math.max(...upperFractions) };
  }
  const fairFraction = solve(total, targets, claims, [...lowerFractions, ...upperFractions]);
  return { seats: at(fairFraction, targets, claims), fairFraction };
}

function check(total: number, claims: readonly Claim[], low: number, high: number): void {
  if (total < 0) throw new Error('negative sums are not supported');
  claims.forEach(({ target, lowerBound, upperBound }, index) => {
    if (lowerBound < 0) throw new Error(`lower bound ${index} is ${lowerBound}, which is negative`);
    if (target < lowerBound)
      throw new Error(`target ${index} is ${target}, which is below its lower bound ${lowerBound}`);
    if (upperBound < lowerBound) {
      throw new Error(`upper bound ${index} is ${upperBound}, which is below its lower bound ${lowerBound}`);
    }
  });
  if (low - total > epsilon) throw new Error(`lower bounds sum to ${low}, more than the required sum of ${total}`);
  if (total - high > epsilon) throw new Error(`upper bounds sum to ${high}, less than the required sum of ${total}`);
}

/** What each gets at a fraction. */
function at(fraction: number, targets: readonly number[], claims: readonly Claim[]): number[] {
  return claims.map(({ lowerBound, upperBound }, index) =>
    Math.max(lowerBound, Math.min(upperBound, fraction * targets[index]!)),
  );
}

/**
 * The fraction at which the seats sum to `total`. The sum rises with the fraction in straight pieces that end where some
 * level's bound begins or ceases to matter.
 */
function solve(
  total: number,
  targets: readonly number[],
  claims: readonly Claim[],
  fractions: readonly number[],
): number {
  const sumAt = (fraction: number): number => at(fraction, targets, claims).reduce((left, right) => left + right, 0);
  const ends = [...new Set(fractions)].sort((left, right) => left - right);
  let from = ends[0]!;
  let sum = sumAt(from);
  for (const to of ends.slice(1)) {
    const next = sumAt(to);
    if (next >= total) return from + ((total - sum) * (to - from)) / (next - sum);
    from = to;
    sum = next;
  }
  return from;
}
