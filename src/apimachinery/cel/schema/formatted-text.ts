/**
 * Strings with a format that are no strings in expressions: bytes, durations and times. Upstream: k8s.io/apiserver
 * pkg/cel/common/valuesunstructured.go, kube-openapi pkg/validation/strfmt.
 */
import { Duration, isDate, parseDuration, parseTimestamp, Timestamp, timestampOf, utcMillis } from '../values/time.ts';
import { CelError, type Value } from '../values/value.ts';

/** The value of a string under a format. */
export function formattedText(text: string, format: string | undefined): Value {
  switch (format) {
    case 'duration':
      return looseDuration(text) ?? new CelError(`Invalid duration ${text}: unable to parse ${text} as duration`);
    case 'date':
      return fullDate(text) ?? new CelError(`Invalid date formatted string ${text}: ${parseFailure(text)}`);
    case 'date-time':
      return dateTime(text) ?? new CelError(`Invalid date-time formatted string ${text}: ${parseFailure(text)}`);
    case 'byte':
      return bytesOf(text) ?? new CelError(`Invalid byte formatted string ${text}: illegal base64 data`);
    default:
      return text;
  }
}

const parseFailure = (text: string): string => `parsing time "${text}"`;

const units: readonly (readonly [nanos: bigint, names: readonly string[]])[] = [
  [1n, ['ns', 'nano']],
  [1_000n, ['us', 'µs', 'micro']],
  [1_000_000n, ['ms', 'milli']],
  [1_000_000_000n, ['s', 'sec']],
  [60_000_000_000n, ['m', 'min']],
  [3_600_000_000_000n, ['h', 'hr', 'hour']],
  [86_400_000_000_000n, ['d', 'day']],
  [604_800_000_000_000n, ['w', 'week']],
];

/** From whole numbers alone, or a text of nothing but digits is looked through once for each of them. */
const amounts = /(?<!\d)(\d+)(?!\d)\s*([A-Za-zµ]+)/g;

/** Go's durations, and those in words: `3 weeks`. */
function looseDuration(text: string): Duration | undefined {
  const exact = parseDuration(text);
  if (exact !== undefined) return exact;
  let total: bigint | undefined;
  for (const match of text.matchAll(amounts)) {
    const unit = (match[2] as string).toLowerCase();
    const known = units.find(([, names]) => names.includes(unit) || unit.startsWith(names.at(-1) as string));
    if (known !== undefined) total = (total ?? 0n) + BigInt(match[1] as string) * known[0];
  }
  return total === undefined ? undefined : new Duration(BigInt.asIntN(64, total));
}

function fullDate(text: string): Timestamp | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  if (match === null) return undefined;
  const [year, month, day] = match.slice(1).map(Number) as [number, number, number];
  return isDate(year, month, day) ? new Timestamp(BigInt(utcMillis(year, month, day)) * 1_000_000n) : undefined;
}

function dateTime(text: string): Value | undefined {
  if (text === '') return timestampOf(0n);
  return parseTimestamp(text) ?? parseTimestamp(`${text}Z`);
}

function bytesOf(text: string): Uint8Array | undefined {
  const valid = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
  return valid ? new Uint8Array(Buffer.from(text, 'base64')) : undefined;
}
