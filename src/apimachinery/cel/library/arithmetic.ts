/**
 * Arithmetic that finds overflows. Upstream: cel-go common/types/overflow.go and Add … Negate of each type.
 */
import { Duration, durationOf, Timestamp, timestampOf } from '../values/time.ts';
import { Uint } from '../values/uint.ts';
import { CelError, ListValue, noSuchOverload, typeOfValue, type Value } from '../values/value.ts';

export const intOverflow: CelError = new CelError('integer overflow');
export const uintOverflow: CelError = new CelError('unsigned integer overflow');
const divisionByZero: CelError = new CelError('division by zero');
const modulusByZero: CelError = new CelError('modulus by zero');

/** An int, or the error that it is none. */
export function intOf(value: bigint): bigint | CelError {
  return BigInt.asIntN(64, value) === value ? value : intOverflow;
}

/** A uint, or the error that it is none. */
export function uintOf(value: bigint): Uint | CelError {
  return BigInt.asUintN(64, value) === value ? new Uint(value) : uintOverflow;
}

/** The error of a function whose first operand cannot do it at all. */
export function unsupported(operator: string, value: Value): CelError {
  const receives = typeof value === 'string' || value instanceof Timestamp || value instanceof Duration;
  if (value instanceof CelError) return value;
  return receives ? noSuchOverload : new CelError(`no such overload: ${operator}`);
}

export function add(left: Value, right: Value): Value {
  if (typeof left === 'bigint') return typeof right === 'bigint' ? intOf(left + right) : noSuchOverload;
  if (typeof left === 'string') return typeof right === 'string' ? left + right : noSuchOverload;
  if (typeof left === 'number') return typeof right === 'number' ? left + right : noSuchOverload;
  if (left instanceof ListValue) return right instanceof ListValue ? left.concat(right) : noSuchOverload;
  if (left instanceof Uint) return right instanceof Uint ? uintOf(left.value + right.value) : noSuchOverload;
  if (left instanceof Uint8Array) {
    return right instanceof Uint8Array ? new Uint8Array(Buffer.concat([left, right])) : noSuchOverload;
  }
  if (left instanceof Duration) {
    if (right instanceof Duration) return durationOf(left.nanos + right.nanos);
    return right instanceof Timestamp ? timestampOf(right.nanos + left.nanos, right.offsetSeconds) : noSuchOverload;
  }
  if (left instanceof Timestamp) {
    return right instanceof Duration ? timestampOf(left.nanos + right.nanos, left.offsetSeconds) : noSuchOverload;
  }
  return unsupported('_+_', left);
}

export function subtract(left: Value, right: Value): Value {
  if (typeof left === 'bigint') return typeof right === 'bigint' ? intOf(left - right) : noSuchOverload;
  if (typeof left === 'number') return typeof right === 'number' ? left - right : noSuchOverload;
  if (left instanceof Uint) return right instanceof Uint ? uintOf(left.value - right.value) : noSuchOverload;
  if (left instanceof Duration) {
    return right instanceof Duration ? durationOf(left.nanos - right.nanos) : noSuchOverload;
  }
  if (left instanceof Timestamp) {
    if (right instanceof Timestamp) return durationOf(left.nanos - right.nanos);
    return right instanceof Duration ? timestampOf(left.nanos - right.nanos, left.offsetSeconds) : noSuchOverload;
  }
  return unsupported('_-_', left);
}

export function multiply(left: Value, right: Value): Value {
  if (typeof left === 'bigint') return typeof right === 'bigint' ? intOf(left * right) : noSuchOverload;
  if (typeof left === 'number') return typeof right === 'number' ? left * right : noSuchOverload;
  if (left instanceof Uint) return right instanceof Uint ? uintOf(left.value * right.value) : noSuchOverload;
  return unsupported('_*_', left);
}

export function divide(left: Value, right: Value): Value {
  if (typeof left === 'bigint') {
    if (typeof right !== 'bigint') return noSuchOverload;
    return right === 0n ? divisionByZero : intOf(left / right);
  }
  if (typeof left === 'number') return typeof right === 'number' ? left / right : noSuchOverload;
  if (left instanceof Uint) {
    if (!(right instanceof Uint)) return noSuchOverload;
    return right.value === 0n ? divisionByZero : new Uint(left.value / right.value);
  }
  return unsupported('_/_', left);
}

export function modulo(left: Value, right: Value): Value {
  if (typeof left === 'bigint') {
    if (typeof right !== 'bigint') return noSuchOverload;
    if (right === 0n) return modulusByZero;
    return left === -(2n ** 63n) && right === -1n ? intOverflow : left % right;
  }
  if (left instanceof Uint) {
    if (!(right instanceof Uint)) return noSuchOverload;
    return right.value === 0n ? modulusByZero : new Uint(left.value % right.value);
  }
  return unsupported('_%_', left);
}

export function negate(value: Value): Value {
  if (typeof value === 'bigint') return intOf(-value);
  if (typeof value === 'number') return -value;
  if (value instanceof Duration) return durationOf(-value.nanos);
  if (value instanceof CelError) return value;
  return typeOfValue(value).kind === 'bool' ? noSuchOverload : unsupported('-_', value);
}
