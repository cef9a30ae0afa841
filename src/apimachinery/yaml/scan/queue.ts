/** The tokens between scanner and parser. Upstream: go.yaml.in/yaml/v2 apic.go (yaml_insert_token). */
import type { Token, TokenKind } from './token.ts';

/** What a token has beside its kind and line. */
export interface TokenParts {
  readonly value?: string;
  readonly suffix?: string;
  readonly plain?: boolean;
}

const noParts: TokenParts = {};

/** All tokens are made here, so that they are of one shape. */
function makeToken(kind: TokenKind, line: number, { value = '', suffix = '', plain = false }: TokenParts): Token {
  return { kind, line, value, suffix, plain, key: undefined, dropped: false, next: undefined, previous: undefined };
}

export class TokenQueue {
  /** The next token of the parser. */
  head: Token | undefined;
  #tail: Token | undefined;

  append(kind: TokenKind, line: number, parts: TokenParts = noParts): Token {
    const token = makeToken(kind, line, parts);
    token.previous = this.#tail;
    if (this.#tail === undefined) this.head = token;
    else this.#tail.next = token;
    this.#tail = token;
    return token;
  }

  /** Where the parser has the other token already, the new one comes last. */
  insertBefore(next: Token, kind: TokenKind, line: number): Token {
    if (next.dropped) return this.append(kind, line);
    const { previous } = next;
    const token = makeToken(kind, line, noParts);
    token.next = next;
    token.previous = previous;
    next.previous = token;
    if (previous === undefined) this.head = token;
    else previous.next = token;
    return token;
  }

  /** Removes the head. */
  drop(): void {
    const head = this.head!;
    head.dropped = true;
    this.head = head.next;
    if (head.next === undefined) this.#tail = undefined;
    else head.next.previous = undefined;
  }
}
