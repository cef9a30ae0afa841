/**
 * Order and lookup in lists that merge. Upstream: apimachinery pkg/util/strategicpatch/patch.go
 * (normalizeElementOrder, partition…, validatePatchWithSetOrderList, sliceElementType), pkg/util/mergepatch/errors.go.
 */

import { goPrint } from '../go-print.ts';
import { InputError } from '../input-error.ts';
import { goNumberKind, isNumber } from '../json/number-text.ts';

export type JsonMap = Readonly<Record<string, unknown>>;
/** Lists hold maps, or scalars of one type. */
export type ListKind = 'map' | 'scalar';

export const isMap = (value: unknown): value is JsonMap =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Go's name of a JSON value's type. */
function goType(value: unknown): string {
  if (value === null || value === undefined) return '%!s(<nil>)';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'boolean') return 'bool';
  if (isNumber(value)) return goNumberKind(value);
  return typeof value === 'string' ? 'string' : 'map[string]interface {}';
}

/** What upstream says of a value of the wrong type. */
export function badType(expected: string, actual: unknown): InputError {
  return new InputError('patchFailed', `expected a ${expected}, but received a ${goType(actual)}`);
}

/** What upstream says of an element without its merge key. */
export function noMergeKey(item: JsonMap, key: string): InputError {
  return new InputError('patchFailed', `map: ${goPrint(item)} does not contain declared merge key: ${key}`);
}

/** The one type that the elements of all lists have. Throws when they differ, or when there are none. */
export function elementKind(lists: readonly (readonly unknown[])[]): ListKind {
  let type: string | undefined;
  for (const item of lists.flat()) {
    const current = goType(item);
    if (current === '[]interface {}' && type === undefined) {
      throw new InputError('patchRejected', 'lists of lists are not supported');
    }
    if (type !== undefined && type !== current) {
      throw new InputError('patchFailed', `list element types are not identical: ${goPrint(lists)}`);
    }
    type = current;
  }
  if (type === undefined) throw new InputError('patchFailed', 'no elements in any of the given slices');
  return type === 'map[string]interface {}' ? 'map' : 'scalar';
}

/** Index of the element whose `key` is `value`, or -1. Throws for an element that is no map. */
export function findByKey(list: readonly unknown[], key: string, value: unknown): number {
  return list.findIndex((item, i) => {
    if (!isMap(item)) throw new InputError('patchFailed', `value for key ${i} is not a map`);
    return Object.hasOwn(item, key) && item[key] === value;
  });
}

/** Splits a list into what `by` also holds and what it does not, by merge key or, without one, by value. */
export function partition(list: readonly unknown[], by: readonly unknown[], key: string): [unknown[], unknown[]] {
  const inside: unknown[] = [];
  const outside: unknown[] = [];
  for (const item of list) {
    let found: boolean;
    if (key === '') found = by.includes(item);
    else {
      if (!isMap(item)) throw badType('map[string]interface {}', item);
      if (!Object.hasOwn(item, key)) throw noMergeKey(item, key);
      found = findByKey(by, key, item[key]) >= 0;
    }
    (found ? inside : outside).push(item);
  }
  return [inside, outside];
}

function identity(item: unknown, key: string, kind: ListKind): unknown {
  if (kind !== 'map') return item;
  return isMap(item) && Object.hasOwn(item, key) ? item[key] : undefined;
}

/** Puts `list` in the order of `order`; elements that are to be deleted go last. */
function sortBy(list: readonly unknown[], order: readonly unknown[], key: string, kind: ListKind): unknown[] {
  if (kind === 'map') {
    for (const item of [...list, ...order]) {
      if (!isMap(item)) throw badType('map[string]interface {}', item);
      if (!Object.hasOwn(item, key)) throw noMergeKey(item, key);
    }
  }
  const rank = new Map<unknown, number>();
  order.forEach((item, i) => {
    const id = identity(item, key, kind);
    if (!rank.has(id)) rank.set(id, i);
  });
  const deleted = (item: unknown): boolean => kind === 'map' && (item as JsonMap)['$patch'] === 'delete';
  const at = (item: unknown): number => rank.get(identity(item, key, kind)) ?? order.length;
  const kept = list.filter(item => !deleted(item)).toSorted((a, b) => at(a) - at(b));
  return [...kept, ...list.filter(deleted)];
}

/**
 * Merges what the patch names, in the patch's order, with what only the server has, in the server's order: a server's
 * element comes before the patch's next one when it stood before it in the live list.
 */
export function normalizeElementOrder(
  patch: readonly unknown[],
  serverOnly: readonly unknown[],
  patchOrder: readonly unknown[],
  serverOrder: readonly unknown[],
  key: string,
  kind: ListKind,
): unknown[] {
  const right = sortBy(patch, patchOrder, key, kind);
  const left = sortBy(serverOnly, serverOrder, key, kind);
  const rank = new Map<unknown, number>();
  serverOrder.forEach((item, i) => {
    const id = identity(item, key, kind);
    if (!rank.has(id)) rank.set(id, i);
  });
  const out: unknown[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    const l = i < left.length ? rank.get(identity(left[i], key, kind)) : undefined;
    const r = j < right.length ? rank.get(identity(right[j], key, kind)) : undefined;
    const takeLeft = j >= right.length || (i < left.length && l !== undefined && r !== undefined && l < r);
    out.push(takeLeft ? left[i++] : right[j++]);
  }
  return out;
}

/** Makes sure that `order` holds the elements of the patch, in the same order. */
export function validateSetOrder(patch: readonly unknown[], order: readonly unknown[], key: string): void {
  if (patch.length === 0 || order.length === 0) return;
  const items =
    key === ''
      ? patch
      : patch.filter(item => {
          if (!isMap(item)) throw badType('map[string]interface {}', item);
          return item['$patch'] !== 'delete';
        });
  let at = 0;
  let orderAt = 0;
  while (at < items.length && orderAt < order.length) {
    const item = items[at];
    if (isMap(item) && Object.hasOwn(item, '$patch')) {
      at++;
      continue;
    }
    if (sameElement(item, order[orderAt], key)) at++;
    orderAt++;
  }
  if (at < items.length && orderAt >= order.length) {
    const text = `The order in patch list:\n${goPrint(patch)}\n doesn't match $setElementOrder list:\n${goPrint(order)}\n`;
    throw new InputError('patchFailed', text);
  }
}

function sameElement(a: unknown, b: unknown, key: string): boolean {
  if (key === '') return a === b;
  for (const item of [a, b]) {
    if (!isMap(item)) throw badType('map[string]interface {}', item);
    if (!Object.hasOwn(item, key)) throw noMergeKey(item, key);
  }
  return (a as JsonMap)[key] === (b as JsonMap)[key];
}
