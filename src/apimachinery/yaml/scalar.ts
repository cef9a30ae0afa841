/**
 * What a YAML scalar means to Kubernetes: YAML 1.1 as Go's yaml.v2 resolves it. `0644` is octal, `yes` and `on` are
 * true, a timestamp stays the string that it was. Upstream: go.yaml.in/yaml/v2 resolve.go.
 */
import { InputError } from '../input-error.ts';
import { canonicalBase64 } from '../json/index.ts';
import type { YamlNode } from './node.ts';
import { isTimestamp } from './timestamp.ts';

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

/** What a text with a meaning of its own may begin with. */
const telling = new Uint8Array(128);
for (const char of '-+.0123456789~yYnNtTfFoO') telling[char.charCodeAt(0)] = 1;
const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
/** Behind a point, upstream hands the text to a parser that takes underscores between digits. */
const fraction = /^\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?$/;
const integer = /^[-+]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)$/;
const signedBinary = /^0b([-+][01]+)$/;

/** The meaning of a plain scalar without a tag. */
export function resolvePlain(text: string): YamlScalar {
  if (text === '') return null;
  const first = text.charCodeAt(0);
  if (telling[first] !== 1) return text;
  const word = words.get(text);
  if (word !== undefined) return word;
  if (first === 46) return fraction.test(text) ? finite(Number(text.replaceAll('_', '')), text) : text;
  if (first > 57) return text;
  // Dates are left as text: they would not resolve to numbers anyway.
  const plain = text.replaceAll('_', '');
  if (integer.test(plain)) return parseInteger(plain) ?? (float.test(plain) ? finite(Number(plain), text) : text);
  if (float.test(plain)) return finite(Number(plain), text);
  // Upstream hands what follows the prefix to a parser that takes a sign.
  const [, signed] = signedBinary.exec(plain) ?? [];
  return signed === undefined ? text : (parseBinary(signed) ?? text);
}

/** What is too large for a double stays text. */
const finite = (value: number, text: string): YamlScalar => (Number.isFinite(value) ? value : text);

function parseInteger(text: string): number | bigint | undefined {
  const negative = text.startsWith('-');
  const isSigned = negative || text.startsWith('+');
  let digits = isSigned ? text.slice(1) : text;
  if (/^0[0-7]/.test(digits)) digits = `0o${digits.slice(1)}`;
  const size = BigInt(digits);
  const value = negative ? -size : size;
  if (value < -(2n ** 63n) || value >= 2n ** (isSigned ? 63n : 64n)) return undefined;
  return narrow(value);
}

function parseBinary(text: string): number | bigint | undefined {
  const size = BigInt(`0b${text.slice(1)}`);
  const value = text.startsWith('-') ? -size : size;
  return BigInt.asIntN(64, value) === value ? narrow(value) : undefined;
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Whether a text that resolves to a number is held as a double, whatever its value. */
function isFloatText(text: string): boolean {
  const plain = text.replaceAll('_', '');
  if (signedBinary.test(plain)) return false;
  return !integer.test(plain) || parseInteger(plain) === undefined;
}

const prefix = 'tag:yaml.org,2002:';

/** The meaning of a scalar node. Throws InputError `yaml`. */
export function scalarValue({ tag, value, implicit }: YamlNode): YamlScalar {
  if (tag !== '') return resolveTagged(tag, value);
  return implicit ? resolvePlain(value) : value;
}

/** The key that stands for the members of another mapping. */
export function isMerge({ kind, value, implicit, tag }: YamlNode): boolean {
  return value === '<<' && kind === 'scalar' && (implicit || tag === `${prefix}merge`);
}

/** Whether a scalar that means a number, perhaps behind an alias, is held as a double. */
export function isFloatNode(node: YamlNode): boolean {
  const { tag, value } = node.kind === 'alias' ? node.target! : node;
  return tag === `${prefix}float` || isFloatText(value);
}

/** The meaning of a scalar with an explicit tag, as the parser resolved it. Throws InputError `yaml`. */
function resolveTagged(tag: string, text: string): YamlScalar {
  if (tag === `${prefix}binary`) return decodeBinary(text);
  const kind = tag.startsWith(prefix) ? tag.slice(prefix.length) : '';
  if (!['bool', 'int', 'float', 'null', 'timestamp'].includes(kind)) return text;
  if (kind === 'timestamp' && isTimestamp(text)) return text;
  const value = resolvePlain(text);
  const found = scalarKind(value, text);
  if (found === kind && typeof value !== 'string') return value;
  // What is too large for an int64 is not taken for a float.
  if (kind === 'float' && found === 'int' && BigInt.asIntN(64, BigInt(value as number)) === BigInt(value as number)) {
    return Number(value);
  }
  throw new InputError('yaml', `yaml: cannot decode !!${found} \`${text}\` as a !!${kind}`);
}

function scalarKind(value: YamlScalar, text: string): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'str';
  return typeof value === 'bigint' || !isFloatText(text) ? 'int' : 'float';
}

function decodeBinary(text: string): string {
  const base64 = canonicalBase64(text);
  if ('error' in base64) throw new InputError('yaml', 'yaml: !!binary value contains invalid base64 data');
  const bytes = Buffer.from(base64.text, 'base64');
  const decoded = bytes.toString();
  return decoded.includes('\ufffd') ? replaceInvalid(bytes) : decoded;
}

/** Go takes each byte that is no UTF-8 for a U+FFFD of its own. */
function replaceInvalid(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const octet = bytes[at]!;
    const width = octet < 0x80 ? 1 : octet < 0xe0 ? 2 : octet < 0xf0 ? 3 : 4;
    const char = bytes.toString('utf8', at, at + width);
    const whole = char === '\ufffd' ? bytes.toString('hex', at, at + 3) === 'efbfbd' : char.codePointAt(0)! >= 0x80;
    const valid = octet < 0x80 || (whole && (char.length === 1 || (width === 4 && char.length === 2)));
    text += valid ? char : '\ufffd';
    at += valid ? width : 1;
  }
  return text;
}
