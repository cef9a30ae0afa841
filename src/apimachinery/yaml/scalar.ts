/**
 * What a YAML scalar means to Kubernetes: YAML 1.1 as Go's yaml.v2 resolves it. `0644` is octal, `yes` and `on` are
 * true, a timestamp stays the string that it was. Upstream: go.yaml.in/yaml/v2 resolve.go.
 */
import { InputError } from '../input-error.ts';

/** What a scalar resolves to; integers beyond 2^53 are exact. */
export type YamlScalar = string | number | bigint | boolean | null;

const words: ReadonlyMap<string, YamlScalar> = new Map<string, YamlScalar>([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((w): [string, YamlScalar] => [
    w,
    true,
  ]),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((w): [string, YamlScalar] => [
    w,
    false,
  ]),
  ...['', '~', 'null', 'Null', 'NULL'].map((w): [string, YamlScalar] => [w, null]),
  ...['.nan', '.NaN', '.NAN'].map((w): [string, YamlScalar] => [w, Number.NaN]),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map((w): [string, YamlScalar] => [
    w,
    Number.POSITIVE_INFINITY,
  ]),
  ...['-.inf', '-.Inf', '-.INF'].map((w): [string, YamlScalar] => [w, Number.NEGATIVE_INFINITY]),
]);

const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const integer = /^[-+]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)$/;

/** The meaning of a plain scalar without a tag. */
export function resolvePlain(text: string): YamlScalar {
  const word = words.get(text);
  if (word !== undefined) return word;
  const first = text.charCodeAt(0);
  const isDigit = first >= 48 && first <= 57;
  if (!isDigit && first !== 43 && first !== 45 && first !== 46) return text;
  if (first === 46) return float.test(text) ? finite(Number(text), text) : text;
  // Dates are left as text: they would not resolve to numbers anyway.
  const plain = text.replaceAll('_', '');
  if (integer.test(plain)) return parseInteger(plain) ?? finite(Number(plain), text);
  return float.test(plain) ? finite(Number(plain), text) : text;
}

/** What is too large for a double stays text. */
const finite = (value: number, text: string): YamlScalar => (Number.isFinite(value) ? value : text);

function parseInteger(text: string): number | bigint | undefined {
  const negative = text.startsWith('-');
  let digits = /^[-+]/.test(text) ? text.slice(1) : text;
  if (/^0[0-7]/.test(digits)) digits = `0o${digits.slice(1)}`;
  const size = BigInt(digits);
  const value = negative ? -size : size;
  if (value < -(2n ** 63n) || value >= 2n ** 64n) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

const longTag = 'tag:yaml.org,2002:';

/** The meaning of a scalar with an explicit tag, as it stands in the text. Throws InputError `yaml`. */
export function resolveTagged(tag: string, text: string): YamlScalar {
  const short = tag.startsWith(`!<${longTag}`) ? `!!${tag.slice(longTag.length + 2, -1)}` : tag;
  if (short === '!!binary') {
    const bytes = Buffer.from(text.replace(/\s/g, ''), 'base64');
    return bytes.toString('utf8');
  }
  if (!['!!bool', '!!int', '!!float', '!!null', '!!timestamp'].includes(short)) return text;
  const value = resolvePlain(text);
  const kind = scalarKind(value);
  if (kind === short || (short === '!!float' && kind === '!!int')) return value;
  if (short === '!!timestamp') return text;
  throw new InputError('yaml', `yaml: cannot decode ${kind} \`${text}\` as a ${short}`);
}

function scalarKind(value: YamlScalar): string {
  if (value === null) return '!!null';
  if (typeof value === 'boolean') return '!!bool';
  if (typeof value === 'string') return '!!str';
  return typeof value === 'bigint' || Number.isInteger(value) ? '!!int' : '!!float';
}
