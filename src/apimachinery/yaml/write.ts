/**
 * YAML as sigs.k8s.io/yaml writes it: keys sorted with numbers inside them by value, lists not indented, strings in
 * double quotes where a YAML 1.1 reader would take them for something else. Upstream: sigs.k8s.io/yaml,
 * go.yaml.in/yaml/v2 (encode.go, sorter.go).
 */
import { dump } from 'js-yaml';

/** Order of keys: letters before digits before the rest, runs of digits by value. Upstream: keyList.Less. */
function compareKeys(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (let i = 0; i < left.length && i < right.length; i++) {
    if (left[i] === right[i]) continue;
    const [x, y] = [left[i]!, right[i]!];
    const [xLetter, yLetter] = [/\p{L}/u.test(x), /\p{L}/u.test(y)];
    if (xLetter && yLetter) return x < y ? -1 : 1;
    if (xLetter || yLetter) {
      const digitsBefore = i > 0 && /\p{Nd}/u.test(left[i - 1]!);
      return (digitsBefore ? xLetter : yLetter) ? -1 : 1;
    }
    const run = (chars: readonly string[]): string => /^[0-9]*/.exec(chars.slice(i).join(''))![0];
    const [xRun, yRun] = [run(left), run(right)];
    const [xValue, yValue] = [Number(xRun || '0'), Number(yRun || '0')];
    if (xValue !== yValue) return xValue < yValue ? -1 : 1;
    if (xRun.length !== yRun.length) return xRun.length < yRun.length ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return left.length - right.length;
}

/** JSON's types only: big integers as numbers' text, undefined left out. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'bigint') return Number(value);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, plain(item)]));
}

/** Writes a JSON value as one YAML document, ending in a newline. */
export function writeYaml(value: unknown): string {
  return dump(plain(value), {
    sortKeys: compareKeys,
    seqNoIndent: true,
    lineWidth: -1,
    noRefs: true,
    quoteStyle: 'double',
  });
}
