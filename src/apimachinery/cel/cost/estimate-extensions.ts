/**
 * Estimates of cel-go's lists and sets extensions. Upstream: cel-go ext/{lists,sets}.go.
 */
import type { CallEstimate, CostNode } from './estimate-calls.ts';
import { sizeOr } from './estimate-calls.ts';
import { addRanges, type CostRange, multiplyRanges, range, scaleRange, unbounded } from './range.ts';

/** An int literal, at least 0; the default for anything else. */
function intLiteral(node: CostNode, otherwise: number): number {
  const value = node.expr?.kind === 'literal' ? node.expr.value : undefined;
  return typeof value === 'bigint' ? Math.max(0, Number(value)) : otherwise;
}

/** A call that makes a list: by its size, and the cost of a list. */
const allocating = (factor: number, size: CostRange): CallEstimate => ({
  cost: addRanges(scaleRange(size, factor), range(11)),
  size,
});

/** Each element compared with each; strings cost more. */
function selfComparing(factor: number, list: CostNode): CallEstimate {
  const size = sizeOr(list);
  return allocating(factor, multiplyRanges(size, size));
}

const sortFactor = (overload: string): number => (/^list_(?:string|bytes)_/.test(overload) ? 2.1 : 2);

/** The estimate of a call by its overload; undefined for functions of other libraries. */
export function estimateExtensionCall(
  overload: string,
  target: CostNode | undefined,
  args: readonly CostNode[],
): CallEstimate | undefined {
  const [first, second] = args;
  switch (overload) {
    case 'list_slice': {
      const [start, end] = [intLiteral(first as CostNode, 0), intLiteral(second as CostNode, sizeOr(target).max)];
      return allocating(1, range(end < start ? unbounded : end - start));
    }
    case 'lists_range':
      return allocating(1, range(intLiteral(first as CostNode, unbounded)));
    case 'list_reverse':
      return allocating(1, sizeOr(target));
    case 'list_flatten':
    case 'list_flatten_int':
      return allocating(first === undefined ? 1 : intLiteral(first, unbounded), sizeOr(target));
    case 'list_distinct':
      return selfComparing(2, target as CostNode);
    case 'list_sets_contains_list':
    case 'list_sets_intersects_list':
    case 'list_sets_equivalent_list': {
      const compared = multiplyRanges(sizeOr(first), sizeOr(second));
      return { cost: addRanges(scaleRange(compared, overload.includes('equivalent') ? 2 : 1), range(1)) };
    }
    default:
      if (overload.endsWith('_sort')) return selfComparing(sortFactor(overload), target as CostNode);
      if (!overload.endsWith('_sortByAssociatedKeys')) return undefined;
      return selfComparing(sortFactor(overload), first as CostNode);
  }
}
