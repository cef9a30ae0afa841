/**
 * `"%d of %s".format([1, "x"])`, and the check of its literals when compiling. Upstream: cel-go ext/formatting.go,
 * locale en_US.
 */
import { goQuote } from '../../field.ts';
import type { Type } from '../check/types.ts';
import { formatDouble } from '../values/describe.ts';
import { Duration, Timestamp } from '../values/time.ts';
import { Uint } from '../values/uint.ts';
import { CelError, ListValue, MapValue, typeOfValue, type Value } from '../values/value.ts';

/** What is wrong with a format or its arguments. */
export class FormatError extends Error {}

/** One clause: its letter and, after a point, its precision. */
export interface Clause {
  readonly verb: string;
  readonly precision: number;
}

const defaultPrecision = 6;

/**
 * Walks over a format: `write` gets the text between clauses, `clause` each clause with the number of its argument.
 * Throws a FormatError.
 */
export function walkFormat(
  format: string,
  size: number,
  write: (text: string) => void,
  clause: (clause: Clause, index: number) => void,
): void {
  let index = 0;
  let at = 0;
  while (at < format.length) {
    const percent = format.indexOf('%', at);
    if (percent < 0) break;
    write(format.slice(at, percent));
    if (format[percent + 1] === '%') {
      write('%');
      at = percent + 2;
      continue;
    }
    if (index >= size) throw new FormatError(`index ${index} out of range`);
    if (percent + 1 >= format.length) throw new FormatError('unexpected end of string');
    const read = readClause(format, percent + 1);
    clause(read.clause, index++);
    at = read.end;
  }
  write(format.slice(at));
}

function readClause(format: string, start: number): { clause: Clause; end: number } {
  let at = start;
  let precision = defaultPrecision;
  const failed = (why: string): FormatError => new FormatError(`could not parse formatting clause: ${why}`);
  if (format[at] === '.') {
    const digits = /[0-9]*/y;
    digits.lastIndex = at + 1;
    const written = digits.exec(format)?.[0] ?? '';
    at += 1 + written.length;
    if (at >= format.length) throw failed('error while parsing precision: could not find end of precision specifier');
    if (written === '' || BigInt(written) >= 2n ** 63n) {
      const reason = `strconv.Atoi: parsing "${written}": ${written === '' ? 'invalid syntax' : 'value out of range'}`;
      throw failed(`error while parsing precision: error while converting precision to integer: ${reason}`);
    }
    precision = Number(written);
  }
  const verb = String.fromCodePoint(format.codePointAt(at) as number);
  if (!'sdfebxXo'.includes(verb)) throw failed(`unrecognized formatting clause "${verb}"`);
  return { clause: { verb, precision }, end: at + verb.length };
}

/** Why an argument of a type cannot stand for a clause. */
export function clauseFault(verb: string, type: Type): string {
  const { name } = type;
  switch (verb) {
    case 'd':
      return `decimal clause can only be used on integers, was given ${name}`;
    case 'f':
      return `fixed-point clause can only be used on doubles, was given ${name}`;
    case 'e':
      return `scientific clause can only be used on doubles, was given ${name}`;
    case 'b':
      return `only integers and bools can be formatted as binary, was given ${name}`;
    case 'o':
      return `octal clause can only be used on integers, was given ${name}`;
    case 's':
      return (
        'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and ' +
        `timestamps, was given ${name}`
      );
    default:
      return `only integers, byte buffers, and strings can be formatted as hex, was given ${name}`;
  }
}

/** The formatted text, or an error. */
export function formatString(format: string, args: ListValue): Value {
  let result = '';
  try {
    walkFormat(
      format,
      args.size,
      text => {
        result += text;
      },
      (clause, index) => {
        result += formatArgument(clause, args.at(index));
      },
    );
  } catch (error) {
    if (error instanceof FormatError) return new CelError(error.message);
    throw error;
  }
  return result;
}

function formatArgument(clause: Clause, value: Value): string {
  if (value instanceof CelError) throw new FormatError(value.message);
  const text = formatted(clause, value);
  if (text === undefined) {
    throw new FormatError(`error during formatting: ${clauseFault(clause.verb, typeOfValue(value))}`);
  }
  return text;
}

function formatted({ verb, precision }: Clause, value: Value): string | undefined {
  const whole = value instanceof Uint ? value.value : value;
  switch (verb) {
    case 's':
      return asText(value);
    case 'd':
      return typeof whole === 'bigint' ? String(whole) : undefined;
    case 'f':
    case 'e':
      return decimal(verb, precision, value);
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0';
      return typeof whole === 'bigint' ? whole.toString(2) : undefined;
    case 'o':
      return typeof whole === 'bigint' ? whole.toString(8) : undefined;
    default: {
      const text = hexadecimal(value, whole);
      return verb === 'X' ? text?.toUpperCase() : text;
    }
  }
}

