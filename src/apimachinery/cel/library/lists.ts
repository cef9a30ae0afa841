/**
 * Functions of lists: those of Kubernetes, and cel-go's extension. Upstream: k8s.io/apiserver pkg/cel/library/lists.go,
 * cel-go ext/lists.go, version 3, and ext/sets.go.
 */
import { fn, type Library, method, type Overload, overload, singleton } from '../check/declarations.ts';
import { listOf, param, type Type, types } from '../check/types.ts';
import { compare, equal, isOrdered } from '../values/equality.ts';
import { Duration } from '../values/time.ts';
import { Uint } from '../values/uint.ts';
import {
  ArrayList,
  CelError,
  checkSize,
  ListValue,
  MapValue,
  noSuchOverload,
  typeOfValue,
  type Value,
} from '../values/value.ts';
import { add, unsupported } from './arithmetic.ts';

const { bool, bytes, double, duration, int, string, timestamp, uint } = types;
const comparable: readonly (readonly [name: string, type: Type])[] = [
  ['int', int],
  ['uint', uint],
  ['double', double],
  ['bool', bool],
  ['duration', duration],
  ['timestamp', timestamp],
  ['string', string],
  ['bytes', bytes],
];

const each = (make: (name: string, type: Type) => Overload): Overload[] =>
  comparable.map(([name, type]) => make(name, type));

const a = param('A');
const listOfA = listOf(a);

function isSorted(list: ListValue): Value {
  let before: Value | undefined;
  for (const item of list) {
    if (before !== undefined) {
      const order = compare(before, item);
      if (typeof order === 'number' && order > 0) return false;
    }
    before = item;
  }
  return true;
}

function sum(list: ListValue, zero: Value): Value {
  let total = zero;
  for (const item of list) {
    total = add(total, item);
    if (total instanceof CelError) return total;
  }
  return total;
}

/** The first of the least, or of the greatest, elements. */
function extreme(name: 'min' | 'max', list: ListValue): Value {
  let best: Value | undefined;
  for (const item of list) {
    if (best === undefined) best = item;
    const order = compare(best, item);
    if (typeof order === 'number' && (name === 'min' ? order > 0 : order < 0)) best = item;
  }
  return best === undefined ? new CelError(`${name} called on empty list`) : best;
}

function indexOf(list: ListValue, wanted: Value): bigint {
  let index = 0n;
  for (const item of list) {
    if (equal(item, wanted) === true) return index;
    index++;
  }
  return -1n;
}

function lastIndexOf(list: ListValue, wanted: Value): bigint {
  checkSize(list);
  for (let index = list.size - 1; index >= 0; index--) {
    if (equal(list.at(index), wanted) === true) return BigInt(index);
  }
  return -1n;
}

const summable: readonly (readonly [name: string, type: Type, zero: Value])[] = [
  ['int', int, 0n],
  ['uint', uint, new Uint(0n)],
  ['double', double, 0],
  ['duration', duration, new Duration(0n)],
];

/** The lists library of Kubernetes. */
export const listsLibrary: Library = [
  fn('isSorted', ...each((name, type) => method(`list_${name}_is_sorted_bool`, [listOf(type)], bool, isSorted))),
  fn(
    'sum',
    ...summable.map(([name, type, zero]) =>
      method(`list_${name}_sum_${name}`, [listOf(type)], type, (list: ListValue) => sum(list, zero)),
    ),
  ),
  ...(['max', 'min'] as const).map(name =>
    fn(
      name,
      ...each((of, type) =>
        method(`list_${of}_${name}_${of}`, [listOf(type)], type, (list: ListValue) => extreme(name, list)),
      ),
    ),
  ),
  fn('indexOf', method('list_a_index_of_int', [listOfA, a], int, indexOf)),
  fn('lastIndexOf', method('list_a_last_index_of_int', [listOfA, a], int, lastIndexOf)),
];

const t = param('T');
const listOfT = listOf(t);

function slice(list: ListValue, start: bigint, end: bigint): Value {
  const failed = (why: string): CelError => new CelError(`cannot slice(${start}, ${end}), ${why}`);
  if (start < 0n || end < 0n) return failed('negative indexes not supported');
  if (start > end) return failed('start index must be less than or equal to end index');
  if (end > list.size) return failed(`list is length ${list.size}`);
  const items: Value[] = [];
  for (let index = Number(start); index < end; index++) items.push(list.at(index));
  return new ArrayList(items);
}

