/**
 * Estimates of calls of the Kubernetes libraries and of those extensions of cel-go that have their own. They decide
 * which rules a CRD may hold. Upstream: k8s.io/apiserver pkg/cel/library/cost.go (EstimateCallCost), cel-go
 * ext/{lists,sets}.go.
 */
import { type Type, types } from '../check/types.ts';
import {
  type CallEstimate,
  type CostNode,
  type EstimateContext,
  regexFactor,
  traversalFactor,
  traversed,
} from './estimate-calls.ts';
import { estimateExtensionCall } from './estimate-extensions.ts';
import { addRanges, type CostRange, multiplyRanges, range, scaleRange, unbounded, unknownSize } from './range.ts';

/** The longest regular expression behind a named format. */
const maxFormatRegexSize = 128;
const maxFormatSize = 64;

const fixed = (cost: number): CallEstimate => ({ cost: range(cost) });

const nominal: ReadonlySet<string> = new Set([
  ...'serviceAccount path group resource subresource namespace name allowed reason error errored'.split(' '),
  ...'masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast'.split(' '),
  ...'isGlobalUnicast format.named sign asInteger isInteger asApproximateFloat isGreaterThan isLessThan'.split(' '),
  ...'compareTo add sub major minor patch getScheme getHostname getHost getPort getEscapedPath getQuery'.split(' '),
]);

type Estimate = (
  sizeOf: (node: CostNode) => CostRange,
  args: readonly CostNode[],
  target: CostNode | undefined,
  overload: string,
) => CallEstimate | undefined;

const argTraversed: Estimate = (sizeOf, [arg]) => arg && { cost: traversed(sizeOf(arg)) };

const targetTraversed: Estimate = (sizeOf, _args, target) => {
  if (target === undefined) return undefined;
  const size = sizeOf(target);
  return { cost: traversed(size), size };
};

const oneArgSized: Estimate = (sizeOf, args) => {
  const [arg] = args;
  if (arg === undefined || args.length !== 1) return undefined;
  const size = sizeOf(arg);
  return { cost: traversed(size), size };
};

const selector: Estimate = (sizeOf, args) => {
  const [arg] = args;
  if (arg === undefined || args.length !== 1) return undefined;
  const length = sizeOf(arg);
  const requirements = scaleRange(scaleRange(length, 0.5), 50);
  return { cost: addRanges(range(10), traversed(length), requirements) };
};

/** One pass over a list, comparing its elements; or over a string. */
const listPass: Estimate = (sizeOf, _args, target) => {
  if (target === undefined) return undefined;
  const element = elementOf(target);
  if (element === undefined) return { cost: traversed(sizeOf(target)) };
  const { kind } = element.type;
  const each = kind === 'string' || kind === 'bytes' ? addRanges(range(1), traversed(sizeOf(element))) : range(1);
  return { cost: multiplyRanges(sizeOf(target), each) };
};

const search: Estimate = (sizeOf, [pattern], target) => {
  if (target === undefined || pattern === undefined) return undefined;
  const size = sizeOf(target);
  const text = traversed(addRanges(size, range(1)));
  return { cost: multiplyRanges(text, scaleRange(sizeOf(pattern), regexFactor)), size: range(0, size.max) };
};

const replacement: Estimate = (sizeOf, [from, to], target) => {
  if (target === undefined || from === undefined || to === undefined) return undefined;
  const size = sizeOf(target);
  const result = replacedSize(size, sizeOf(from), sizeOf(to));
  return { cost: scaleRange(size, 2 * traversalFactor), size: result };
};

function replacedSize(size: CostRange, from: CostRange, to: CostRange): CostRange {
  let [maxCount, maxKept, minCount, minKept] = [0, 0, 0, 0];
  if (from.min === 0) {
    maxCount = size.max < unbounded ? size.max + 1 : size.max;
    maxKept = size.max;
  } else if (to.max <= from.min) maxKept = size.max;
  else maxCount = Math.ceil(size.max / from.min);
  if (from.max === 0) {
    minCount = size.min < unbounded ? size.min + 1 : size.min;
    minKept = size.min;
  } else if (from.max <= to.min) minKept = size.min;
  else minCount = Math.ceil(size.min / from.max);
  return addRanges(multiplyRanges(range(minCount, maxCount), to), range(minKept, maxKept));
}

const splitting: Estimate = (sizeOf, [, limit], target) => {
  if (target === undefined) return undefined;
  const size = sizeOf(target);
  const literal = limit?.expr?.kind === 'literal' ? limit.expr.value : undefined;
  const max = typeof literal === 'bigint' ? Number(BigInt.asUintN(64, literal)) : size.max;
  return { cost: scaleRange(size, 2 * traversalFactor), size: range(0, max) };
};

