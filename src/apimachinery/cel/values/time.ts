/**
 * Timestamps and durations, exact to the nanosecond, as Go has them. Upstream: cel-go
 * common/types/{timestamp,duration,overflow}.go.
 */
import { parseGoDuration } from '../../duration.ts';
import { type Type, types } from '../check/types.ts';
import { CelError } from './value.ts';

const second = 1_000_000_000n;
const minInt64 = -(2n ** 63n);
const maxInt64 = 2n ** 63n - 1n;
/** Years 1 to 9999. */
const minUnixSeconds = -62_135_596_800n;
const maxUnixSeconds = 253_402_300_799n;

const timestampOverflow: CelError = new CelError('timestamp overflow');
const durationOverflow: CelError = new CelError('integer overflow');

/** A span of time. */
export class Duration {
  readonly type: Type = types.duration;
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }

  /** As Go's strconv writes the seconds: `3600s`, `0.001s`. */
  toString(): string {
    const seconds = Number(this.nanos / second) + Number(this.nanos % second) / 1e9;
    return `${plainDecimal(seconds)}s`;
  }
}

/** A duration, or the error that it is out of range. */
export function durationOf(nanos: bigint): Duration | CelError {
  return nanos < minInt64 || nanos > maxInt64 ? durationOverflow : new Duration(nanos);
}

/** The duration that Go's ParseDuration reads; undefined for any other text. */
export function parseDuration(text: string): Duration | undefined {
  try {
    return new Duration(parseGoDuration(text));
  } catch {
    return undefined;
  }
}

/** A point in time, with the zone in which it was written. */
export class Timestamp {
  readonly type: Type = types.timestamp;
  /** Since 1970, UTC. */
  readonly nanos: bigint;
  readonly offsetSeconds: number;

  constructor(nanos: bigint, offsetSeconds = 0) {
    this.nanos = nanos;
    this.offsetSeconds = offsetSeconds;
  }

  get unixSeconds(): bigint {
    return floorDivide(this.nanos, second);
  }

  /** RFC 3339 with as many digits as are needed. */
  toString(): string {
    const local = this.unixSeconds + BigInt(this.offsetSeconds);
    const date = new Date(Number(local) * 1000);
    const year = String(date.getUTCFullYear()).padStart(4, '0');
    const rest = date
      .toISOString()
      .replace(/^[+-]?\d+/, '')
      .slice(0, 15);
    const nanos = String(this.nanos - this.unixSeconds * second)
      .padStart(9, '0')
      .replace(/0+$/, '');
    return `${year}${rest}${nanos === '' ? '' : `.${nanos}`}${zoneText(this.offsetSeconds)}`;
  }
}

function zoneText(offsetSeconds: number): string {
  if (offsetSeconds === 0) return 'Z';
  const minutes = Math.trunc(Math.abs(offsetSeconds) / 60);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${offsetSeconds < 0 ? '-' : '+'}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
}

/** A timestamp, or the error that it is outside of the years 1 to 9999. */
export function timestampOf(nanos: bigint, offsetSeconds = 0): Timestamp | CelError {
  const seconds = floorDivide(nanos, second);
  if (seconds < minUnixSeconds || seconds > maxUnixSeconds) return timestampOverflow;
  return new Timestamp(nanos, offsetSeconds);
}

export const timestampOfSeconds = (seconds: bigint): Timestamp | CelError => timestampOf(seconds * second);

const timePattern = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|([+-])(\d\d):(\d\d))$/;

/** The timestamp that Go reads as RFC 3339; undefined for any other text. */
export function parseTimestamp(text: string): Timestamp | CelError | undefined {
  const match = timePattern.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, seconds] = match.slice(1, 7).map(Number) as number[] as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (hour > 23 || minute > 59 || seconds > 59 || !isDate(year, month, day)) return undefined;
  const [zoneHour, zoneMinute] = [Number(match[10] ?? 0), Number(match[11] ?? 0)];
  if (zoneHour > 24 || zoneMinute > 60) return undefined;
  const offset = (match[9] === '-' ? -1 : 1) * (zoneHour * 3600 + zoneMinute * 60);
  const local = BigInt(utcMillis(year, month, day)) / 1000n + BigInt(hour * 3600 + minute * 60 + seconds);
  const fraction = BigInt((match[7] ?? '').slice(0, 9).padEnd(9, '0'));
  return timestampOf((local - BigInt(offset)) * second + fraction, offset);
}

