/**
 * Equality and order of values. Numbers are compared by value, whatever their types;
 * an int beside a double is one too, and loses digits beyond 2^53. Upstream: cel-go
 * common/types/{util,compare}.go and Equal and Compare of each type.
 */
import { Type } from '../check/types.ts';
import { Duration, Timestamp } from './time.ts';
import { Uint } from './uint.ts';
import {
  CelError,
  checkSize,
  ListValue,
  MapValue,
  noSuchOverload,
  ObjectValue,
  Optional,
  type Value,
} from './value.ts';

/** `left == right`; an error where one of them is, deep inside too. */
export function equal(left: Value, right: Value): boolean | CelError {
  if (left === null || right === null) return left === right;
  switch (typeof left) {
    case 'string':
    case 'boolean':
      return isErrorOr(right, left === right);
    case 'bigint':
    case 'number':
      return isErrorOr(right, numericEqual(left, right));
    default:
      return objectsEqual(left as Exclude<Value, null | string | boolean | bigint | number>, right);
  }
}

const isErrorOr = (right: Value, result: boolean): boolean | CelError => (right instanceof CelError ? right : result);

function numericEqual(left: bigint | number, right: Value): boolean {
  const other = right instanceof Uint ? right.value : right;
  if (typeof other !== 'bigint' && typeof other !== 'number') return false;
  return typeof left === typeof other ? left === other : Number(left) === Number(other);
}

function objectsEqual(
  left: Exclude<Value, null | string | boolean | bigint | number>,
  right: Value,
): boolean | CelError {
  if (left instanceof CelError) return left;
  if (right instanceof CelError) return right;
  if (left instanceof Uint) return numericEqual(left.value, right);
  if (left instanceof ListValue) return right instanceof ListValue ? listsEqual(left, right) : left.beside(right);
  if (left instanceof MapValue) return right instanceof MapValue ? mapsEqual(left, right) : left.beside(right);
  if (left instanceof Optional) return right instanceof Optional && optionalsEqual(left, right);
  if (left instanceof Uint8Array) return right instanceof Uint8Array && Buffer.compare(left, right) === 0;
  if (left instanceof Timestamp) return right instanceof Timestamp && left.nanos === right.nanos;
  if (left instanceof Duration) return right instanceof Duration && left.nanos === right.nanos;
  if (left instanceof Type) return right instanceof Type && left.name === right.name;
  const alike = right instanceof ObjectValue && left.type.name === right.type.name;
  return alike ? left.equals(right) : left.beside(right);
}

function listsEqual(left: ListValue, right: ListValue): boolean | CelError {
  const own = left.equals(right);
  if (own !== undefined) return own;
  if (left.size !== right.size) return false;
  checkSize(left);
  for (let index = 0; index < left.size; index++) {
    const same = equal(left.at(index), right.at(index));
    if (same !== true) return same;
  }
  return true;
}

function mapsEqual(left: MapValue, right: MapValue): boolean | CelError {
  const own = left.equals(right);
  if (own !== undefined) return own;
  if (left.size !== right.size) return false;
  for (const key of left.keys()) {
    const other = right.find(key);
    if (other === undefined) return false;
    const same = equal(left.find(key) as Value, other);
    if (same !== true) return same;
  }
  return true;
}

function optionalsEqual(left: Optional, right: Optional): boolean | CelError {
  if (left.value === undefined || right.value === undefined) return left.value === right.value;
  return equal(left.value, right.value);
}

/** Negative, zero or positive as `left` is before, equal to or behind `right`; an error if they have no order. */
export function compare(left: Value, right: Value): number | CelError {
  const [one, other] = [left instanceof Uint ? left.value : left, right instanceof Uint ? right.value : right];
  if (isNumeric(one) && isNumeric(other)) {
    if (Number.isNaN(one) || Number.isNaN(other)) return new CelError('NaN values cannot be ordered');
    const mixed = typeof one !== typeof other;
    const [a, b] = mixed ? [Number(one), Number(other)] : [one, other];
    return a < b ? -1 : a > b ? 1 : 0;
  }
  if (typeof left === 'string' && typeof right === 'string') return compareStrings(left, right);
  if (typeof left === 'boolean' && typeof right === 'boolean') return Number(left) - Number(right);
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right);
  const times =
    (left instanceof Timestamp && right instanceof Timestamp) ||
    (left instanceof Duration && right instanceof Duration);
  if (!times) return noSuchOverload;
  return left.nanos < right.nanos ? -1 : left.nanos > right.nanos ? 1 : 0;
}

const isNumeric = (value: unknown): value is bigint | number => typeof value === 'bigint' || typeof value === 'number';

/** Whether values of this sort have an order at all. Upstream: traits.Comparer. */
export function isOrdered(value: Value): boolean {
  if (value instanceof Uint || value instanceof Uint8Array) return true;
  return isNumeric(value) || typeof value === 'string' || typeof value === 'boolean' || isTime(value);
}

const isTime = (value: Value): boolean => value instanceof Timestamp || value instanceof Duration;

/** Strings by code points, which differs from the order of UTF-16 units beyond U+FFFF. */
function compareStrings(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const [one, other] = [left.charCodeAt(at), right.charCodeAt(at)];
    if (one === other) continue;
    const surrogates = one >= 0xd800 && other >= 0xd800 && one >= 0xe000 !== other >= 0xe000;
    return surrogates ? other - one : one - other;
  }
  return left.length - right.length;
}
