/**
 * The lexical half of the JSON reader: characters, strings, numbers, skipping, syntax errors in the words of Go.
 * Upstream: Go's encoding/json/scanner.go as forked in sigs.k8s.io/json.
 * Deviation: nesting deeper than 1,000 is refused with the text that upstream has for 10,000.
 */
import { InputError } from '../input-error.ts';

/** Containers may be nested this deep. */
export const maxJsonDepth = 1000;

/** What follows a complete value decides how a stray character is called. */
export type JsonPlace =
  | 'looking for beginning of value'
  | 'looking for beginning of object key string'
  | 'after object key'
  | 'after object key:value pair'
  | 'after array element'
  | 'after top-level value';

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** Reads tokens from a text. `at` is the index of the next character. */
export class JsonScanner {
  readonly text: string;
  at = 0;
  depth = 0;

  readonly #bytes: Uint8Array | undefined;

  /** `bytes`: what the text was decoded from, so that what is not UTF-8 can be named. */
  constructor(text: string, bytes?: Uint8Array) {
    this.text = text;
    this.#bytes = bytes;
  }

  /** Skips white space and answers the next character's code without consuming it; NaN at the end. */
  peek(): number {
    const { text } = this;
    let code = text.charCodeAt(this.at);
    while (code === 32 || code === 10 || code === 13 || code === 9) code = text.charCodeAt(++this.at);
    return code;
  }

  /** Throws the syntax error for the next character, or for the end of the text. */
  unexpected(place: string): never {
    if (this.at >= this.text.length) throw new InputError('json', 'unexpected end of JSON input');
    const char = String.fromCodePoint(this.text.codePointAt(this.at)!);
    const byte = (char === '\ufffd' && this.#bytes?.[this.#byteOffset()]) || Buffer.from(char)[0]!;
    throw new InputError('json', `invalid character ${quoteByte(byte)} ${place}`);
  }

  /** The same within a word, number or escape, where Go takes the end of the text for a blank. */
  #unexpectedWithin(place: string): never {
    if (this.at >= this.text.length) throw new InputError('json', `invalid character ' ' ${place}`);
    this.unexpected(place);
  }

