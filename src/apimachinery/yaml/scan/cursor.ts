/**
 * Where the scanner stands in the text: position, line and column, and how far the text has been read.
 * Upstream: go.yaml.in/yaml/v2 scannerc.go (skip, read, read_line), readerc.go (yaml_parser_update_buffer).
 */
import { InputError } from '../../input-error.ts';
import type { YamlSource } from '../source.ts';
import { isBlankOrEnd, isBreakOrEnd, isHighSurrogate } from './characters.ts';

/** Beyond any text. */
const everything = 0x3fffffff;

export class Cursor {
  /** The characters, then enough ends for what looks ahead. */
  readonly text: string;
  /** Index of the next character. */
  at = 0;
  /** Counted from 0. */
  line = 0;
  /** `at - origin` is the column: the begin of the line, moved on by each character of two codes. */
  origin = 0;
  /** Characters of two codes so far. */
  astral = 0;
  /** Characters before this index are read; looking at others goes through {@link ahead}. */
  readable: number;
  /** Where the reader's buffer begins. */
  #bufferStart = 0;
  #block = 0;
  readonly #source: YamlSource;

  constructor(source: YamlSource) {
    this.#source = source;
    this.text = `${source.text}\0\0\0\0\0\0\0\0`;
    this.readable = source.blockEnds === undefined ? everything : 0;
  }

  get column(): number {
    return this.at - this.origin;
  }

  /** The character `offset` behind the next one. */
  peek(offset = 0): number {
    return this.text.charCodeAt(this.at + offset);
  }

  /** Nothing of the text can turn out to be unreadable. */
  get isWhollyReadable(): boolean {
    return this.readable === everything;
  }

  /** Says that so many characters are going to be looked at. Throws when reading them meets what may not stand there. */
  ahead(count: number): void {
    if (this.at + count > this.readable) this.#fill(count);
  }

  #fill(count: number): void {
    const { blockEnds = [], fault } = this.#source;
    this.#bufferStart = this.at;
    while (this.#unread() < count) {
      const end = blockEnds[this.#block++];
      if (end !== undefined) this.readable = end;
      else if (fault !== undefined) throw new InputError('yaml', `yaml: ${fault}`);
      else {
        this.readable = Math.max(this.readable, this.#source.text.length) + 1;
        return;
      }
    }
  }

  #unread(): number {
    let count = this.readable - this.at;
    for (let i = this.at; i < this.readable; i++) if (isHighSurrogate(this.text.charCodeAt(i))) count--;
    return count;
  }

  /** Upstream looks for the mark at the begin of its buffer, wherever it stands itself. */
  get isAtByteOrderMark(): boolean {
    return this.readable !== everything && this.text.charCodeAt(this.#bufferStart) === 0xfeff;
  }

  /** Moves over a character that is no line break. */
  skip(): void {
    if (isHighSurrogate(this.text.charCodeAt(this.at))) {
      this.at++;
      this.origin++;
      this.astral++;
    }
    this.at++;
  }

  /** Moves to the end of the line. */
  skipLine(): void {
    const { text } = this;
    let at = this.at;
    for (let code = text.charCodeAt(at); !isBreakOrEnd(code); code = text.charCodeAt(at)) {
      if (isHighSurrogate(code)) {
        at++;
        this.origin++;
        this.astral++;
      }
      if (++at >= this.readable) {
        this.at = at;
        this.#fill(1);
      }
    }
    this.at = at;
  }

  /** Moves over a line break and answers what it is in a scalar. */
  skipBreak(): string {
    const code = this.text.charCodeAt(this.at);
    this.at += code === 13 && this.text.charCodeAt(this.at + 1) === 10 ? 2 : 1;
    this.line++;
    this.origin = this.at;
    return code >= 0x2028 ? String.fromCharCode(code) : '\n';
  }

  /** `---` or `...` at the begin of a line. */
  isAtDocumentIndicator(): boolean {
    if (this.at !== this.origin) return false;
    const code = this.text.charCodeAt(this.at);
    if (code !== 45 && code !== 46) return false;
    if (this.peek(1) !== code || this.peek(2) !== code) return false;
    return isBlankOrEnd(this.peek(3));
  }

  /** Throws the fault with the line that the cursor stands in; the first line is not named. */
  fail(problem: string): never {
    throw new InputError('yaml', `yaml: ${this.line > 0 ? `line ${this.line + 1}: ` : ''}${problem}`);
  }
}