const joining: Estimate = (sizeOf, [separator], target) => {
  if (target === undefined) return undefined;
  const count = sizeOf(target);
  const element = elementOf(target);
  let size = element === undefined ? range(0) : multiplyRanges(count, sizeOf(element));
  if (separator !== undefined) {
    const separators = range(Math.max(0, count.min - 1), Math.max(0, count.max - 1));
    size = addRanges(size, multiplyRanges(sizeOf(separator), separators));
  }
  return { cost: traversed(size), size };
};

/** Addresses have 4 to 16 bytes, and two of them are compared. */
const addressComparison = scaleRange(range(8, 32), traversalFactor);

const byName: Readonly<Record<string, Estimate>> = {
  check: () => fixed(350_000),
  fieldSelector: selector,
  labelSelector: selector,
  isSorted: listPass,
  sum: listPass,
  max: listPass,
  min: listPass,
  indexOf: listPass,
  lastIndexOf: listPass,
  url: oneArgSized,
  'jsonpatch.escapeKey': oneArgSized,
  lowerAscii: targetTraversed,
  upperAscii: targetTraversed,
  substring: targetTraversed,
  trim: targetTraversed,
  replace: replacement,
  split: splitting,
  join: joining,
  find: search,
  findAll: search,
  cidr: argTraversed,
  isIP: argTraversed,
  isCIDR: argTraversed,
  ip: (sizeOf, args, target, overload) =>
    overload === 'cidr_ip' ? fixed(1) : argTraversed(sizeOf, args, target, overload),
  'ip.isCanonical': (sizeOf, [arg]) => arg && { cost: scaleRange(sizeOf(arg), 2 * traversalFactor) },
  containsIP: (sizeOf, [arg], _target, overload) => {
    if (arg === undefined) return undefined;
    const parsing = overload === 'cidr_contains_ip_string' ? traversed(sizeOf(arg)) : range(0);
    return { cost: addRanges(addressComparison, parsing) };
  },
  containsCIDR: (sizeOf, [arg], _target, overload) => {
    if (arg === undefined) return undefined;
    const masking = addRanges(scaleRange(range(4, 16), traversalFactor), range(1));
    const parsing = overload === 'cidr_contains_cidr_string' ? traversed(sizeOf(arg)) : range(0);
    return { cost: addRanges(addressComparison, masking, parsing) };
  },
  quantity: argTraversed,
  isQuantity: argTraversed,
  semver: argTraversed,
  isSemver: argTraversed,
  validate: (sizeOf, [arg]) => arg && { cost: scaleRange(traversed(sizeOf(arg)), maxFormatRegexSize * regexFactor) },
  '_==_': (_sizeOf, [left, right]) => left && right && libraryEquality(left, right),
};

const constantEquality: ReadonlySet<string> = new Set([
  'net.IP',
  'net.CIDR',
  'kubernetes.Quantity',
  'kubernetes.Semver',
  'kubernetes.authorization.Authorizer',
  'kubernetes.authorization.PathCheck',
  'kubernetes.authorization.GroupCheck',
  'kubernetes.authorization.ResourceCheck',
  'kubernetes.authorization.Decision',
]);

/** Equality of values of library types; undefined for all others. */
function libraryEquality(left: CostNode, right: CostNode): CallEstimate | undefined {
  const { name } = left.type;
  if (name !== right.type.name) return undefined;
  if (constantEquality.has(name)) return fixed(1);
  if (name === 'kubernetes.NamedFormat') return { cost: scaleRange(range(1, maxFormatSize), traversalFactor) };
  if (name !== 'kubernetes.URL') return undefined;
  const max = right.size?.max ?? 1;
  return { cost: scaleRange(range(1, max), traversalFactor) };
}

/** The elements of a list as an operand; undefined if it is no list. */
function elementOf(list: CostNode): CostNode | undefined {
  const [type] = list.type.params as [Type | undefined];
  if (type === undefined) return undefined;
  const path = list.path.length === 0 ? [] : [...list.path, '@items'];
  return { path, type: type ?? types.dyn, expr: undefined, size: undefined };
}

/** The estimate of a call; undefined leaves it to the standard ones. */
export function estimateKubernetesCall(
  context: EstimateContext,
  name: string,
  overload: string,
  target: CostNode | undefined,
  args: readonly CostNode[],
): CallEstimate | undefined {
  const sizeOf = (node: CostNode): CostRange => node.size ?? context.size(node.path) ?? unknownSize;
  const extension = estimateExtensionCall(overload, target, args);
  if (extension !== undefined) return extension;
  if (nominal.has(name)) return fixed(1);
  return Object.hasOwn(byName, name) ? byName[name]?.(sizeOf, args, target, overload) : undefined;
}
