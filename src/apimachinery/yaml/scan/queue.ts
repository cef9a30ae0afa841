/** The tokens between scanner and parser. Upstream: go.yaml.in/yaml/v2 apic.go (yaml_insert_token). */
import { Token, type TokenKind } from './token.ts';

export class TokenQueue {
  /** The next token of the parser. */
  head: Token | undefined;
  #tail: Token | undefined;

  append(kind: TokenKind, line: number): Token {
    const token = new Token(kind, line);
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
    const token = new Token(kind, line);
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
