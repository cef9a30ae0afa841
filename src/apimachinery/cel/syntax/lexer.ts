/**
 * Tokens of an expression. Where no token matches, the fault is reported as ANTLR's generated lexers do, and lexing
 * goes on behind it. Upstream: cel-go parser/gen/CEL.g4, lexer rules.
 */

/** Names of tokens as error messages list them; the order is that of the grammar. */
export const tokenNames = [
  '<EOF>',
  "'=='",
  "'!='",
  "'in'",
  "'<'",
  "'<='",
  "'>='",
  "'>'",
  "'&&'",
  "'||'",
  "'['",
  "']'",
  "'{'",
  "'}'",
  "'('",
  "')'",
  "'.'",
  "','",
  "'-'",
  "'!'",
  "'?'",
  "':'",
  "'+'",
  "'*'",
  "'/'",
  "'%'",
  "'true'",
  "'false'",
  "'null'",
  'NUM_FLOAT',
  'NUM_INT',
  'NUM_UINT',
  'STRING',
  'BYTES',
  'IDENTIFIER',
  'ESC_IDENTIFIER',
] as const;

/** Kinds of tokens: indices into {@link tokenNames}. */
export const T = {
  eof: 0,
  equals: 1,
  notEquals: 2,
  in: 3,
  less: 4,
  lessEquals: 5,
  greaterEquals: 6,
  greater: 7,
  and: 8,
  or: 9,
  leftBracket: 10,
  rightBracket: 11,
  leftBrace: 12,
  rightBrace: 13,
  leftParen: 14,
  rightParen: 15,
  dot: 16,
  comma: 17,
  minus: 18,
  not: 19,
  question: 20,
  colon: 21,
  plus: 22,
  star: 23,
  slash: 24,
  percent: 25,
  true: 26,
  false: 27,
  null: 28,
  float: 29,
  int: 30,
  uint: 31,
  string: 32,
  bytes: 33,
  identifier: 34,
  escaped: 35,
} as const;

export interface Token {
  readonly type: number;
  readonly text: string;
  /** Offset in UTF-16 units. */
  readonly start: number;
}

/** A place where no token matches: the text that was read in vain. */
export interface LexicalFault {
  readonly start: number;
  readonly text: string;
}

const keywords: ReadonlyMap<string, number> = new Map([
  ['in', T.in],
  ['true', T.true],
  ['false', T.false],
  ['null', T.null],
]);

const punctuation: ReadonlyMap<string, number> = new Map(
  tokenNames
    .map((name, type): [string, number] => [name.slice(1, -1), type])
    .filter(([, type]) => type >= T.equals && type <= T.percent && type !== T.in),
);

const identifierPattern = /[A-Za-z_][A-Za-z0-9_]*/y;
const numberPattern =
  /(?<float>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)|(?<uint>0x[0-9a-fA-F]+[uU]|[0-9]+[uU])|(?<int>0x[0-9a-fA-F]+|[0-9]+)/y;
