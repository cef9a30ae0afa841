/**
 * One scalar as go-yaml writes it: plain where that says the same, else in single quotes, double quotes or as a literal
 * block, folded at spaces behind column 80. Upstream: go.yaml.in/yaml/v2 (encode.go stringv, floatv; emitterc.go
 * yaml_emitter_analyze_scalar and the writers of each style; resolve.go).
 */
import { resolvePlain } from './scalar.ts';

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
  if (Number.isSafeInteger(value)) return String(value);
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 21 && (power < 6 || Number.isInteger(value))) {
    const plain = String(value);
    if (!plain.includes('e')) return plain;
  }
  const size = String(Math.abs(power)).padStart(2, '0');
  return `${digits}e${power < 0 ? '-' : '+'}${size}`;
}

interface Analysis {
  readonly plain: boolean;
  readonly single: boolean;
  readonly literal: boolean;
}

/** What go-yaml's emitter takes for printable; the rest is escaped in double quotes. */
const unprintable = /[^\n\x20-\x7e\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/u;
const otherBreaks = /[\u2028\u2029]/;
const blockIndicators = /^(?:[#,[\]{}&*!|>'"%@`]|[?:](?=$|[ \t\n])|-(?=$|[ \t\n])|---|\.\.\.)|:(?=$|[ \t\n])|[ \t\n]#/;

function analyze(text: string): Analysis {
  if (text === '') return { plain: true, single: true, literal: false };
  const special = unprintable.test(text) || otherBreaks.test(text);
  const spaceBreak = / \n/.test(text);
  const breakSpace = /\n /.test(text);
  const edges = /^[ \n]|[ \n]$/.test(text);
  const breaks = text.includes('\n');
  const bad = special || spaceBreak;
  return {
    plain: !(edges || breakSpace || bad || breaks || blockIndicators.test(text)),
    single: !(breakSpace || bad),
    literal: !(text.endsWith(' ') || bad),
  };
}

const base60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;
const timestamp =
  /^\d{4}-\d{1,2}-\d{1,2}(?:[Tt]\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d*)?(?:Z|[-+]\d\d:\d\d)| \d{1,2}:\d{1,2}:\d{1,2}(?:\.\d*)?)?$/;

/** A reader would take the plain text for a string. */
function readsAsString(text: string): boolean {
  if (text === '<<' || base60.test(text)) return false;
  if (timestamp.test(text) && !Number.isNaN(Date.parse(text.slice(0, 10)))) return false;
  return typeof resolvePlain(text) === 'string';
}

function stringText(text: string, place: ScalarPlace): string {
  const { plain, single, literal } = analyze(text);
  if (text.includes('\n')) return literal && !place.key ? literalText(text, place) : doubleQuoted(text, place);
  if (!readsAsString(text)) return doubleQuoted(text, place);
  if (plain && !(text === '' && place.key)) return folded(text, place, 0);
  return single ? `'${folded(text.replaceAll("'", "''"), place, 1)}'` : doubleQuoted(text, place);
}

/** Breaks lines at single spaces behind the best width. `quotes`: characters written before the text. */
function folded(text: string, { column, indent, key }: ScalarPlace, quotes: number): string {
  if (key || column + text.length + quotes <= bestWidth) return text;
  const chars = [...text];
  let at = column + quotes;
  let out = '';
  let spaces = false;
  for (const [i, char] of chars.entries()) {
    const inside = quotes === 0 || (i > 0 && i < chars.length - 1);
    if (char === ' ' && !spaces && at > bestWidth && inside && chars[i + 1] !== ' ') {
      out += `\n${' '.repeat(indent)}`;
      at = indent;
    } else {
      out += char;
      at++;
    }
    spaces = char === ' ';
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

function doubleQuoted(text: string, { column, indent, key }: ScalarPlace): string {
  const chars = [...text];
  let at = column + 1;
  let out = '"';
  let spaces = false;
  for (const [i, char] of chars.entries()) {
    const mustEscape = unprintable.test(char) || '\n"\\\u2028\u2029'.includes(char);
    if (mustEscape) {
      const piece = escapes[char] ?? escaped(char);
      out += piece;
      at += piece.length;
      spaces = false;
    } else if (char === ' ' && !key && !spaces && at > bestWidth && i > 0 && i < chars.length - 1) {
      out += `\n${' '.repeat(indent)}${chars[i + 1] === ' ' ? '\\' : ''}`;
      at = indent;
      spaces = true;
    } else {
      out += char;
      at++;
      spaces = char === ' ';
    }
  }
  return `${out}"`;
}

function literalText(text: string, { indent }: ScalarPlace): string {
  const hint = /^[ \n]/.test(text) ? '2' : '';
  const chomp = !text.endsWith('\n') ? '-' : text === '\n' || text.endsWith('\n\n') ? '+' : '';
  const lines = text.split('\n').map(line => (line === '' ? '' : ' '.repeat(indent) + line));
  return `|${hint}${chomp}\n${lines.join('\n')}`;
}
