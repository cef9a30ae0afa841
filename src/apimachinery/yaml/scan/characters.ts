/**
 * Which characters mean what to YAML 1.1. Characters are codes of UTF-16; the end of the text is 0, which no text holds.
 * Upstream: go.yaml.in/yaml/v2 yamlprivateh.go.
 */

/** Ends a word. */
const blank = 1;
/** Ends a plain scalar inside brackets. */
const flow = 2;
/** May stand in names of anchors, handles and directives. */
const name = 4;
/** Is no begin of a plain scalar by itself. */
const indicator = 8;
/** May stand in a tag. */
const uri = 16;
/** Breaks a line. */
const lineBreak = 32;
/** The end of the text. */
const end = 64;
/** Stands for something else within double quotes. */
const escaped = 128;

const table = new Uint8Array(256);
const mark = (flag: number, chars: string): void => {
  for (const char of chars) table[char.charCodeAt(0)]! |= flag;
};
mark(blank, ' \t\n\r\0\x85');
mark(flow, ',?[]{}');
mark(name | uri, '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-');
mark(uri, ";/?:@&=+$,.!~*'()[]%");
mark(lineBreak, '\n\r\x85');
mark(end, '\0');
mark(escaped, '\\');
mark(indicator, '-?:,[]{}#&*!|>\'"%@`');

/** A blank, a line break or the end. */
export const isBlankOrEnd = (code: number): boolean =>
  code < 256 ? (table[code]! & blank) !== 0 : code === 0x2028 || code === 0x2029;
export const isBlank = (code: number): boolean => code === 32 || code === 9;
export const isBreak = (code: number): boolean =>
  code < 256 ? (table[code]! & lineBreak) !== 0 : code === 0x2028 || code === 0x2029;
export const isBreakOrEnd = (code: number): boolean =>
  code < 256 ? (table[code]! & (lineBreak | end)) !== 0 : code === 0x2028 || code === 0x2029;
/** What a scalar in quotes cannot be cut out of the text with: breaks, escapes, characters of two codes. */
export const needsCare = (code: number): boolean =>
  code < 256
    ? (table[code]! & (lineBreak | end | escaped)) !== 0
    : code === 0x2028 || code === 0x2029 || isHighSurrogate(code);
export const isFlowIndicator = (code: number): boolean => code < 256 && (table[code]! & flow) !== 0;
export const isIndicator = (code: number): boolean => code < 256 && (table[code]! & indicator) !== 0;
export const isName = (code: number): boolean => code < 256 && (table[code]! & name) !== 0;
export const isUri = (code: number): boolean => code < 256 && (table[code]! & uri) !== 0;
export const isDigit = (code: number): boolean => code >= 48 && code <= 57;
/** The first half of a character that takes two codes. */
export const isHighSurrogate = (code: number): boolean => (code & 0xfc00) === 0xd800;

/** The value of a hexadecimal digit, or -1. */
export function hexValue(code: number): number {
  if (isDigit(code)) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
