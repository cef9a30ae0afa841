/**
 * The scanner of YAML 1.1 in the design of libyaml: characters become tokens, indentation becomes tokens that open and
 * close blocks. A colon makes what stood before it a key, so tokens wait in a queue while their first one may be a key.
 * Upstream: go.yaml.in/yaml/v2 scannerc.go, whose order of checks decides which of several faults is told.
 */
import type { YamlSource } from '../source.ts';
import { scanBlockScalar } from './block-scalar.ts';
import { isBlankOrEnd, isBreak, isIndicator } from './characters.ts';
import { Cursor } from './cursor.ts';
import { scanPlainScalar } from './plain-scalar.ts';
import { TokenQueue } from './queue.ts';
import { scanQuotedScalar } from './quoted-scalar.ts';
import { scanAnchor, scanDirective, scanTag } from './tag.ts';
import type { SimpleKey, Token, TokenKind } from './token.ts';

/** How deep brackets, and how deep blocks may be nested. */
const maxDepth = 10000;
/** How far behind its begin a key's colon may stand, in characters. */
const maxKeyLength = 1024;

const [minus, question, colon, hash, percent, bar, greater] = [0x2d, 0x3f, 0x3a, 0x23, 0x25, 0x7c, 0x3e];

export class Scanner {
  readonly cursor: Cursor;
  /** How many brackets are open. */
  flowLevel = 0;
  /** The column of the block that is open; -1 outside of all. */
  indent = -1;
  /** What begins here may be a key. */
  keyAllowed = true;

  readonly #queue = new TokenQueue();
  /** The head is known to be no key. */
  #available = false;
  #started = false;
  readonly #indents: number[] = [];
  /** The possible key of each level of brackets. */
  readonly #keys: (SimpleKey | undefined)[] = [undefined];
  #pendingKey: SimpleKey | undefined;
  /** The brackets that are open. */
  readonly #brackets: Token[] = [];

  constructor(source: YamlSource) {
    this.cursor = new Cursor(source);
  }

  /** The next token, which stays. Throws InputError `yaml`. */
  peek(): Token {
    if (!this.#available) this.#fetchMore();
    return this.#queue.head!;
  }

  /** Removes the token that {@link peek} answered. */
  drop(): void {
    this.#available = false;
    this.#queue.drop();
  }

  #fetchMore(): void {
    const queue = this.#queue;
    while (queue.head === undefined || (queue.head.key !== undefined && this.#isStillPossible(queue.head.key))) {
      this.#fetchNext();
    }
    this.#available = true;
  }

  #append(kind: TokenKind, line: number): Token {
    const key = this.#pendingKey;
    const token = this.#queue.append(kind, line);
    if (key !== undefined) {
      token.key = key;
      key.token = token;
      this.#pendingKey = undefined;
    }
    return token;
  }

  // Keys.

