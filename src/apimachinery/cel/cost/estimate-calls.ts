/**
 * Estimates of calls of the standard functions. Upstream: cel-go checker/cost.go (functionCost).
 */
import type { Type } from '../check/types.ts';
import type { Expr } from '../syntax/ast.ts';
import { addRanges, type CostRange, multiplyRanges, range, scaleRange, unbounded, unknownSize } from './range.ts';

/** An operand of a call, as far as estimates look at it. */
export interface CostNode {
  readonly path: readonly string[];
  readonly type: Type;
  /** Undefined for elements that stand nowhere in the text. */
  readonly expr: Expr | undefined;
  readonly size: CostRange | undefined;
}

/** What a call costs without its operands, and how large its result is. */
export interface CallEstimate {
  readonly cost: CostRange;
  readonly size?: CostRange | undefined;
}

/** What estimates of calls may ask. */
export interface EstimateContext {
  /** How large the value under a path can be. */
  size(path: readonly string[] | undefined): CostRange | undefined;
}

export const traversalFactor = 0.1;
export const regexFactor = 0.25;

export const sizeOr = (node: CostNode | undefined): CostRange => node?.size ?? unknownSize;

export const traversed = (size: CostRange): CostRange => scaleRange(size, traversalFactor);

const comparisons = /^(?:(?:less|less_equals|greater|greater_equals)_(?:string|bytes)|equals|not_equals)$/;

/** The cost of an overload: by the sizes of strings and lists, else 1. */
export function defaultCallCost(
  overload: string,
  target: CostNode | undefined,
  args: readonly CostNode[],
): CallEstimate {
  const [first, second] = args;
  const left = sizeOr(first);
  const right = sizeOr(second);
  switch (overload) {
    case 'string_format':
      return target === undefined ? { cost: range(1) } : { cost: traversed(sizeOr(target)) };
    case 'string_to_bytes':
      return { cost: traversed(left), size: range(left.min, Math.min(left.max * 4, unbounded)) };
    case 'bytes_to_string':
      return { cost: traversed(left), size: range(Math.floor(left.min / 4), left.max) };
    case 'strings_quote':
      return { cost: traversed(left), size: range(left.min + 2, Math.min(left.max * 2 + 2, unbounded)) };
    case 'starts_with_string':
    case 'ends_with_string':
      return { cost: traversed(left) };
    case 'in_list':
      return { cost: right };
    case 'matches_string': {
      const text = traversed(addRanges(sizeOr(target), range(1)));
      return { cost: multiplyRanges(text, scaleRange(left, regexFactor)) };
    }
    case 'contains_string':
      return { cost: multiplyRanges(traversed(sizeOr(target)), traversed(left)) };
    case 'add_list':
      return { cost: range(1), size: addRanges(left, right) };
    case 'add_string':
    case 'add_bytes': {
      const size = addRanges(left, right);
      return { cost: traversed(size), size };
    }
    default: {
      if (!comparisons.test(overload)) return { cost: range(1) };
      const smaller = Math.min(left.max, right.max);
      return { cost: scaleRange(range(smaller > 0 ? 1 : 0, smaller), traversalFactor) };
    }
  }
}