  /** Where the next character begins in the bytes. Each that is not UTF-8 became a character of three. */
  #byteOffset(): number {
    const before = this.text.slice(0, this.at);
    return Buffer.byteLength(before) - 2 * (before.split('\ufffd').length - 1);
  }

  /** Enters an object or array; {@link leave} after it. */
  enter(): void {
    if (++this.depth > maxJsonDepth) this.unexpected('exceeded max depth');
    this.at++;
  }

  leave(): void {
    this.at++;
    this.depth--;
  }

  /** After a value inside an object or array: true when another follows, with the separator consumed. */
  more(close: number, place: JsonPlace): boolean {
    const code = this.peek();
    if (code === 44) {
      this.at++;
      return true;
    }
    if (code !== close) this.unexpected(place);
    return false;
  }

  /** Reads an object key and the colon after it. */
  key(): string {
    if (this.peek() !== 34) this.unexpected('looking for beginning of object key string');
    const key = this.string();
    if (this.peek() !== 58) this.unexpected('after object key');
    this.at++;
    return key;
  }

  /** Reads a string whose opening quote is next. */
  string(): string {
    const { text } = this;
    const begin = ++this.at;
    let i = begin;
    for (;;) {
      const code = text.charCodeAt(i);
      if (code === 34) {
        this.at = i + 1;
        return text.slice(begin, i);
      }
      if (code === 92 || (code & 0xf800) === 0xd800) return this.#slowString(begin, i);
      if (!(code >= 32)) {
        this.at = i;
        this.unexpected('in string literal');
      }
      i++;
    }
  }

  #slowString(begin: number, from: number): string {
    const { text } = this;
    let out = '';
    let run = begin;
    let i = from;
    for (;;) {
      const code = text.charCodeAt(i);
      if (code === 34) {
        this.at = i + 1;
        return (out + text.slice(run, i)).toWellFormed();
      }
      if (!(code >= 32)) {
        this.at = i;
        this.unexpected('in string literal');
      }
      if (code !== 92) {
        i++;
        continue;
      }
      out += text.slice(run, i);
      this.at = i + 1;
      out += this.#escape();
      i = this.at;
      run = i;
    }
  }

  #escape(): string {
    const char = this.text[this.at];
    const plain = char === undefined ? -1 : '"\\/bfnrt'.indexOf(char);
    if (plain >= 0) {
      this.at++;
      return '"\\/\b\f\n\r\t'[plain]!;
    }
    if (char !== 'u') this.#unexpectedWithin('in string escape code');
    this.at++;
    for (let n = 0; n < 4; n++) {
      if (!/[0-9a-fA-F]/.test(this.text[this.at] ?? '')) this.#unexpectedWithin('in \\u hexadecimal character escape');
      this.at++;
    }
    return String.fromCharCode(Number.parseInt(this.text.slice(this.at - 4, this.at), 16));
  }

  /** Reads a number and answers its text. */
  number(): string {
    const { text } = this;
    const begin = this.at;
    let code = text.charCodeAt(this.at);
    if (code === 45) {
      code = text.charCodeAt(++this.at);
      if (!isDigit(code)) this.#unexpectedWithin('in numeric literal');
    }
    if (code === 48) code = text.charCodeAt(++this.at);
    else while (isDigit(code)) code = text.charCodeAt(++this.at);
    if (code === 46) {
      code = text.charCodeAt(++this.at);
      if (!isDigit(code)) this.#unexpectedWithin('after decimal point in numeric literal');
      while (isDigit(code)) code = text.charCodeAt(++this.at);
    }
    if (code === 101 || code === 69) {
      code = text.charCodeAt(++this.at);
      if (code === 43 || code === 45) code = text.charCodeAt(++this.at);
      if (!isDigit(code)) this.#unexpectedWithin('in exponent of numeric literal');
      while (isDigit(code)) code = text.charCodeAt(++this.at);
    }
    return text.slice(begin, this.at);
  }

  /** Reads `true`, `false` or `null`. */
  literal(word: 'true' | 'false' | 'null'): void {
    if (this.text.startsWith(word, this.at)) {
      this.at += word.length;
      return;
    }
    for (let i = 1; i < word.length; i++) {
      this.at++;
      if (this.text[this.at] !== word[i]) this.#unexpectedWithin(`in literal ${word} (expecting '${word[i]}')`);
    }
  }

  /** Skips a value of any kind, checking its syntax, and answers its text. */
  skip(): string {
    this.peek();
    const begin = this.at;
    const base = this.depth;
    // The closing brackets that are owed. Iterative, for unknown fields may be nested.
    const kinds: number[] = [];
    for (;;) {
      const code = this.peek();
      if (code === 123 || code === 91) {
        this.enter();
        const close = code === 123 ? 125 : 93;
        if (this.peek() !== close) {
          kinds.push(close);
          if (close === 125) this.key();
          continue;
        }
        this.leave();
      } else if (code === 34) this.string();
      else if (code === 45 || isDigit(code)) this.number();
      else if (code === 116) this.literal('true');
      else if (code === 102) this.literal('false');
      else if (code === 110) this.literal('null');
      else this.unexpected('looking for beginning of value');
      while (this.depth > base) {
        const close = kinds[kinds.length - 1]!;
        if (this.more(close, close === 125 ? 'after object key:value pair' : 'after array element')) {
          if (close === 125) this.key();
          break;
        }
        kinds.pop();
        this.leave();
      }
      if (this.depth === base) return this.text.slice(begin, this.at);
    }
  }

  /** Makes sure that nothing but white space is left. */
  end(): void {
    this.peek();
    if (this.at < this.text.length) this.unexpected('after top-level value');
  }
}

/** Go's way to show a byte in a syntax error. */
function quoteByte(byte: number): string {
  if (byte === 39) return "'\\''";
  if (byte === 34) return "'\"'";
  if (byte === 92) return "'\\\\'";
  const named: Readonly<Record<number, string>> = { 7: 'a', 8: 'b', 9: 't', 10: 'n', 11: 'v', 12: 'f', 13: 'r' };
  if (named[byte] !== undefined) return `'\\${named[byte]}'`;
  if (byte < 32 || byte === 127) return `'\\x${byte.toString(16).padStart(2, '0')}'`;
  if (byte >= 128 && byte < 160) return `'\\u00${byte.toString(16)}'`;
  return byte === 160 || byte === 173 ? `'\\u00${byte.toString(16)}'` : `'${String.fromCharCode(byte)}'`;
}
