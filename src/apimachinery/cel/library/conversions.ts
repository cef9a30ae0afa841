/**
 * Conversions between types. Upstream: cel-go common/stdlib/standard.go and ConvertToType of each type.
 */
import { fn, type Library, overload, singleton } from '../check/declarations.ts';
import { param, type Type, types } from '../check/types.ts';
import { formatDouble } from '../values/describe.ts';
import { type Duration, parseDuration, parseTimestamp, type Timestamp, timestampOfSeconds } from '../values/time.ts';
import type { Uint } from '../values/uint.ts';
import { CelError, type Value } from '../values/value.ts';
import { intOf, intOverflow, uintOf, uintOverflow } from './arithmetic.ts';

const { bool, bytes, double, duration, int, string, timestamp, uint } = types;
const identity = (value: Value): Value => value;
const same = (id: string, type: Type) => overload(id, [type], type, identity);

const badConversion = (from: Type, to: Type): CelError =>
  new CelError(`type conversion error from '${from.name}' to '${to.name}'`);

const badText = (to: Type): CelError => badConversion(string, to);

const integerPattern = /^[+-]?[0-9]+$/;

function parseInteger(text: string): Value {
  const value = integerPattern.test(text) ? intOf(BigInt(text.replace(/^\+/, ''))) : undefined;
  return typeof value === 'bigint' ? value : badText(int);
}

function parseUnsigned(text: string): Value {
  const value = /^[0-9]+$/.test(text) ? uintOf(BigInt(text)) : undefined;
  return value === undefined || value instanceof CelError ? badText(uint) : value;
}

const decimalPattern = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
const hexPattern = /^([+-]?)0x([0-9a-f]*)(?:\.([0-9a-f]*))?p([+-]?\d+)$/i;

/** Go's ParseFloat: decimals, hexadecimals with a binary exponent, underscores between digits, words. */
function parseDouble(text: string): Value {
  const word = /^([+-]?)(inf(?:inity)?|nan)$/i.exec(text);
  if (word !== null) {
    if (/nan/i.test(word[2] as string)) return word[1] === '' ? Number.NaN : badText(double);
    return word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  const plain = text.replace(/(?<=[0-9a-fx])_(?=[0-9a-f])/gi, '');
  const hex = hexPattern.exec(plain);
  const value = hex === null ? (decimalPattern.test(plain) ? Number(plain) : Number.NaN) : hexDouble(hex);
  return Number.isFinite(value) ? value : badText(double);
}

function hexDouble(match: RegExpExecArray): number {
  const [, sign, integer = '', fraction = '', exponent] = match;
  if (integer === '' && fraction === '') return Number.NaN;
  const mantissa = Number(BigInt(`0x${integer}${fraction}`));
  const value = mantissa * 2 ** (Number(exponent) - 4 * fraction.length);
  return sign === '-' ? -value : value;
}

const truths: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((word): [string, boolean] => [word, true]),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((word): [string, boolean] => [word, false]),
]);

function doubleToInt(value: number): Value {
  if (!Number.isFinite(value) || value <= -(2 ** 63) || value >= 2 ** 63) return intOverflow;
  return BigInt(Math.trunc(value));
}

function doubleToUint(value: number): Value {
  if (!Number.isFinite(value) || value < 0 || value >= 2 ** 64) return uintOverflow;
  return uintOf(BigInt(Math.trunc(value)));
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function bytesToString(value: Uint8Array): Value {
  try {
    return strictUtf8.decode(value);
  } catch {
    return new CelError('invalid UTF-8 in bytes, cannot convert to string');
  }
}

export const conversions: Library = [
  fn(
    'bool',
    same('bool_to_bool', bool),
    overload('string_to_bool', [string], bool, (text: string) => truths.get(text) ?? badText(bool)),
  ),
  fn(
    'bytes',
    same('bytes_to_bytes', bytes),
    overload('string_to_bytes', [string], bytes, (text: string) => new TextEncoder().encode(text)),
  ),
  fn(
    'double',
    same('double_to_double', double),
    overload('int64_to_double', [int], double, Number),
    overload('string_to_double', [string], double, parseDouble),
    overload('uint64_to_double', [uint], double, (value: Uint) => Number(value.value)),
  ),
  fn(
    'duration',
    same('duration_to_duration', duration),
    overload('int64_to_duration', [int], duration, () => badConversion(int, duration)),
    overload('string_to_duration', [string], duration, (text: string) => parseDuration(text) ?? badText(duration)),
  ),
  singleton('dyn', identity, overload('to_dyn', [param('A')], types.dyn)),
  fn(
    'int',
    same('int64_to_int64', int),
    overload('double_to_int64', [double], int, doubleToInt),
    overload('duration_to_int64', [duration], int, (span: Duration) => span.nanos),
    overload('string_to_int64', [string], int, parseInteger),
    overload('timestamp_to_int64', [timestamp], int, (time: Timestamp) => time.unixSeconds),
    overload('uint64_to_int64', [uint], int, (value: Uint) => intOf(value.value)),
  ),
  fn(
    'string',
    same('string_to_string', string),
    overload('bool_to_string', [bool], string, String),
    overload('bytes_to_string', [bytes], string, bytesToString),
    overload('double_to_string', [double], string, formatDouble),
    overload('duration_to_string', [duration], string, String),
    overload('int64_to_string', [int], string, String),
    overload('timestamp_to_string', [timestamp], string, String),
    overload('uint64_to_string', [uint], string, (value: Uint) => String(value.value)),
  ),
  fn(
    'timestamp',
    same('timestamp_to_timestamp', timestamp),
    overload('int64_to_timestamp', [int], timestamp, timestampOfSeconds),
    overload('string_to_timestamp', [string], timestamp, (text: string) => parseTimestamp(text) ?? badText(timestamp)),
  ),
  fn(
    'uint',
    same('uint64_to_uint64', uint),
    overload('double_to_uint64', [double], uint, doubleToUint),
    overload('int64_to_uint64', [int], uint, uintOf),
    overload('string_to_uint64', [string], uint, parseUnsigned),
  ),
];
