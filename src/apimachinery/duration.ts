/**
 * Go's durations (`1h30m`), and ages as people read them (`3d4h`).
 * Upstream: Go's time.ParseDuration and Duration.String; apimachinery pkg/util/duration/duration.go.
 */
import { goQuote } from './field.ts';
import { InputError } from './input-error.ts';

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Nanoseconds of a Go duration. Throws InputError `time` with Go's text. */
export function parseGoDuration(text: string): bigint {
  const invalid = (): InputError => new InputError('time', `time: invalid duration ${goQuote(text)}`);
  const negative = text.startsWith('-');
  let rest = /^[+-]/.test(text) ? text.slice(1) : text;
  if (rest === '0') return 0n;
  if (rest === '') throw invalid();
  let total = 0n;
  while (rest !== '') {
    const number = /^([0-9]*)(?:\.([0-9]*))?/.exec(rest)!;
    const whole = number[1]!;
    const fraction = number[2] ?? '';
    if (whole === '' && fraction === '') throw invalid();
    rest = rest.slice(number[0].length);
    const unitText = /^[^.0-9]*/.exec(rest)![0];
    if (unitText === '') throw new InputError('time', `time: missing unit in duration ${goQuote(text)}`);
    const unit = Object.hasOwn(units, unitText) ? units[unitText] : undefined;
    if (unit === undefined) {
      throw new InputError('time', `time: unknown unit ${goQuote(unitText)} in duration ${goQuote(text)}`);
    }
    rest = rest.slice(unitText.length);
    total += BigInt(whole || '0') * unit;
    const digits = fraction.slice(0, 18);
    if (digits !== '') total += (BigInt(digits) * unit) / 10n ** BigInt(digits.length);
    if (total > 2n ** 63n - (negative ? 0n : 1n)) throw invalid();
  }
  return negative ? -total : total;
}

/** The canonical Go text of so many nanoseconds: `1m30s`, `1.5µs`, `0s`. */
export function formatGoDuration(nanos: bigint): string {
  if (nanos === 0n) return '0s';
  const sign = nanos < 0n ? '-' : '';
  const value = nanos < 0n ? -nanos : nanos;
  const decimal = (scaled: bigint, unit: bigint): string => {
    const fraction = (scaled % unit)
      .toString()
      .padStart(unit.toString().length - 1, '0')
      .replace(/0+$/, '');
    return `${scaled / unit}${fraction === '' ? '' : `.${fraction}`}`;
  };
  if (value < 1000n) return `${sign}${value}ns`;
  if (value < 1_000_000n) return `${sign}${decimal(value, 1000n)}µs`;
  if (value < 1_000_000_000n) return `${sign}${decimal(value, 1_000_000n)}ms`;
  const hours = value / units['h']!;
  const minutes = (value / units['m']!) % 60n;
  const seconds = `${decimal(value % units['m']!, 1_000_000_000n)}s`;
  if (hours > 0n) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0n ? `${sign}${minutes}m${seconds}` : sign + seconds;
}

/** What a server stores for a client's duration: Go's canonical text. Throws InputError `time`. */
export function canonicalDuration(text: string): string {
  return formatGoDuration(parseGoDuration(text));
}

/** An age of so many milliseconds in at most two units, as kubectl prints it: `45s`, `3m20s`, `5h`, `2d3h`, `400d`. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(ms / 60_000);
  if (minutes < 10) {
    const rest = seconds % 60;
    return rest === 0 ? `${minutes}m` : `${minutes}m${rest}s`;
  }
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(ms / 3_600_000);
  if (hours < 8) {
    const rest = minutes % 60;
    return rest === 0 ? `${hours}h` : `${hours}h${rest}m`;
  }
  if (hours < 48) return `${hours}h`;
  if (hours < 24 * 8) {
    const rest = hours % 24;
    return rest === 0 ? `${Math.trunc(hours / 24)}d` : `${Math.trunc(hours / 24)}d${rest}h`;
  }
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24)}d`;
  if (hours < 24 * 365 * 8) {
    const days = Math.trunc(hours / 24) % 365;
    const years = Math.trunc(hours / 24 / 365);
    return days === 0 ? `${years}y` : `${years}y${days}d`;
  }
  return `${Math.trunc(hours / 24 / 365)}y`;
}