const blankPattern = /(?:[\t \r\n\f]|\/\/[^\n]*)+/y;
const escapedIdentifierPattern = /`[A-Za-z0-9_./ -]*/y;
const escapePattern = /\\(?:[abfnrtv"'\\?`]|[0-3][0-7][0-7]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})/y;
const prefixPattern = /[bB]?[rR]?(?=["'])/y;

const matchAt = (pattern: RegExp, text: string, at: number): string | undefined => {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
};

/** All tokens, the last one being the end, and the faults between them. */
export function tokenize(text: string): { tokens: Token[]; faults: LexicalFault[] } {
  const tokens: Token[] = [];
  const faults: LexicalFault[] = [];
  let at = 0;
  for (;;) {
    at += matchAt(blankPattern, text, at)?.length ?? 0;
    if (at >= text.length) break;
    const found = nextToken(text, at);
    if ('failedAt' in found) {
      const end = Math.min(found.failedAt + characterLength(text, found.failedAt), text.length);
      faults.push({ start: at, text: text.slice(at, end) });
      at = end;
    } else {
      tokens.push(found);
      at += found.text.length;
    }
  }
  tokens.push({ type: T.eof, text: '<EOF>', start: text.length });
  return { tokens, faults };
}

function nextToken(text: string, at: number): Token | { failedAt: number } {
  const literal = quoted(text, at);
  if (typeof literal === 'object') return literal;
  const word = matchAt(identifierPattern, text, at);
  if (word !== undefined) return { type: keywords.get(word) ?? T.identifier, text: word, start: at };
  numberPattern.lastIndex = at;
  const number = numberPattern.exec(text);
  if (number !== null) {
    const type = number.groups?.float !== undefined ? T.float : number.groups?.uint !== undefined ? T.uint : T.int;
    return { type, text: number[0], start: at };
  }
  if (typeof literal === 'number') return { failedAt: literal };
  return operatorAt(text, at);
}

function operatorAt(text: string, at: number): Token | { failedAt: number } {
  for (const length of [2, 1]) {
    const candidate = text.slice(at, at + length);
    const type = punctuation.get(candidate);
    if (type !== undefined && candidate.length === length) return { type, text: candidate, start: at };
  }
  const name = matchAt(escapedIdentifierPattern, text, at);
  if (name !== undefined) {
    const end = at + name.length;
    if (text[end] === '`' && name.length > 1) {
      return { type: T.escaped, text: `${name}\``, start: at };
    }
    return { failedAt: end };
  }
  return { failedAt: '&|='.includes(text[at] as string) ? at + 1 : at };
}

/** A string or bytes literal; the offset where it fails; undefined when none begins here. */
function quoted(text: string, at: number): Token | number | undefined {
  const prefix = matchAt(prefixPattern, text, at);
  if (prefix === undefined) return undefined;
  const raw = /r/i.test(prefix);
  const type = /b/i.test(prefix) ? T.bytes : T.string;
  const open = at + prefix.length;
  const quote = text[open] as string;
  const token = (end: number): Token => ({ type, text: text.slice(at, end), start: at });
  const triple = quote.repeat(3);
  if (text.startsWith(triple, open)) {
    const end = closing(text, open + 3, triple, raw, true);
    return end.closed ? token(end.at) : token(open + 2);
  }
  const end = closing(text, open + 1, quote, raw, false);
  return end.closed ? token(end.at) : end.at;
}

/** Scans to behind the closing quote, or to where the literal fails. */
function closing(
  text: string,
  from: number,
  quote: string,
  raw: boolean,
  multiline: boolean,
): { closed: boolean; at: number } {
  let at = from;
  while (at < text.length) {
    if (text.startsWith(quote, at)) return { closed: true, at: at + quote.length };
    const character = text[at] as string;
    if (character === '\\' && !raw) {
      const sequence = matchAt(escapePattern, text, at);
      if (sequence === undefined) return { closed: false, at: escapeFailure(text, at) };
      at += sequence.length;
      continue;
    }
    if (!multiline && (character === '\n' || character === '\r')) return { closed: false, at };
    at += characterLength(text, at);
  }
  return { closed: false, at };
}

/** Where an escape sequence goes wrong. */
function escapeFailure(text: string, at: number): number {
  const kind = text[at + 1];
  if (kind === undefined) return at + 1;
  if (/[0-3]/.test(kind)) return /[0-7]/.test(text[at + 2] ?? '') ? at + 3 : at + 2;
  const wanted = { x: 2, X: 2, u: 4, U: 8 }[kind];
  if (wanted === undefined) return at + 1;
  let digits = 0;
  while (digits < wanted && /[0-9a-fA-F]/.test(text[at + 2 + digits] ?? '')) digits++;
  return at + 2 + digits;
}

const characterLength = (text: string, at: number): number => ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
