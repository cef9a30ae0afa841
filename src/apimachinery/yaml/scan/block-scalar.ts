/**
 * Scalars behind `|` and `>`. Upstream: go.yaml.in/yaml/v2 scannerc.go (yaml_parser_scan_block_scalar).
 */
import { isBlank, isBreak, isBreakOrEnd, isDigit } from './characters.ts';
import type { Cursor } from './cursor.ts';

interface BlockScalarPlace {
  /** `|`, whose breaks stay; else `>`, whose lines are folded. */
  readonly literal: boolean;
  /** The column of the block that holds the scalar. */
  readonly parentIndent: number;
}

type Chomping = 'clip' | 'keep' | 'strip';

const [plus, minus, zero, hash] = [0x2b, 0x2d, 0x30, 0x23];

/** Reads from the indicator to the first line that no longer belongs to the scalar. */
export function scanBlockScalar(cursor: Cursor, { literal, parentIndent }: BlockScalarPlace): string {
  cursor.at++;
  const { chomping, increment } = scanHeader(cursor);
  const given = increment > 0 ? Math.max(parentIndent, 0) + increment : 0;
  let { indent, breaks } = scanBreaks(cursor, given, parentIndent);
  cursor.ahead(1);
  let value = '';
  let lineBreak = '';
  let afterBlank = false;
  while (cursor.column === indent && cursor.peek() !== 0) {
    const blank = isBlank(cursor.peek());
    const isFolded = !literal && !afterBlank && !blank && lineBreak === '\n';
    value += isFolded ? breaks || ' ' : lineBreak + breaks;
    afterBlank = blank;
    const from = cursor.at;
    cursor.skipLine();
    value += cursor.text.slice(from, cursor.at);
    cursor.ahead(2);
    lineBreak = isBreak(cursor.peek()) ? cursor.skipBreak() : '';
    ({ indent, breaks } = scanBreaks(cursor, indent, parentIndent));
  }
  if (chomping !== 'strip') value += lineBreak;
  return chomping === 'keep' ? value + breaks : value;
}

/** What follows the indicator in its line. */
function scanHeader(cursor: Cursor): { readonly chomping: Chomping; readonly increment: number } {
  cursor.ahead(1);
  let chomping = scanChomping(cursor);
  const increment = scanIncrement(cursor);
  if (chomping === undefined && increment > 0) chomping = scanChomping(cursor);
  cursor.ahead(1);
  while (isBlank(cursor.peek())) {
    cursor.at++;
    cursor.ahead(1);
  }
  if (cursor.peek() === hash) cursor.skipLine();
  if (!isBreakOrEnd(cursor.peek())) cursor.fail('did not find expected comment or line break');
  if (isBreak(cursor.peek())) {
    cursor.ahead(2);
    cursor.skipBreak();
  }
  return { chomping: chomping ?? 'clip', increment };
}

function scanChomping(cursor: Cursor): Chomping | undefined {
  const code = cursor.peek();
  if (code !== plus && code !== minus) return undefined;
  cursor.at++;
  cursor.ahead(1);
  return code === plus ? 'keep' : 'strip';
}

function scanIncrement(cursor: Cursor): number {
  const code = cursor.peek();
  if (!isDigit(code)) return 0;
  if (code === zero) cursor.fail('found an indentation indicator equal to 0');
  cursor.at++;
  cursor.ahead(1);
  return code - zero;
}

/** Moves over indentation and empty lines. An `indent` of 0 is found out by the deepest of these lines. */
function scanBreaks(
  cursor: Cursor,
  indent: number,
  parentIndent: number,
): { readonly indent: number; readonly breaks: string } {
  let breaks = '';
  let deepest = 0;
  for (;;) {
    cursor.ahead(1);
    while ((indent === 0 || cursor.column < indent) && cursor.peek() === 32) {
      cursor.at++;
      cursor.ahead(1);
    }
    deepest = Math.max(deepest, cursor.column);
    if ((indent === 0 || cursor.column < indent) && cursor.peek() === 9) {
      cursor.fail('found a tab character where an indentation space is expected');
    }
    if (!isBreak(cursor.peek())) break;
    cursor.ahead(2);
    breaks += cursor.skipBreak();
  }
  return { indent: indent === 0 ? Math.max(deepest, parentIndent + 1, 1) : indent, breaks };
}
