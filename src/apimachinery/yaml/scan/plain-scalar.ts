/**
 * Scalars without quotes. Lines are folded: a break becomes a space, further ones stay.
 * Upstream: go.yaml.in/yaml/v2 scannerc.go (yaml_parser_scan_plain_scalar).
 */
import { isBlank, isBlankOrEnd, isBreak, isFlowIndicator, isHighSurrogate } from './characters.ts';
import type { Cursor } from './cursor.ts';

interface PlainScalarPlace {
  readonly inFlow: boolean;
  /** The first column that belongs to the scalar. */
  readonly indent: number;
}

export interface PlainScalar {
  readonly value: string;
  /** Its last line has ended, so a key may follow. */
  readonly endsLine: boolean;
}

const [colon, hash] = [0x3a, 0x23];

export function scanPlainScalar(cursor: Cursor, { inFlow, indent }: PlainScalarPlace): PlainScalar {
  const { text } = cursor;
  let value = '';
  // The part of the text that is to be added to the value: what lies between words of one line belongs to it.
  let from = cursor.at;
  let to = cursor.at;
  let breaks: string | undefined;
  for (;;) {
    cursor.ahead(4);
    if (cursor.isAtDocumentIndicator() || cursor.peek() === hash) break;
    const word = cursor.at;
    scanWord(cursor, inFlow);
    if (cursor.at > word) {
      if (breaks !== undefined) {
        value += text.slice(from, to) + breaks;
        from = word;
        breaks = undefined;
      }
      to = cursor.at;
    }
    const code = cursor.peek();
    if (!(isBlank(code) || isBreak(code))) break;
    breaks = scanBlanks(cursor, indent, breaks);
    if (!inFlow && cursor.column < indent) break;
  }
  const last = text.slice(from, to);
  return { value: value === '' ? last : value + last, endsLine: breaks !== undefined };
}

/** Moves to what ends a word. */
function scanWord(cursor: Cursor, inFlow: boolean): void {
  const { text, readable } = cursor;
  let at = cursor.at;
  for (let code = text.charCodeAt(at); !isBlankOrEnd(code); code = text.charCodeAt(at)) {
    if (code === colon && isBlankOrEnd(text.charCodeAt(at + 1))) break;
    if (inFlow && isFlowIndicator(code)) break;
    if (isHighSurrogate(code)) {
      cursor.at = at;
      cursor.skip();
      at = cursor.at;
    } else at++;
    if (at + 2 > readable) {
      cursor.at = at;
      cursor.ahead(2);
    }
  }
  cursor.at = at;
}

/** Moves over blanks and breaks. Answers what the breaks since the last word fold to; undefined without any. */
function scanBlanks(cursor: Cursor, indent: number, before: string | undefined): string | undefined {
  let breaks = before;
  for (;;) {
    cursor.ahead(1);
    const code = cursor.peek();
    if (isBlank(code)) {
      if (breaks !== undefined && cursor.column < indent && code === 9) {
        cursor.fail('found a tab character that violates indentation');
      }
      cursor.at++;
    } else if (isBreak(code)) {
      cursor.ahead(2);
      breaks = foldBreak(breaks, cursor.skipBreak());
    } else return breaks;
  }
}

/** What breaks fold to with one more: the first one to a space, unless others follow or it is one that stays. */
export function foldBreak(breaks: string | undefined, next: string): string {
  if (breaks === undefined) return next === '\n' ? ' ' : next;
  return breaks === ' ' ? next : breaks + next;
}
