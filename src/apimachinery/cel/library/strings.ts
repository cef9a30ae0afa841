/**
 * Functions of strings, by code points. Upstream: cel-go ext/strings.go, version 2.
 */
import { fn, type Library, method, overload } from '../check/declarations.ts';
import { listOf, types } from '../check/types.ts';
import { describeValue } from '../values/describe.ts';
import { ArrayList, CelError, type ListValue, type Value } from '../values/value.ts';
import { formatString } from './format-string.ts';

const { int, string } = types;
const strings = listOf(string);

/** Code points of a text; the text itself where each is one unit. */
const characters = (text: string): readonly string[] | string =>
  /[\ud800-\udfff]/.test(text) ? Array.from(text) : text;

const cut = (parts: readonly string[] | string, from: number, to: number): string =>
  typeof parts === 'string' ? parts.slice(from, to) : parts.slice(from, to).join('');

const outOfRange = (index: bigint): CelError => new CelError(`index out of range: ${index}`);

function charAt(text: string, index: bigint): Value {
  const parts = characters(text);
  return index < 0n || index > parts.length ? outOfRange(index) : (parts[Number(index)] ?? '');
}

function indexOf(text: string, part: string, from = 0n): Value {
  if (part === '') return from;
  if (from < 0n) return outOfRange(from);
  const parts = characters(text);
  if (typeof parts === 'string') return BigInt(from >= parts.length ? -1 : parts.indexOf(part, Number(from)));
  const wanted = Array.from(part);
  for (let at = Number(from); at + wanted.length <= parts.length; at++) {
    if (wanted.every((character, offset) => parts[at + offset] === character)) return BigInt(at);
  }
  return -1n;
}

function lastIndexOf(text: string, part: string, from?: bigint): Value {
  const parts = characters(text);
  if (part === '') return from ?? BigInt(parts.length);
  const start = from ?? BigInt(parts.length - 1);
  if (from === undefined && Buffer.byteLength(text) < Buffer.byteLength(part)) return -1n;
  if (start < 0n) return outOfRange(start);
  if (start >= parts.length) return -1n;
  const wanted = Array.from(part);
  for (let at = Math.min(Number(start), parts.length - wanted.length); at >= 0; at--) {
    if (wanted.every((character, offset) => parts[at + offset] === character)) return BigInt(at);
  }
  return -1n;
}

function replace(text: string, from: string, to: string, limit = -1n): Value {
  if (limit < 0n) return from === '' ? surround(text, to, Number.POSITIVE_INFINITY) : text.replaceAll(from, () => to);
  if (from === '') return surround(text, to, Number(limit));
  let result = '';
  let at = 0;
  for (let count = 0n; count < limit; count++) {
    const next = text.indexOf(from, at);
    if (next < 0) break;
    result += text.slice(at, next) + to;
    at = next + from.length;
  }
  return result + text.slice(at);
}

/** Puts `to` before each character and behind the last, at most `limit` times. */
function surround(text: string, to: string, limit: number): string {
  const parts = Array.from(text);
  const before = parts.map((character, index) => (index < limit ? to : '') + character).join('');
  return parts.length < limit ? before + to : before;
}

function split(text: string, separator: string, limit = -1n): Value {
  if (limit === 0n) return new ArrayList([]);
  const parts = separator === '' ? Array.from(text) : text.split(separator);
  if (limit < 0n || parts.length <= limit) return new ArrayList(parts);
  const kept = Number(limit) - 1;
  return new ArrayList([...parts.slice(0, kept), parts.slice(kept).join(separator)]);
}

function substring(text: string, start: bigint, end?: bigint): Value {
  const parts = characters(text);
  const to = end ?? BigInt(parts.length);
  if (end !== undefined && start > end) {
    return new CelError(`invalid substring range. start: ${start}, end: ${end}`);
  }
  if (start < 0n || start > parts.length) return outOfRange(start);
  return to > parts.length ? outOfRange(to) : cut(parts, Number(start), Number(to));
}

function join(list: ListValue, separator = ''): Value {
  const parts: string[] = [];
  for (const item of list) {
    if (typeof item !== 'string') return new CelError(`join: invalid input: ${describeValue(item)}`);
    parts.push(item);
  }
  return parts.join(separator);
}

const escapes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

const quote = (text: string): string =>
  `"${text.toWellFormed().replace(/[\x07\b\f\n\r\t\v\\"]/g, character => escapes[character] as string)}"`;

/** What Go's TrimSpace takes for white space. */
const space = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** Go's TrimSpace. By index: a pattern that ends in `+$` takes hours over a text of nothing but blanks. */
function trimSpace(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && space.test(text[from]!)) from++;
  while (to > from && space.test(text[to - 1]!)) to--;
  return text.slice(from, to);
}

export const stringsLibrary: Library = [
  fn('charAt', method('string_char_at_int', [string, int], string, charAt)),
  fn(
    'indexOf',
    method('string_index_of_string', [string, string], int, indexOf),
    method('string_index_of_string_int', [string, string, int], int, indexOf),
  ),
  fn(
    'lastIndexOf',
    method('string_last_index_of_string', [string, string], int, lastIndexOf),
    method('string_last_index_of_string_int', [string, string, int], int, lastIndexOf),
  ),
  fn(
    'lowerAscii',
    method('string_lower_ascii', [string], string, (text: string) =>
      text.replace(/[A-Z]+/g, part => part.toLowerCase()),
    ),
  ),
  fn(
    'upperAscii',
    method('string_upper_ascii', [string], string, (text: string) =>
      text.replace(/[a-z]+/g, part => part.toUpperCase()),
    ),
  ),
  fn(
    'replace',
    method('string_replace_string_string', [string, string, string], string, replace),
    method('string_replace_string_string_int', [string, string, string, int], string, replace),
  ),
  fn(
    'split',
    method('string_split_string', [string, string], strings, split),
    method('string_split_string_int', [string, string, int], strings, split),
  ),
  fn(
    'substring',
    method('string_substring_int', [string, int], string, substring),
    method('string_substring_int_int', [string, int, int], string, substring),
  ),
  fn(
    'trim',
    method('string_trim', [string], string, (text: string) => trimSpace(text)),
  ),
  fn('format', method('string_format', [string, listOf(types.dyn)], string, formatString)),
  fn('strings.quote', overload('strings_quote', [string], string, quote)),
  fn('join', method('list_join', [strings], string, join), method('list_join_string', [strings, string], string, join)),
];
