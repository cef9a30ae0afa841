/**
 * What a call costs when it runs. Upstream: cel-go interpreter/runtimecost.go (costCall), k8s.io/apiserver
 * pkg/cel/library/cost.go (CallCost), cel-go ext/lists.go and ext/sets.go (trackers).
 */
import type { Frame } from '../interpreter/frame.ts';
import { FormatValue } from '../library/format-value.ts';
import { codePoints } from '../syntax/source.ts';
import { ListValue, MapValue, ObjectValue, Optional, type Value } from '../values/value.ts';

/** The cost of a call whose arguments are known; the result too, except where it is charged for beforehand. */
export type CallCost = (frame: Frame, args: readonly Value[], result?: Value) => number;

/** Characters of a string, elements of a list, bytes; everything else counts as one. */
export function sizeOf(value: Value | undefined): number {
  if (typeof value === 'string') return codePoints(value);
  if (value instanceof ListValue || value instanceof MapValue) return value.size;
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof ObjectValue) return value.costSize ?? 1;
  return 1;
}

/** As cel-go's own size, which looks into optionals. */
function deepSize(value: Value | undefined): number {
  if (value instanceof Optional) return value.value === undefined ? 1 : deepSize(value.value);
  return sizeOf(value);
}

const traversal = (size: number): number => Math.ceil(size * 0.1);

/** One step a part of a value, a tenth a byte of strings. */
function traversalCost(value: Value): number {
  if (typeof value === 'string') return Math.floor(Buffer.byteLength(value) * 0.1);
  if (value instanceof Uint8Array) return Math.floor(value.length * 0.1);
  if (value instanceof ListValue) {
    let cost = 0;
    for (const item of value) cost += traversalCost(item);
    return cost;
  }
  if (!(value instanceof MapValue)) return 1;
  let cost = 0;
  for (const key of value.keys()) cost += traversalCost(key) + traversalCost(value.find(key) as Value);
  return cost;
}

const one: CallCost = () => 1;
const firstTraversed: CallCost = (_frame, [value]) => traversal(sizeOf(value));
const firstTraversedTwice: CallCost = (_frame, [value]) => Math.ceil(sizeOf(value) * 2 * 0.1);
const everyPart: CallCost = (_frame, [value]) => traversalCost(value as Value);
const regexSearch: CallCost = (_frame, [text, pattern]) =>
  Math.ceil((1 + sizeOf(text)) * 0.1) * Math.ceil(sizeOf(pattern) * 0.25);

const smaller: CallCost = (_frame, [left, right]) => traversal(Math.min(deepSize(left), deepSize(right)));

/** Equality: library values at 1, the rest by the smaller side. */
const equality: CallCost = (frame, args) => (args[0] instanceof ObjectValue ? 1 : smaller(frame, args));

/** Costs by overload: cel-go's own. */
const byOverload: Readonly<Record<string, CallCost>> = {
  equals: equality,
  starts_with_string: (_frame, [text]) => traversal(deepSize(text)),
  ends_with_string: (_frame, [text]) => traversal(deepSize(text)),
  string_to_bytes: (_frame, [text]) => traversal(deepSize(text)),
  bytes_to_string: (_frame, [text]) => traversal(deepSize(text)),
  strings_quote: (_frame, [text]) => traversal(deepSize(text)),
  string_format: (_frame, [text]) => traversal(deepSize(text)),
  in_list: (_frame, [, list]) => deepSize(list),
  add_string: (_frame, [left, right]) => traversal(deepSize(left) + deepSize(right)),
  add_bytes: (_frame, [left, right]) => traversal(deepSize(left) + deepSize(right)),
  matches_string: (_frame, [text, pattern]) =>
    Math.ceil((1 + deepSize(text)) * 0.1) * Math.ceil(deepSize(pattern) * 0.25),
  contains_string: (_frame, [text, part]) => traversal(deepSize(text)) * traversal(deepSize(part)),
  ...Object.fromEntries(
    ['less', 'less_equals', 'greater', 'greater_equals'].flatMap(name => [
      [`${name}_string`, smaller],
      [`${name}_bytes`, smaller],
    ]),
  ),
};

const allocating = (factor: number, size: number): number => Math.floor(size * factor) + 11;

/** Each element compared with each; strings cost more. */
function selfCompared(list: Value | undefined): number {
  const size = sizeOf(list);
  const first = list instanceof ListValue && size > 0 ? list.at(0) : undefined;
  const factor = typeof first === 'string' || first instanceof Uint8Array ? 2.1 : 2;
  return allocating(factor, size * size);
}

