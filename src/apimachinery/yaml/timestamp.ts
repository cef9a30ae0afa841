/**
 * Whether go-yaml takes a text for a timestamp: such text stays a string, but is quoted where it is written.
 * Upstream: go.yaml.in/yaml/v2 resolve.go (parseTimestamp), Go's time.Parse.
 */

const date = /^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:([Tt]| +)(.*))?$/s;
const clock = /^([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})?$/;

const days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function isDay(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= days[month - 1]! + (leap && month === 2 ? 1 : 0);
}

export function isTimestamp(text: string): boolean {
  const [, year, month, day, separator, time] = date.exec(text) ?? [];
  if (year === undefined || !isDay(Number(year), Number(month), Number(day))) return false;
  if (separator === undefined) return true;
  const [found, hour, minute, second, zone] = clock.exec(time!) ?? [];
  if (found === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return false;
  if (separator.startsWith(' ')) return zone === undefined;
  return zone === 'Z' || (zone !== undefined && Number(zone.slice(1, 3)) <= 24 && Number(zone.slice(4)) <= 60);
}
