/**
 * Cron expressions as robfig/cron/v3 reads them (five fields, names, `@daily`, `@every 5m`), in any time zone.
 * Upstream: pkg/controller/cronjob/utils.go with github.com/robfig/cron/v3 parser.go, spec.go.
 *
 * Wall time is kept as milliseconds "as if it were UTC"; a wall time that a time zone skips does not occur.
 */
import { parseGoDuration } from '#apimachinery';

export interface Schedule {
  /** The first time after `afterMs`, whole minutes; undefined when there is none within five years. */
  next(afterMs: number): number | undefined;
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const descriptors: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

interface Field {
  readonly values: ReadonlySet<number>;
  readonly any: boolean;
}

function parseField(text: string, low: number, high: number, names: readonly string[] = [], base = 0): Field {
  const values = new Set<number>();
  let any = false;
  const number = (word: string): number => {
    const named = names.indexOf(word.toLowerCase());
    if (named >= 0) return named + base;
    if (!/^\d+$/.test(word)) throw new Error(`failed to parse int from ${word}`);
    return Number(word);
  };
  for (const part of text.split(',')) {
    const [range = '', stepText, ...more] = part.split('/');
    if (more.length > 0) throw new Error(`too many slashes: ${part}`);
    const step = stepText === undefined ? 1 : number(stepText);
    if (step === 0) throw new Error(`step of range should be a positive number: ${part}`);
    let [from, to]: [number, number] = [low, high];
    if (range === '*' || range === '?') any ||= step === 1;
    else {
      const [first = '', last, ...rest] = range.split('-');
      if (rest.length > 0) throw new Error(`too many hyphens: ${part}`);
      from = number(first);
      to = last === undefined ? (stepText === undefined ? from : high) : number(last);
    }
    if (from < low) throw new Error(`beginning of range (${from}) below minimum (${low}): ${part}`);
    if (to > high) throw new Error(`end of range (${to}) above maximum (${high}): ${part}`);
    if (from > to) throw new Error(`beginning of range (${from}) beyond end of range (${to}): ${part}`);
    for (let at = from; at <= to; at += step) values.add(at);
  }
  return { values, any };
}

/** Throws an Error that says what is wrong. `timeZone` is an IANA name; absent is UTC. */
export function parseSchedule(text: string, timeZone = 'UTC'): Schedule {
  const trimmed = text.trim();
  if (trimmed.startsWith('@every ')) {
    const everyMs = Math.max(1, Number(parseGoDuration(trimmed.slice(7)) / 1_000_000_000n)) * 1000;
    return { next: afterMs => Math.floor(afterMs / 1000) * 1000 + everyMs };
  }
  const spec = trimmed.startsWith('@') ? descriptors[trimmed] : trimmed;
  if (spec === undefined) throw new Error(`unrecognized descriptor: ${trimmed}`);
  const fields = spec.split(/\s+/);
  if (fields.length !== 5) throw new Error(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`);
  const [minute, hour, date, month, day] = [
    parseField(fields[0]!, 0, 59),
    parseField(fields[1]!, 0, 23),
    parseField(fields[2]!, 1, 31),
    parseField(fields[3]!, 1, 12, months, 1),
    parseField(fields[4]!, 0, 6, days),
  ];
  const offsetMs = zoneOffset(timeZone);
  const isDay = (wall: Date): boolean => {
    const byDate = date.values.has(wall.getUTCDate());
    const byDay = day.values.has(wall.getUTCDay());
    return date.any || day.any ? byDate && byDay : byDate || byDay;
  };
  return {
    next(afterMs) {
      let wallMs = Math.floor((afterMs + offsetMs(afterMs)) / minuteMs) * minuteMs + minuteMs;
      const endMs = wallMs + 5 * 366 * dayMs;
      while (wallMs < endMs) {
        const wall = new Date(wallMs);
        if (!month.values.has(wall.getUTCMonth() + 1)) {
          wallMs = Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth() + 1, 1);
        } else if (!isDay(wall)) wallMs = Math.floor(wallMs / dayMs) * dayMs + dayMs;
        else if (!hour.values.has(wall.getUTCHours())) wallMs = Math.floor(wallMs / 3_600_000) * 3_600_000 + 3_600_000;
        else if (!minute.values.has(wall.getUTCMinutes())) wallMs += minuteMs;
        else {
          const guess = wallMs - offsetMs(wallMs);
          const instant = wallMs - offsetMs(guess);
          if (instant + offsetMs(instant) === wallMs && instant > afterMs) return instant;
          wallMs += minuteMs;
        }
      }
      return undefined;
    },
  };
}

/** Milliseconds by which a zone's wall time is ahead of UTC at an instant. Throws for an unknown zone. */
function zoneOffset(timeZone: string): (atMs: number) => number {
  if (timeZone === 'UTC' || timeZone === 'Etc/UTC') return () => 0;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return atMs => {
    const parts: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(atMs)) parts[type] = Number(value);
    const wall = Date.UTC(parts.year!, parts.month! - 1, parts.day, parts.hour, parts.minute, parts.second);
    return wall - Math.floor(atMs / 1000) * 1000;
  };
}
