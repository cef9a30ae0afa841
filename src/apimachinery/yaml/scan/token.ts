/** The tokens of YAML 1.1. Upstream: go.yaml.in/yaml/v2 yamlh.go (yaml_token_t). */

export type TokenKind =
  | 'stream start'
  | 'stream end'
  | 'version directive'
  | 'tag directive'
  | 'document start'
  | 'document end'
  | 'block sequence start'
  | 'block mapping start'
  | 'block end'
  | 'flow sequence start'
  | 'flow sequence end'
  | 'flow mapping start'
  | 'flow mapping end'
  | 'block entry'
  | 'flow entry'
  | 'key'
  | 'value'
  | 'alias'
  | 'anchor'
  | 'tag'
  | 'scalar';

/** One link of the queue between scanner and parser. */
export class Token {
  readonly kind: TokenKind;
  /** Where it begins, counted from 0. */
  readonly line: number;
  /** A scalar's text, an anchor's name, a tag's handle, a version. */
  value = '';
  /** What follows a tag's handle; what a directive's handle stands for. */
  suffix = '';
  /** A scalar without quotes. */
  plain = false;
  /** The key that may turn out to begin here, for which the token waits. */
  key: SimpleKey | undefined = undefined;
  /** The parser has it. */
  dropped = false;
  next: Token | undefined = undefined;
  previous: Token | undefined = undefined;

  constructor(kind: TokenKind, line: number) {
    this.kind = kind;
    this.line = line;
  }
}

/** A place where `key:` without a question mark may have begun: known only when the colon is found. */
export interface SimpleKey {
  /** Until the line ends, or 1024 characters have passed. */
  possible: boolean;
  /** Nothing but a key can stand here. */
  readonly required: boolean;
  /** Its first token; undefined until that is made. */
  token: Token | undefined;
  /** Characters before it. */
  readonly index: number;
  readonly line: number;
  readonly column: number;
}
