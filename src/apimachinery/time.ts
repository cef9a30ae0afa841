/**
 * Times as the API writes them: RFC 3339 in UTC, with seconds (Time) or six digits (MicroTime).
 * Upstream: apimachinery pkg/apis/meta/v1/{time,micro_time}.go; the texts of failures are those of Go's time.Parse.
 */
import { InputError } from './input-error.ts';

const pad = (value: number, width: number): string => String(value).padStart(width, '0');

/** `2026-01-02T15:04:05Z` of wall milliseconds, the fraction cut off. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** `2026-01-02T15:04:05.000000Z` of wall milliseconds, which may have a fraction. */
export function formatMicroTime(ms: number): string {
  const whole = Math.floor(ms);
  const micros = Math.floor((ms - whole) * 1000);
  return `${new Date(whole).toISOString().slice(0, 23)}${pad(micros, 3)}Z`;
}

/** Wall milliseconds of a time in the API's form; NaN when it is none. */
export function parseTimeMs(text: string | null | undefined): number {
  return text ? Date.parse(text) : Number.NaN;
}

const canonicalSeconds =
  /^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$/;
const zeroTime = '0001-01-01T00:00:00Z';

/** What a server stores for a client's Time: UTC with seconds, null for Go's zero time. Throws InputError `time`. */
export function canonicalTime(text: string): string | null {
  const out = canonicalSeconds.test(text) ? text : print(parseGoTime(text, 'rfc3339'), 0);
  return out === zeroTime ? null : out;
}

/** What a server stores for a client's MicroTime. Throws InputError `time`. */
export function canonicalMicroTime(text: string): string | null {
  const out = print(parseGoTime(text, 'micro'), 6);
  return out === '0001-01-01T00:00:00.000000Z' ? null : out;
}

interface Instant {
  readonly seconds: number;
  readonly nanos: number;
}

function print({ seconds, nanos }: Instant, digits: 0 | 6): string {
  const date = new Date(seconds * 1000);
  const year = date.getUTCFullYear();
  if (year < 0 || year > 9999) throw new InputError('time', 'year is not in the range [0, 9999]');
  const fraction = digits === 0 ? '' : `.${pad(Math.floor(nanos / 1000), 6)}`;
  return (
    `${pad(year, 4)}-${pad(date.getUTCMonth() + 1, 2)}-${pad(date.getUTCDate(), 2)}` +
    `T${pad(date.getUTCHours(), 2)}:${pad(date.getUTCMinutes(), 2)}:${pad(date.getUTCSeconds(), 2)}${fraction}Z`
  );
}

const layouts = {
  rfc3339: '2006-01-02T15:04:05Z07:00',
  micro: '2006-01-02T15:04:05.000000Z07:00',
} as const;

/** Go's quoting inside errors of package time: bytes outside printable ASCII as `\x..`. */
function timeQuote(text: string): string {
  let out = '"';
  for (const byte of Buffer.from(text)) {
    if (byte === 34 || byte === 92) out += `\\${String.fromCharCode(byte)}`;
    else if (byte < 32 || byte >= 127) out += `\\x${byte.toString(16).padStart(2, '0')}`;
    else out += String.fromCharCode(byte);
  }
  return `${out}"`;
}

/** Parses like Go's `time.Parse(layout, text)`, with its texts. */
function parseGoTime(text: string, layout: keyof typeof layouts): Instant {
  let rest = text;
  const cannot = (element: string): never => {
    const form = timeQuote(layouts[layout]);
    throw new InputError(
      'time',
      `parsing time ${timeQuote(text)} as ${form}: cannot parse ${timeQuote(rest)} as ${timeQuote(element)}`,
    );
  };
  let outOfRange = '';
  const digits = (count: number, element: string, range: string, low: number, high: number): number => {
    const part = rest.slice(0, count);
    if (part.length < count || !/^[0-9]+$/.test(part)) cannot(element);
    const value = Number(part);
    if (range !== 'year') {
      // Go holds the place where it saw the fault, so that what follows is not looked at.
      if (value < low || value > high) {
        throw new InputError('time', `parsing time ${timeQuote(text)}: ${range} out of range`);
      }
    }
    rest = rest.slice(count);
    return value;
  };
  const literal = (char: string): void => {
    if (!rest.startsWith(char)) cannot(char);
    rest = rest.slice(1);
  };
  const year = digits(4, '2006', 'year', 0, 9999);
  literal('-');
  const month = digits(2, '01', 'month', 1, 12);
  literal('-');
  const day = digits(2, '02', 'day', 0, 99);
  literal('T');
  // Go reads one or two digits for the hour.
  if (!/^[0-9]/.test(rest)) cannot('15');
  const hour = digits(/^[0-9]{2}/.test(rest) ? 2 : 1, '15', 'hour', 0, 23);
  literal(':');
  const minute = digits(2, '04', 'minute', 0, 59);
  literal(':');
  const second = digits(2, '05', 'second', 0, 59);
  let nanos = 0;
  const fraction = layout === 'micro' ? /^[.,]([0-9]{6})/.exec(rest) : /^[.,]([0-9]+)/.exec(rest);
  if (fraction === null) {
    if (layout === 'micro') cannot('.000000');
  } else {
    nanos = Number(fraction[1]!.slice(0, 9).padEnd(9, '0'));
    rest = rest.slice(fraction[0].length);
  }
  let offset = 0;
  if (rest.startsWith('Z')) rest = rest.slice(1);
  else {
    const zone = /^([+-])([0-9]{2}):([0-9]{2})/.exec(rest);
    if (zone === null) return cannot('Z07:00');
    const hours = Number(zone[2]);
    const minutes = Number(zone[3]);
    if (hours > 24) outOfRange = 'time zone offset hour';
    else if (minutes > 60) outOfRange = 'time zone offset minute';
    offset = (zone[1] === '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    rest = rest.slice(zone[0].length);
  }
  if (outOfRange !== '') throw new InputError('time', `parsing time ${timeQuote(text)}: ${outOfRange} out of range`);
  if (rest !== '') {
    throw new InputError('time', `parsing time ${timeQuote(text)}: extra text: ${timeQuote(rest)}`);
  }
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second, 0);
  if (day < 1 || date.getUTCMonth() !== month - 1) {
    throw new InputError('time', `parsing time ${timeQuote(text)}: day out of range`);
  }
  return { seconds: date.getTime() / 1000 - offset, nanos };
}