function hexadecimal(value: Value, whole: Value): string | undefined {
  if (typeof whole === 'bigint') return whole.toString(16);
  if (typeof value === 'string') return Buffer.from(value).toString('hex');
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : undefined;
}

const special: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/**
 * %f with thousands set apart by commas, %e as 1.5×10⁰³: as the locale writes them. Upstream takes the precision of %e
 * for its least width.
 */
function decimal(verb: 'f' | 'e', precision: number, value: Value): string | undefined {
  const number = typeof value === 'string' ? special.get(value) : value;
  if (typeof number !== 'number') return undefined;
  if (precision > maxPrecision) return '%!(NOVERB)';
  if (verb === 'e') return scientific(number).padStart(precision, ' ');
  if (!Number.isFinite(number)) return notFinite(number);
  const digits = Math.min(precision, allDigits);
  const [integer, fraction] = exactFixed(number, digits).split('.') as [string, string?];
  const grouped = integer.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}${'0'.repeat(precision - digits)}`;
}

const maxPrecision = 1_000_000;
/** No double has more behind its point. */
const allDigits = 1074;

const notFinite = (number: number): string => (Number.isNaN(number) ? 'NaN' : number > 0 ? '∞' : '-∞');

function scientific(number: number): string {
  if (!Number.isFinite(number)) return notFinite(number);
  const [mantissa, power] = number.toExponential(defaultPrecision).split('e') as [string, string];
  const exponent = Number(power);
  const size = superscript(String(Math.abs(exponent)).padStart(2, '0'));
  return `${mantissa}×10${exponent < 0 ? '⁻' : ''}${size}`;
}

const superscript = (digits: string): string => digits.replace(/\d/g, digit => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)] as string);

/** A finite number with so many digits after its point, rounded from all that it has: halves to the even digit. */
function exactFixed(value: number, digits: number): string {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(value));
  const raw = bits.getBigUint64(0);
  const biased = Number(raw >> 52n);
  const mantissa = (raw & ((1n << 52n) - 1n)) | (biased === 0 ? 0n : 1n << 52n);
  const exponent = Math.max(biased, 1) - 1075;
  const scaled = mantissa * 10n ** BigInt(digits);
  const shown = exponent >= 0 ? scaled << BigInt(exponent) : halfEven(scaled, 1n << BigInt(-exponent));
  const text = String(shown).padStart(digits + 1, '0');
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  return digits === 0 ? sign + text : `${sign}${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

function halfEven(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  const twice = (value % divisor) * 2n;
  return twice > divisor || (twice === divisor && quotient % 2n === 1n) ? quotient + 1n : quotient;
}

/** %s; undefined for what has no text. */
function asText(value: Value): string | undefined {
  if (value === null) return 'null';
  if (typeof value === 'number') return formatDouble(value);
  if (typeof value === 'string') return value;
  if (typeof value !== 'object') return String(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (value instanceof Duration || value instanceof Timestamp) return value.toString();
  if (value instanceof ListValue) return `[${[...value].map(nested).join(', ')}]`;
  if (value instanceof MapValue) return mapText(value);
  return 'kind' in value ? value.name : undefined;
}

function mapText(map: MapValue): string {
  const entries = [...map.keys()].map(key => [keyText(key), nested(map.find(key) as Value)] as const);
  entries.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
  return `{${entries.map(([key, value]) => `${key}:${value}`).join(', ')}}`;
}

function keyText(key: Value): string {
  const isKey = typeof key === 'string' || typeof key === 'boolean' || typeof key === 'bigint' || key instanceof Uint;
  if (isKey) return nested(key);
  const { name } = typeOfValue(key);
  throw new FormatError(`error during formatting: no formatting function for map key of type ${name}`);
}

/** A value inside of a list or map, as an expression would write it. */
function nested(value: Value): string {
  if (typeof value === 'string') return goQuote(value);
  if (typeof value === 'number')
    return Number.isFinite(value) ? exactFixed(value, defaultPrecision) : goQuote(formatDouble(value));
  if (value instanceof Uint8Array) return `b${goQuote(Buffer.from(value).toString('utf8'))}`;
  if (value instanceof Timestamp) return `timestamp(${goQuote(value.toString())})`;
  if (value instanceof Duration) return `duration(${goQuote(value.toString())})`;
  const text = asText(value);
  if (text === undefined)
    throw new FormatError(`error during formatting: no formatting function for ${typeOfValue(value).name}`);
  return text;
}
