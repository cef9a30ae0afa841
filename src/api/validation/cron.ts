/** Schedules of CronJobs: what is wrong with one. Upstream: github.com/robfig/cron/v3 (ParseStandard). */
import { goQuote, InputError, parseGoDuration } from '#apimachinery';

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const months = ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const bounds: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: days },
];
const named = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];

/** Throws the refusal as an Error; caught by {@link cronRefusal}. */
function parseNumber(text: string, names?: readonly string[]): number {
  const at = text === '' ? -1 : (names?.indexOf(text.toLowerCase()) ?? -1);
  if (at >= 0) return at;
  if (!/^[+-]?[0-9]+$/.test(text)) {
    throw new RangeError(`failed to parse int from ${text}: strconv.Atoi: parsing ${goQuote(text)}: invalid syntax`);
  }
  const value = Number(text);
  if (value < 0) throw new RangeError(`negative number (${value}) not allowed: ${text}`);
  return value;
}

function checkRange(expr: string, { min, max, names }: Bounds): void {
  const [range = '', ...steps] = expr.split('/');
  const [low = '', ...highs] = range.split('-');
  let start = min;
  let end = max;
  if (low !== '*' && low !== '?') {
    start = parseNumber(low, names);
    if (highs.length > 1) throw new RangeError(`too many hyphens: ${expr}`);
    end = highs.length === 1 ? parseNumber(highs[0]!, names) : start;
  }
  if (steps.length > 1) throw new RangeError(`too many slashes: ${expr}`);
  const step = steps.length === 1 ? parseNumber(steps[0]!) : 1;
  if (steps.length === 1 && highs.length === 0) end = max;
  if (start < min) throw new RangeError(`beginning of range (${start}) below minimum (${min}): ${expr}`);
  if (end > max) throw new RangeError(`end of range (${end}) above maximum (${max}): ${expr}`);
  if (start > end) throw new RangeError(`beginning of range (${start}) beyond end of range (${end}): ${expr}`);
  if (step === 0) throw new RangeError(`step of range should be a positive number: ${expr}`);
}

function check(schedule: string): void {
  let spec = schedule;
  if (/^(CRON_)?TZ=/.test(spec)) {
    const space = spec.indexOf(' ');
    const zone = spec.slice(spec.indexOf('=') + 1, Math.max(space, 0));
    const refusal = timeZoneRefusal(zone);
    if (refusal) throw new RangeError(`provided bad location ${zone}: ${refusal}`);
    spec = spec.slice(space).trim();
  }
  if (spec.startsWith('@')) {
    if (named.includes(spec)) return;
    if (!spec.startsWith('@every ')) throw new RangeError(`unrecognized descriptor: ${spec}`);
    try {
      parseGoDuration(spec.slice('@every '.length));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new RangeError(`failed to parse duration ${spec}: ${error.message}`);
    }
    return;
  }
  const fields = spec.split(/\s+/).filter(field => field !== '');
  if (fields.length !== bounds.length) {
    throw new RangeError(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`);
  }
  fields.forEach((field, i) => {
    for (const expr of field.split(',')) if (expr !== '') checkRange(expr, bounds[i]!);
  });
}

/** Why `schedule` is none, in the parser's words; undefined when it is one. */
export function cronRefusal(schedule: string): string | undefined {
  try {
    check(schedule);
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
  return undefined;
}

/** Why the name is no time zone, in Go's words; undefined when it is one. */
export function timeZoneRefusal(name: string): string | undefined {
  if (name === '' || name === 'UTC' || name === 'Local') return undefined;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return undefined;
  } catch {
    return `unknown time zone ${name}`;
  }
}
