/**
 * Anchors, aliases, tags and directives.
 * Upstream: go.yaml.in/yaml/v2 scannerc.go (yaml_parser_scan_anchor, _tag, _tag_uri, _directive).
 */
import { hexValue, isBlank, isBlankOrEnd, isBreak, isBreakOrEnd, isDigit, isName, isUri } from './characters.ts';
import type { Cursor } from './cursor.ts';

const [exclamation, percent, hash, dot, less, greater] = [0x21, 0x25, 0x23, 0x2e, 0x3c, 0x3e];
/** What may follow an anchor without a blank. */
const afterAnchor = '?:,]}%@`';

/** Reads the name behind `&` or `*`. */
export function scanAnchor(cursor: Cursor): string {
  cursor.at++;
  const name = scanName(cursor);
  const next = cursor.peek();
  if (name === '' || !(isBlankOrEnd(next) || afterAnchor.includes(String.fromCharCode(next)))) {
    cursor.fail('did not find expected alphabetic or numeric character');
  }
  return name;
}

function scanName(cursor: Cursor): string {
  const from = cursor.at;
  cursor.ahead(1);
  while (isName(cursor.peek())) {
    cursor.at++;
    cursor.ahead(1);
  }
  return cursor.text.slice(from, cursor.at);
}

function skipBlanks(cursor: Cursor): void {
  cursor.ahead(1);
  while (isBlank(cursor.peek())) {
    cursor.at++;
    cursor.ahead(1);
  }
}

/** Reads `!suffix`, `!handle!suffix` or `!<tag>`; the handle of the last is empty. */
export function scanTag(cursor: Cursor): { readonly handle: string; readonly suffix: string } {
  cursor.ahead(2);
  let handle = '';
  let suffix: string;
  if (cursor.peek(1) === less) {
    cursor.at += 2;
    suffix = scanUri(cursor, '');
    if (cursor.peek() !== greater) cursor.fail("did not find the expected '>'");
    cursor.at++;
  } else {
    handle = scanHandle(cursor, false);
    if (handle.length > 1 && handle.endsWith('!')) suffix = scanUri(cursor, '');
    else {
      suffix = scanUri(cursor, handle);
      handle = '!';
      if (suffix === '') [handle, suffix] = ['', '!'];
    }
  }
  cursor.ahead(1);
  if (!isBlankOrEnd(cursor.peek())) cursor.fail('did not find expected whitespace or line break');
  return { handle, suffix };
}

function scanHandle(cursor: Cursor, directive: boolean): string {
  cursor.ahead(1);
  if (cursor.peek() !== exclamation) cursor.fail("did not find expected '!'");
  cursor.at++;
  const name = scanName(cursor);
  if (cursor.peek() === exclamation) {
    cursor.at++;
    return `!${name}!`;
  }
  if (directive && name !== '') cursor.fail("did not find expected '!'");
  return `!${name}`;
}

/** Reads what a tag is made of. `head`: what was taken for a handle; its first character does not count. */
function scanUri(cursor: Cursor, head: string): string {
  let uri = head.slice(1);
  let found = head !== '';
  cursor.ahead(1);
  for (let code = cursor.peek(); isUri(code); code = cursor.peek()) {
    if (code === percent) uri += scanUriEscapes(cursor);
    else {
      uri += String.fromCharCode(code);
      cursor.at++;
    }
    cursor.ahead(1);
    found = true;
  }
  if (!found) cursor.fail('did not find expected tag URI');
  return uri;
}

/** The octets of one character. Tags are only compared, so each octet stands for itself. */
function scanUriEscapes(cursor: Cursor): string {
  let octets = '';
  let left = 1;
  do {
    cursor.ahead(3);
    const [high, low] = [hexValue(cursor.peek(1)), hexValue(cursor.peek(2))];
    if (cursor.peek() !== percent || high < 0 || low < 0) cursor.fail('did not find URI escaped octet');
    const octet = high * 16 + low;
    if (octets === '') {
      left = octet < 0x80 ? 1 : octet < 0xc0 ? 0 : octet < 0xe0 ? 2 : octet < 0xf0 ? 3 : octet < 0xf8 ? 4 : 0;
      if (left === 0) cursor.fail('found an incorrect leading UTF-8 octet');
    } else if ((octet & 0xc0) !== 0x80) cursor.fail('found an incorrect trailing UTF-8 octet');
    octets += String.fromCharCode(octet);
    cursor.at += 3;
  } while (--left > 0);
  return octets;
}

export interface Directive {
  readonly kind: 'version directive' | 'tag directive';
  /** The version, or the handle. */
  readonly value: string;
  /** What the handle stands for. */
  readonly suffix: string;
}

/** Reads from `%` to behind the line. */
export function scanDirective(cursor: Cursor): Directive {
  cursor.at++;
  const name = scanName(cursor);
  if (name === '') cursor.fail('could not find expected directive name');
  if (!isBlankOrEnd(cursor.peek())) cursor.fail('found unexpected non-alphabetical character');
  if (name !== 'YAML' && name !== 'TAG') cursor.fail('found unknown directive name');
  const directive = name === 'YAML' ? scanVersion(cursor) : scanTagDirective(cursor);
  skipBlanks(cursor);
  if (cursor.peek() === hash) cursor.skipLine();
  if (!isBreakOrEnd(cursor.peek())) cursor.fail('did not find expected comment or line break');
  if (isBreak(cursor.peek())) {
    cursor.ahead(2);
    cursor.skipBreak();
  }
  return directive;
}

function scanVersion(cursor: Cursor): Directive {
  skipBlanks(cursor);
  const major = scanVersionNumber(cursor);
  if (cursor.peek() !== dot) cursor.fail("did not find expected digit or '.' character");
  cursor.at++;
  return { kind: 'version directive', value: `${major}.${scanVersionNumber(cursor)}`, suffix: '' };
}

function scanVersionNumber(cursor: Cursor): number {
  const from = cursor.at;
  cursor.ahead(1);
  while (isDigit(cursor.peek())) {
    if (cursor.at - from === 2) cursor.fail('found extremely long version number');
    cursor.at++;
    cursor.ahead(1);
  }
  if (cursor.at === from) cursor.fail('did not find expected version number');
  return Number(cursor.text.slice(from, cursor.at));
}

function scanTagDirective(cursor: Cursor): Directive {
  skipBlanks(cursor);
  const value = scanHandle(cursor, true);
  cursor.ahead(1);
  if (!isBlank(cursor.peek())) cursor.fail('did not find expected whitespace');
  skipBlanks(cursor);
  const suffix = scanUri(cursor, '');
  cursor.ahead(1);
  if (!isBlankOrEnd(cursor.peek())) cursor.fail('did not find expected whitespace or line break');
  return { kind: 'tag directive', value, suffix };
}
