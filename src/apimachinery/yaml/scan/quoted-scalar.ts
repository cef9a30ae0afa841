/**
 * Scalars in single and double quotes. Upstream: go.yaml.in/yaml/v2 scannerc.go (yaml_parser_scan_flow_scalar).
 */
import { hexValue, isBlank, isBlankOrEnd, isBreak, isHighSurrogate, needsCare } from './characters.ts';
import type { Cursor } from './cursor.ts';
import { foldBreak } from './plain-scalar.ts';

const [singleQuote, doubleQuote, backslash] = [0x27, 0x22, 0x5c];

/** What a character means behind a backslash. */
const escapes: ReadonlyMap<string, string> = new Map([
  ...Object.entries({ 0: '\0', a: '\x07', b: '\b', t: '\t', n: '\n', v: '\v', f: '\f', r: '\r', e: '\x1b' }),
  ...[...'\t "\'\\'].map((char): [string, string] => [char, char]),
  ...Object.entries({ N: '\x85', _: '\xa0', L: '\u2028', P: '\u2029' }),
]);

/** How many hexadecimal digits follow. */
const codeLengths: ReadonlyMap<string, number> = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
]);

/** Reads from the opening quote to behind the closing one. */
export function scanQuotedScalar(cursor: Cursor, single: boolean): string {
  const quote = single ? singleQuote : doubleQuote;
  return scanSimple(cursor, quote) ?? scanAny(cursor, quote);
}

/** Most scalars: characters of one line that all stand for themselves. Undefined, with nothing read, for others. */
function scanSimple(cursor: Cursor, quote: number): string | undefined {
  if (!cursor.isWhollyReadable) return undefined;
  const { text } = cursor;
  const from = cursor.at + 1;
  let at = from;
  for (let code = text.charCodeAt(at); code !== quote; code = text.charCodeAt(++at)) {
    if (needsCare(code)) return undefined;
  }
  if (quote === singleQuote && text.charCodeAt(at + 1) === singleQuote) return undefined;
  cursor.at = at + 1;
  return text.slice(from, at);
}

function scanAny(cursor: Cursor, quote: number): string {
  const parts: string[] = [];
  cursor.at++;
  for (;;) {
    cursor.ahead(4);
    if (cursor.isAtDocumentIndicator()) cursor.fail('found unexpected document indicator');
    if (cursor.peek() === 0) cursor.fail('found unexpected end of stream');
    const escapedBreak = scanWord(cursor, quote, parts);
    cursor.ahead(1);
    if (cursor.peek() === quote) break;
    scanBlanks(cursor, escapedBreak, parts);
  }
  cursor.at++;
  return parts.length === 1 ? parts[0]! : parts.join('');
}

/** Reads to a blank, a break, the end or the closing quote. True behind a break that a backslash takes away. */
function scanWord(cursor: Cursor, quote: number, parts: string[]): boolean {
  const { text } = cursor;
  const single = quote === singleQuote;
  let from = cursor.at;
  for (let code = cursor.peek(); !isBlankOrEnd(code); code = text.charCodeAt(cursor.at)) {
    if (code === quote) {
      if (!single || cursor.peek(1) !== singleQuote) break;
      parts.push(text.slice(from, cursor.at + 1));
      cursor.at += 2;
      from = cursor.at;
    } else if (code === backslash && !single) {
      if (from < cursor.at) parts.push(text.slice(from, cursor.at));
      if (isBreak(cursor.peek(1))) {
        cursor.ahead(3);
        cursor.at++;
        cursor.skipBreak();
        return true;
      }
      parts.push(scanEscape(cursor));
      from = cursor.at;
    } else if (isHighSurrogate(code)) cursor.skip();
    else cursor.at++;
    cursor.ahead(2);
  }
  if (from < cursor.at) parts.push(text.slice(from, cursor.at));
  return false;
}

function scanEscape(cursor: Cursor): string {
  const char = String.fromCharCode(cursor.peek(1));
  const length = codeLengths.get(char);
  if (length === undefined) {
    const meaning = escapes.get(char);
    if (meaning === undefined) cursor.fail('found unknown escape character');
    cursor.at += 2;
    return meaning;
  }
  cursor.at += 2;
  cursor.ahead(length);
  let code = 0;
  for (let i = 0; i < length; i++) {
    const digit = hexValue(cursor.peek(i));
    if (digit < 0) cursor.fail('did not find expected hexdecimal number');
    code = code * 16 + digit;
  }
  if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) {
    cursor.fail('found invalid Unicode character escape code');
  }
  cursor.at += length;
  return String.fromCodePoint(code);
}

/** Moves over blanks and breaks, and adds what they mean. Behind an escaped break they mean nothing but their breaks. */
function scanBlanks(cursor: Cursor, escapedBreak: boolean, parts: string[]): void {
  const from = cursor.at;
  let to = from;
  let breaks: string | undefined = escapedBreak ? '' : undefined;
  for (;;) {
    const code = cursor.peek();
    if (isBlank(code)) {
      cursor.at++;
      if (breaks === undefined) to = cursor.at;
    } else if (isBreak(code)) {
      cursor.ahead(2);
      breaks = foldBreak(breaks, cursor.skipBreak());
    } else break;
    cursor.ahead(1);
  }
  const meaning = breaks ?? cursor.text.slice(from, to);
  if (meaning !== '') parts.push(meaning);
}
