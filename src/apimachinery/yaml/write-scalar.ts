/**
 * One scalar as go-yaml writes it: plain where that says the same, else in single quotes, double quotes or as a literal
 * block, folded at spaces behind column 80. Upstream: go.yaml.in/yaml/v2 (encode.go stringv, floatv; emitterc.go
 * yaml_emitter_analyze_scalar and the writers of each style).
 */
import { goGeneral } from '../field.ts';
import { resolvePlain } from './scalar.ts';
import { isTimestamp } from './timestamp.ts';

export interface ScalarPlace {
  /** Where the line stands, in characters. */
  readonly column: number;
  /** Where folded lines and literal blocks begin. */
  readonly indent: number;
  /** A key before its colon is never folded. */
  readonly key: boolean;
}

const bestWidth = 80;

export function scalarText(value: unknown, place: ScalarPlace): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return stringText(value, place);
  if (typeof value === 'number') return numberText(value);
  return String(value);
}

/** Go's FormatFloat with verb g and the shortest digits; integers as they are. */
function numberText(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf';
  return Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 64 ? String(BigInt(value)) : goGeneral(value);
}

type Style = 'plain' | 'single' | 'double' | 'literal';

/** What go-yaml's emitter takes for printable; the rest is escaped in double quotes. */
const unprintable = /[^\n\x20-\x7e\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/u;
const breaks = /[\n\r\x85\u2028\u2029]/;
const keepsSpace = / [\n\u2028\u2029]/;
const indents = /[\n\u2028\u2029] /;
const indicators = /^(?:[#,[\]{}&*!|>'"%@`]|[?:](?=$|[ \t])|-(?=$|[ \t])|---|\.\.\.)|:(?=$|[ \t])|[ \t]#/;

const base60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;

/** A reader would take the plain text for a string. */
function readsAsString(text: string): boolean {
  return typeof resolvePlain(text) === 'string' && !isTimestamp(text) && !base60.test(text);
}

/** Names, paths, versions: nothing in them means anything. */
const word = /^[A-Za-z/][A-Za-z0-9/_.-]*$/;

function styleOf(text: string, key: boolean): Style {
  const special = unprintable.test(text) || keepsSpace.test(text);
  if (text.includes('\n')) return special || text.endsWith(' ') || key ? 'double' : 'literal';
  if (!readsAsString(text)) return 'double';
  const edges = text.startsWith(' ') || text.endsWith(' ');
  if (!special && !edges && !breaks.test(text) && !indicators.test(text)) return 'plain';
  return special || indents.test(text) ? 'double' : 'single';
}

function stringText(text: string, place: ScalarPlace): string {
  if (word.test(text)) return readsAsString(text) ? text : `"${text}"`;
  switch (styleOf(text, place.key)) {
    case 'plain':
      return foldedText(text, place, '');
    case 'single':
      return `'${foldedText(text, place, "'")}'`;
    case 'double':
      return doubleQuoted(text, place);
    case 'literal':
      return literalText(text, place);
  }
}

/** Text that stands for itself, with lines broken at single spaces behind the best width. `quote`: what is around it. */
function foldedText(text: string, { column, indent, key }: ScalarPlace, quote: string): string {
  const inner = quote === '' ? text : text.replaceAll(quote, quote + quote);
  if (!breaks.test(inner) && (key || column + inner.length + quote.length <= bestWidth)) return inner;
  const chars = [...inner];
  let at = column + quote.length;
  let out = '';
  let afterSpace = false;
  let afterBreak = false;
  for (const [i, char] of chars.entries()) {
    const inside = quote === '' || (i > 0 && i < chars.length - 1);
    if (char === ' ' && !key && !afterSpace && at > bestWidth && inside && chars[i + 1] !== ' ') {
      out += `\n${' '.repeat(indent)}`;
      at = indent;
    } else if (breaks.test(char)) {
      out += char;
      at = 0;
      afterBreak = true;
      continue;
    } else {
      if (afterBreak && char !== ' ') {
        out += ' '.repeat(Math.max(indent - at, 0));
        at = Math.max(indent, at);
      }
      out += char;
      at++;
    }
    afterSpace = char === ' ';
    if (char !== ' ') afterBreak = false;
  }
  return out;
}

const escapes: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\x1b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\x85': '\\N',
  '\xa0': '\\_',
  '\u2028': '\\L',
  '\u2029': '\\P',
};

function escaped(char: string): string {
  const code = char.codePointAt(0)!;
  const hex = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

const mustEscape = /[^\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]|["\\]/u;

function doubleQuoted(text: string, { column, indent, key }: ScalarPlace): string {
  const chars = [...text];
  // Upstream looks for a byte order mark at the begin, wherever it stands itself.
  const all = chars[0] === '\ufeff';
  let at = column + 1;
  let out = '"';
  let afterSpace = false;
  for (const [i, char] of chars.entries()) {
    if (all || mustEscape.test(char)) {
      const piece = escapes[char] ?? escaped(char);
      out += piece;
      at += piece.length;
      afterSpace = false;
    } else if (char === ' ' && !key && !afterSpace && at > bestWidth && i > 0 && i < chars.length - 1) {
      const mark = chars[i + 1] === ' ' ? '\\' : '';
      out += `\n${' '.repeat(indent)}${mark}`;
      at = indent + mark.length;
      afterSpace = true;
    } else {
      out += char;
      at++;
      afterSpace = char === ' ';
    }
  }
  return `${out}"`;
}

function literalText(text: string, { indent }: ScalarPlace): string {
  const hint = /^[ \n\u2028\u2029]/.test(text) ? '2' : '';
  const chomp = !/[\n\u2028\u2029]$/.test(text) ? '-' : /(?:^|[\n\u2028\u2029])[\n\u2028\u2029]$/.test(text) ? '+' : '';
  // An emitter that has just broken a line has nothing to indent in an empty one.
  const lines = text.replace(/[^\n\u2028\u2029]+/g, line => ' '.repeat(indent) + line);
  return `|${hint}${chomp}\n${lines}`;
}