/** Whether such a day exists. */
export function isDate(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return day <= (month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31);
}

/** Milliseconds since 1970 of a day's beginning, right for the years before 100 too. */
export function utcMillis(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month - 1, day);
}

export type TimePart =
  | 'getFullYear'
  | 'getMonth'
  | 'getDayOfYear'
  | 'getDayOfMonth'
  | 'getDate'
  | 'getDayOfWeek'
  | 'getHours'
  | 'getMinutes'
  | 'getSeconds'
  | 'getMilliseconds';

/** One part of a timestamp as a clock in a zone shows it. */
export function timePart(time: Timestamp, part: TimePart, offsetSeconds: number): bigint {
  const local = time.unixSeconds + BigInt(offsetSeconds);
  const date = new Date(Number(local) * 1000);
  switch (part) {
    case 'getFullYear':
      return BigInt(date.getUTCFullYear());
    case 'getMonth':
      return BigInt(date.getUTCMonth());
    case 'getDayOfYear':
      return BigInt(Math.floor((date.getTime() - utcMillis(date.getUTCFullYear(), 1, 1)) / 86_400_000));
    case 'getDayOfMonth':
      return BigInt(date.getUTCDate() - 1);
    case 'getDate':
      return BigInt(date.getUTCDate());
    case 'getDayOfWeek':
      return BigInt(date.getUTCDay());
    case 'getHours':
      return BigInt(date.getUTCHours());
    case 'getMinutes':
      return BigInt(date.getUTCMinutes());
    case 'getSeconds':
      return BigInt(date.getUTCSeconds());
    default:
      return (time.nanos - time.unixSeconds * second) / 1_000_000n;
  }
}

/** Seconds east of UTC of a zone at a time: a name such as US/Central, or an offset such as -01:30. */
export function zoneOffset(time: Timestamp, zone: string): number | CelError {
  const colon = zone.indexOf(':');
  if (colon >= 0) return numericOffset(zone, colon);
  if (zone === '' || zone === 'UTC') return 0;
  // Offsets without a colon are names to Go, and no zone has such a name.
  if (/^[+-]/.test(zone)) return new CelError(`unknown time zone ${zone}`);
  try {
    return namedOffset(time, zone);
  } catch {
    return new CelError(`unknown time zone ${zone}`);
  }
}

function numericOffset(zone: string, colon: number): number | CelError {
  const parts = [zone.slice(0, colon), zone.slice(colon + 1)];
  for (const part of parts) {
    if (!/^[+-]?\d+$/.test(part)) return new CelError(`strconv.Atoi: parsing "${part}": invalid syntax`);
  }
  const [hours, minutes] = parts.map(Number) as [number, number];
  return (hours * 60 + (zone.startsWith('-') ? -minutes : minutes)) * 60;
}

function namedOffset(time: Timestamp, zone: string): number {
  const seconds = Number(time.unixSeconds);
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const parts = Object.fromEntries(format.formatToParts(seconds * 1000).map(part => [part.type, part.value]));
  const written = Number(parts.year);
  const year = parts.era === 'BC' ? 1 - written : written;
  const day = utcMillis(year, Number(parts.month), Number(parts.day)) / 1000;
  return day + Number(parts.hour) * 3600 + Number(parts.minute) * 60 + Number(parts.second) - seconds;
}

/** A number without an exponent, as Go's format 'f' writes it. */
function plainDecimal(value: number): string {
  const text = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return text;
  const [, sign, lead, fraction = '', exponent] = match as unknown as [string, string, string, string?, string?];
  const digits = lead + fraction;
  const point = 1 + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, '0')}${digits.length > point ? '.' : ''}`;
}

const floorDivide = (value: bigint, by: bigint): bigint => {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
};
