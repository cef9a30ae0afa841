/** Tokens of the label selector syntax. Upstream: apimachinery pkg/labels/selector.go (Lexer). */

export type LabelTokenType =
  | 'identifier'
  | 'end'
  | 'error'
  | ')'
  | ','
  | '!'
  | '=='
  | '='
  | '>'
  | 'in'
  | '<'
  | '!='
  | 'notin'
  | '(';

export interface LabelToken {
  readonly type: LabelTokenType;
  /** As it stood in the text; empty at the end. */
  readonly text: string;
}

const symbols: ReadonlySet<string> = new Set([')', ',', '!', '==', '=', '>', '<', '!=', '(']);
const isSymbol = (char: string): boolean => '=!(),><'.includes(char);
const isSpace = (char: string): boolean => char === ' ' || char === '\t' || char === '\r' || char === '\n';

/** Reads one token at a time with one of lookahead. After the end it keeps answering `end`. */
export class LabelLexer {
  readonly #text: string;
  #at = 0;
  #ahead: LabelToken | undefined;

  constructor(text: string) {
    const nul = text.indexOf('\0');
    this.#text = nul < 0 ? text : text.slice(0, nul);
  }

  /** The next token, with `in` and `notin` read as identifiers; not consumed. */
  peek(): LabelToken {
    this.#ahead ??= this.#scan();
    const { type, text } = this.#ahead;
    return type === 'in' || type === 'notin' ? { type: 'identifier', text } : this.#ahead;
  }

  /** Consumes a token, with `in` and `notin` read as identifiers. */
  next(): LabelToken {
    const token = this.peek();
    this.#ahead = undefined;
    return token;
  }

  /** Consumes a token where an operator is expected, so that `in` and `notin` are keywords. */
  nextOperator(): LabelToken {
    const token = this.#ahead ?? this.#scan();
    this.#ahead = undefined;
    return token;
  }

  #scan(): LabelToken {
    const text = this.#text;
    while (this.#at < text.length && isSpace(text[this.#at]!)) this.#at++;
    const begin = this.#at;
    if (begin >= text.length) return { type: 'end', text: '' };
    if (isSymbol(text[begin]!)) {
      const pair = text.slice(begin, begin + 2);
      const symbol = symbols.has(pair) ? pair : text[begin]!;
      this.#at += symbol.length;
      return { type: symbol as LabelTokenType, text: symbol };
    }
    while (this.#at < text.length && !isSymbol(text[this.#at]!) && !isSpace(text[this.#at]!)) this.#at++;
    const word = text.slice(begin, this.#at);
    return { type: word === 'in' || word === 'notin' ? word : 'identifier', text: word };
  }
}