  #isStillPossible(key: SimpleKey): boolean {
    if (!key.possible) return false;
    const { line, at, astral } = this.cursor;
    if (key.line >= line && key.index + maxKeyLength >= at - astral) return true;
    if (key.required) this.cursor.fail("could not find expected ':'");
    key.possible = false;
    return false;
  }

  /** What is fetched next may be a key. */
  #saveKey(): void {
    if (!this.keyAllowed) return;
    const { at, astral, line, column } = this.cursor;
    const required = this.flowLevel === 0 && this.indent === column;
    this.#removeKey();
    const key: SimpleKey = { possible: true, required, token: undefined, index: at - astral, line, column };
    this.#keys[this.#keys.length - 1] = key;
    this.#pendingKey = key;
  }

  #removeKey(): void {
    const key = this.#keys[this.#keys.length - 1];
    if (key === undefined || !key.possible) return;
    if (key.required) this.cursor.fail("could not find expected ':'");
    key.possible = false;
  }

  // Blocks.

  /** Opens a block at the column, when it lies deeper than the one that is open; before `token`, or at the end. */
  #roll(column: number, kind: TokenKind, line: number, token?: Token): void {
    if (this.flowLevel > 0 || this.indent >= column) return;
    this.#indents.push(this.indent);
    this.indent = column;
    if (this.#indents.length > maxDepth) this.cursor.fail(`exceeded max depth of ${maxDepth}`);
    if (token === undefined) this.#append(kind, line);
    else this.#queue.insertBefore(token, kind, line);
  }

  /** Closes the blocks that lie deeper than the column. */
  #unroll(column: number): void {
    if (this.flowLevel > 0) return;
    while (this.indent > column) {
      this.#append('block end', this.cursor.line);
      this.indent = this.#indents.pop()!;
    }
  }

  // Tokens.

  #fetchNext(): void {
    const { cursor } = this;
    cursor.ahead(1);
    if (!this.#started) {
      this.#started = true;
      this.#append('stream start', 0);
      return;
    }
    this.#skipToToken();
    this.#unroll(cursor.column);
    cursor.ahead(4);
    const char = cursor.peek();
    if (char === 0) this.#fetchStreamEnd();
    else if (char === percent && cursor.at === cursor.origin) this.#fetchDirective();
    else if (cursor.isAtDocumentIndicator()) this.#fetchDocumentIndicator(char === minus);
    else this.#fetchContent(char);
  }

  #fetchContent(char: number): void {
    switch (char) {
      case 0x5b: // [
        this.#fetchFlowStart('flow sequence start');
        break;
      case 0x7b: // {
        this.#fetchFlowStart('flow mapping start');
        break;
      case 0x5d: // ]
        this.#fetchFlowEnd('flow sequence end');
        break;
      case 0x7d: // }
        this.#fetchFlowEnd('flow mapping end');
        break;
      case 0x2c: // ,
        this.#fetchFlowEntry();
        break;
      case 0x2a: // *
        this.#fetchAnchor('alias');
        break;
      case 0x26: // &
        this.#fetchAnchor('anchor');
        break;
      case 0x21: // !
        this.#fetchTag();
        break;
      case 0x22: // "
      case 0x27: // '
        this.#fetchQuoted(char === 0x27);
        break;
      default:
        this.#fetchByContext(char);
    }
  }

  /** What is an indicator only where it stands alone, or outside of brackets. */
  #fetchByContext(char: number): void {
    const inFlow = this.flowLevel > 0;
    const alone = isBlankOrEnd(this.cursor.peek(1));
    if (char === minus && alone) this.#fetchBlockEntry();
    else if (char === question && (inFlow || alone)) this.#fetchKey();
    else if (char === colon && (inFlow || alone)) this.#fetchValue();
    else if ((char === bar || char === greater) && !inFlow) this.#fetchBlockScalar(char === bar);
    else {
      const startsPlain =
        !(isBlankOrEnd(char) || isIndicator(char)) ||
        (char === minus && !alone) ||
        (!inFlow && (char === question || char === colon) && !alone);
      if (!startsPlain) this.cursor.fail('found character that cannot start any token');
      this.#fetchPlain();
    }
  }

  /** Appends an indicator of one character and moves over it. */
  #indicator(kind: TokenKind): void {
    this.#append(kind, this.cursor.line);
    this.cursor.at++;
  }

  #fetchStreamEnd(): void {
    const { cursor } = this;
    if (cursor.column !== 0) {
      cursor.origin = cursor.at;
      cursor.line++;
    }
    this.#unroll(-1);
    this.#removeKey();
    this.keyAllowed = false;
    this.#append('stream end', cursor.line);
  }

  #fetchDirective(): void {
    this.#unroll(-1);
    this.#removeKey();
    this.keyAllowed = false;
    const { line } = this.cursor;
    const { kind, value, suffix } = scanDirective(this.cursor);
    const token = this.#append(kind, line);
    token.value = value;
    token.suffix = suffix;
  }

  #fetchDocumentIndicator(start: boolean): void {
    this.#unroll(-1);
    this.#removeKey();
    this.keyAllowed = false;
    this.#append(start ? 'document start' : 'document end', this.cursor.line);
    this.cursor.at += 3;
  }

  #fetchFlowStart(kind: TokenKind): void {
    this.#saveKey();
    this.#keys.push(undefined);
    this.flowLevel++;
    if (this.flowLevel > maxDepth) this.cursor.fail(`exceeded max depth of ${maxDepth}`);
    this.keyAllowed = true;
    this.#brackets.push(this.#append(kind, this.cursor.line));
    this.cursor.at++;
  }

  #fetchFlowEnd(kind: TokenKind): void {
    this.#removeKey();
    if (this.flowLevel > 0) {
      this.flowLevel--;
      const bracket = this.#brackets.pop()!;
      // Upstream no longer waits for the colon behind brackets within which no key could begin, though it may come.
      if (this.#keys.pop() === undefined) bracket.key = undefined;
    }
    this.keyAllowed = false;
    this.#indicator(kind);
  }

  #fetchFlowEntry(): void {
    this.#removeKey();
    this.keyAllowed = true;
    this.#indicator('flow entry');
  }

  #fetchBlockEntry(): void {
    const { cursor } = this;
    if (this.flowLevel === 0) {
      if (!this.keyAllowed) cursor.fail('block sequence entries are not allowed in this context');
      this.#roll(cursor.column, 'block sequence start', cursor.line);
    }
    this.#removeKey();
    this.keyAllowed = true;
    this.#indicator('block entry');
  }

  #fetchKey(): void {
    const { cursor } = this;
    if (this.flowLevel === 0) {
      if (!this.keyAllowed) cursor.fail('mapping keys are not allowed in this context');
      this.#roll(cursor.column, 'block mapping start', cursor.line);
    }
    this.#removeKey();
    this.keyAllowed = this.flowLevel === 0;
    this.#indicator('key');
  }

  #fetchValue(): void {
    const { cursor } = this;
    const key = this.#keys[this.#keys.length - 1];
    if (key !== undefined && this.#isStillPossible(key)) {
      const first = key.token!;
      const token = this.#queue.insertBefore(first, 'key', key.line);
      this.#roll(key.column, 'block mapping start', key.line, first.dropped ? first : token);
      key.possible = false;
      this.keyAllowed = false;
    } else {
      if (this.flowLevel === 0) {
        if (!this.keyAllowed) cursor.fail('mapping values are not allowed in this context');
        this.#roll(cursor.column, 'block mapping start', cursor.line);
      }
      this.keyAllowed = this.flowLevel === 0;
    }
    this.#indicator('value');
  }

  #fetchAnchor(kind: 'alias' | 'anchor'): void {
    this.#saveKey();
    this.keyAllowed = false;
    const { line } = this.cursor;
    const name = scanAnchor(this.cursor);
    this.#append(kind, line).value = name;
  }

  #fetchTag(): void {
    this.#saveKey();
    this.keyAllowed = false;
    const { line } = this.cursor;
    const { handle, suffix } = scanTag(this.cursor);
    const token = this.#append('tag', line);
    token.value = handle;
    token.suffix = suffix;
  }

  #fetchBlockScalar(literal: boolean): void {
    this.#removeKey();
    this.keyAllowed = true;
    const { line } = this.cursor;
    const text = scanBlockScalar(this.cursor, { literal, parentIndent: this.indent });
    this.#append('scalar', line).value = text;
  }

  #fetchQuoted(single: boolean): void {
    this.#saveKey();
    this.keyAllowed = false;
    const { line } = this.cursor;
    const text = scanQuotedScalar(this.cursor, single);
    this.#append('scalar', line).value = text;
  }

  #fetchPlain(): void {
    this.#saveKey();
    this.keyAllowed = false;
    const { line } = this.cursor;
    const { value, endsLine } = scanPlainScalar(this.cursor, { inFlow: this.flowLevel > 0, indent: this.indent + 1 });
    const token = this.#append('scalar', line);
    token.value = value;
    token.plain = true;
    if (endsLine) this.keyAllowed = true;
  }

  /** Moves over blanks, comments and line breaks. Tabs are blanks where no indentation counts. */
  #skipToToken(): void {
    const { cursor } = this;
    for (;;) {
      cursor.ahead(1);
      if (cursor.at === cursor.origin && cursor.isAtByteOrderMark) cursor.skip();
      cursor.ahead(1);
      const tabs = this.flowLevel > 0 || !this.keyAllowed;
      let char = cursor.peek();
      while (char === 32 || (tabs && char === 9)) {
        cursor.at++;
        cursor.ahead(1);
        char = cursor.peek();
      }
      if (char === hash) {
        cursor.skipLine();
        char = cursor.peek();
      }
      if (!isBreak(char)) return;
      cursor.ahead(2);
      cursor.skipBreak();
      if (this.flowLevel === 0) this.keyAllowed = true;
    }
  }
}