/** Upstream takes lists whose elements are none, too, and has words of its own for what is no list. */
function flatten(list: Value, depth?: Value): Value {
  if (!(list instanceof ListValue) || (depth !== undefined && typeof depth !== 'bigint')) {
    const named = (value: Value): string => (value instanceof MapValue ? 'map(dyn, dyn)' : typeOfValue(value).name);
    return new CelError(`no such overload: ${named(list)}.flatten(${depth === undefined ? '' : named(depth)})`);
  }
  return flattened(list, depth ?? 1n);
}

function flattened(list: ListValue, depth: bigint): Value {
  if (depth < 0n) return new CelError('level must be non-negative');
  const items: Value[] = [];
  collectFlat(list, depth, items);
  return new ArrayList(items);
}

function collectFlat(list: ListValue, depth: bigint, items: Value[]): void {
  for (const item of list) {
    if (item instanceof ListValue && depth > 0n) collectFlat(item, depth - 1n, items);
    else items.push(item);
    checkSize({ size: items.length });
  }
}

function sort(list: Value): Value {
  return list instanceof ListValue ? sortBy(list, list) : unsupported('sort', list);
}

function sortByKeys(list: Value, keys: Value): Value {
  if (!(list instanceof ListValue)) return unsupported('@sortByAssociatedKeys', list);
  return keys instanceof ListValue ? sortBy(list, keys) : noSuchOverload;
}

function sortBy(list: ListValue, keys: ListValue): Value {
  if (list.size !== keys.size) {
    const sizes = `${list.size} and ${keys.size}`;
    return new CelError(
      '@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ' +
        `${sizes} elements respectively`,
    );
  }
  const pairs = [...list].map((item, index) => [keys.at(index), item] as const);
  const [first] = pairs;
  if (first === undefined) return list;
  if (!isOrdered(first[0])) return new CelError('list elements must be comparable');
  const { name } = typeOfValue(first[0]);
  if (pairs.some(([key]) => typeOfValue(key).name !== name)) {
    return new CelError('list elements must have the same type');
  }
  const order = (one: Value, other: Value): number => {
    const found = compare(one, other);
    return typeof found === 'number' ? found : 0;
  };
  return new ArrayList(pairs.sort(([one], [other]) => order(one, other)).map(([, item]) => item));
}

function range(count: bigint): Value {
  return new ArrayList(Array.from({ length: Math.max(0, Number(count)) }, (_, index) => BigInt(index)));
}

function distinct(list: ListValue): Value {
  const kept: Value[] = [];
  for (const item of list) {
    if (!kept.some(known => equal(item, known) === true)) kept.push(item);
  }
  return new ArrayList(kept);
}

/** cel-go's lists extension; its sortBy is a macro. */
export const listsExtension: Library = [
  fn('slice', method('list_slice', [listOfT, int, int], listOfT, slice)),
  singleton(
    'flatten',
    flatten,
    method('list_flatten', [listOf(listOfT)], listOfT),
    method('list_flatten_int', [listOf(types.dyn), int], listOf(types.dyn)),
  ),
  singleton(
    'sort',
    sort,
    ...comparable.map(([, type]) => method(`list_${type.name}_sort`, [listOf(type)], listOf(type))),
  ),
  singleton(
    '@sortByAssociatedKeys',
    sortByKeys,
    ...comparable.map(([, type]) => method(`list_${type.name}_sortByAssociatedKeys`, [listOfT, listOf(type)], listOfT)),
  ),
  fn('lists.range', overload('lists_range', [int], listOf(int), range)),
  fn(
    'reverse',
    method('list_reverse', [listOfT], listOfT, (list: ListValue) => new ArrayList([...list].reverse())),
  ),
  fn('distinct', method('list_distinct', [listOfT], listOfT, distinct)),
];

const holds = (list: ListValue, wanted: Value): boolean => {
  for (const item of list) if (equal(item, wanted) === true) return true;
  return false;
};

const containsAll = (list: ListValue, part: ListValue): boolean => {
  for (const item of part) if (!holds(list, item)) return false;
  return true;
};

const intersects = (list: ListValue, other: ListValue): boolean => {
  for (const item of list) if (holds(other, item)) return true;
  return false;
};

/** cel-go's sets extension. */
export const setsExtension: Library = [
  fn('sets.contains', overload('list_sets_contains_list', [listOfT, listOfT], bool, containsAll)),
  fn(
    'sets.equivalent',
    overload(
      'list_sets_equivalent_list',
      [listOfT, listOfT],
      bool,
      (one: ListValue, other: ListValue) => containsAll(one, other) && containsAll(other, one),
    ),
  ),
  fn('sets.intersects', overload('list_sets_intersects_list', [listOfT, listOfT], bool, intersects)),
];