const setComparison =
  (factor: number): CallCost =>
  (_frame, [left, right]) =>
    1 + Math.floor(sizeOf(left) * sizeOf(right) * factor);

/** Costs of overloads of cel-go's extensions; they come before everything else. */
const tracked: Readonly<Record<string, CallCost>> = {
  list_slice: (_frame, [list, start, end]) => {
    const [from, to] = [Number(start), Number(end)];
    return allocating(1, from < 0 || to < from || to > sizeOf(list) ? 1 : to - from);
  },
  lists_range: (_frame, [count]) => allocating(1, Math.max(0, Number(count))),
  list_reverse: (_frame, [list]) => allocating(1, sizeOf(list)),
  list_flatten: (_frame, [list]) => allocating(1, sizeOf(list)),
  list_flatten_int: (_frame, [list, depth]) => allocating(Number(depth), sizeOf(list)),
  list_distinct: (_frame, [list]) => selfCompared(list),
  list_sets_contains_list: setComparison(1),
  list_sets_intersects_list: setComparison(1),
  list_sets_equivalent_list: setComparison(2),
};

/** Addresses given as text are parsed first. */
const parsed: Readonly<Record<string, string>> = {
  cidr_contains_ip_string: 'containsIP',
  cidr_contains_cidr_string: 'containsCIDR',
};

/** Costs of overloads that there are for each type. */
function trackedByPattern(overload: string): CallCost | undefined {
  if (overload.endsWith('_sort')) return (_frame, [list]) => selfCompared(list);
  return overload.endsWith('_sortByAssociatedKeys') ? (_frame, [, keys]) => selfCompared(keys) : undefined;
}

/** Costs by function: those of Kubernetes. */
const byFunction: Readonly<Record<string, CallCost>> = {
  check: () => 350_000,
  validate: (_frame, [format, text]) =>
    format instanceof FormatValue ? Math.ceil((1 + sizeOf(text)) * 0.1) * Math.ceil(format.regexSize * 0.25) : 1,
  containsIP: (_frame, [cidr]) => Math.ceil(sizeOf(cidr) * 2 * 0.1),
  containsCIDR: (_frame, [cidr]) => Math.ceil(sizeOf(cidr) * 2 * 0.1) + traversal(sizeOf(cidr)) + 1,
  fieldSelector: (_frame, [, selector]) => selectorCost(sizeOf(selector)),
  labelSelector: (_frame, [, selector]) => selectorCost(sizeOf(selector)),
  ...named(['isSorted', 'sum', 'max', 'min', 'indexOf', 'lastIndexOf'], everyPart),
  ...named(['url', 'lowerAscii', 'upperAscii', 'substring', 'trim', 'jsonpatch.escapeKey'], firstTraversed),
  ...named(['replace', 'split', 'ip.isCanonical'], firstTraversedTwice),
  join: (_frame, _args, result) => Math.ceil(sizeOf(result) * 2 * 0.1),
  ...named(['find', 'findAll'], regexSearch),
  ...named(['cidr', 'isIP', 'isCIDR', 'ip'], firstTraversed),
  ...named(['quantity', 'isQuantity', 'semver', 'isSemver'], firstTraversed),
};

function named(names: readonly string[], cost: CallCost): Record<string, CallCost> {
  return Object.fromEntries(names.map(name => [name, cost]));
}

function selectorCost(length: number): number {
  return 10 + traversal(length) + Math.ceil(Math.ceil(length * 0.5) * 50);
}

/** Functions whose cost depends on their result. */
export const ownCost: ReadonlySet<string> = new Set(['join']);

/** What calls of a function cost; `overload` is empty if it is not known before the call. */
export function callCost(name: string, overload: string): CallCost {
  const special = tracked[overload] ?? trackedByPattern(overload);
  if (special !== undefined) return special;
  if (overload === 'cidr_ip') return one;
  if (overload === 'equals') return name === '_==_' ? equality : smaller;
  const parsing = parsed[overload] === undefined ? undefined : byFunction[name];
  if (parsing !== undefined) return (frame, args) => parsing(frame, args) + traversal(sizeOf(args[1]));
  const kubernetes = Object.hasOwn(byFunction, name) ? byFunction[name] : undefined;
  return kubernetes ?? byOverload[overload] ?? one;
}
