/**
 * What ANTLR's runtime does where a parser is surprised: which tokens it drops, supplies or skips, and in what words it
 * says so. A reader of a grammar is a subclass with one method a rule. Upstream: antlr4 runtime error_strategy.go
 * (DefaultErrorStrategy), cel-go parser/parser.go (recoveryLimitErrorStrategy).
 */
import { type LexicalFault, T, type Token, tokenNames } from './lexer.ts';
import { type IssueList, noLocation } from './source.ts';
import { type Follow, follow, follows } from './token-sets.ts';

/** The rule being read cannot go on. */
class RuleFailure extends Error {}
/** Nothing more is read. */
export class Abandoned extends Error {}

/** How often one text is recovered from, and how many tokens a recovery skips. */
const maxRecoveries = 30;
const maxSkipped = 256;
/** A piece of the text as messages quote it. */
export const display = (text: string): string =>
  `'${text.replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`;

function listTokens(types: ReadonlySet<number>): string {
  const names = [...types].sort((left, right) => left - right).map(type => tokenNames[type]);
  return names.length === 1 ? (names[0] as string) : `{${names.join(', ')}}`;
}

export class ErrorStrategy {
  /** Where errors are told. */
  protected readonly issues: IssueList;
  /** What follows each rule that is open, outermost first. */
  protected readonly stack: Follow[] = [];
  readonly #tokens: readonly Token[];
  readonly #faults: readonly LexicalFault[];
  #at = 0;
  /** An error was reported, and no token has matched since. */
  #recovering = false;
  #lastErrorAt = -1;
  #lastErrorSites = new Set<string>();
  #recoveries = 0;
  /** Where the reader stands, for {@link #lastErrorSites}. */
  #site = '';

  constructor(tokens: readonly Token[], faults: readonly LexicalFault[], issues: IssueList) {
    this.#tokens = tokens;
    this.#faults = faults;
    this.issues = issues;
  }

  protected token(ahead = 0): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)] as Token;
  }

  protected type(ahead = 0): number {
    return this.token(ahead).type;
  }

  protected report(message: string, token: Token): void {
    if (this.#recovering) return;
    this.#recovering = true;
    this.issues.add(this.issues.source.location(token.start), `Syntax error: ${message}`);
  }

  /** Reads a rule inside of which `after` can follow. */
  protected call(after: Follow, rule: () => void): void {
    this.stack.push(after);
    rule();
    this.stack.pop();
  }

  /** The body of a rule: what fails in it is recovered from at its end. */
  protected rule(body: () => void): void {
    try {
      body();
    } catch (error) {
      this.failed(error);
    }
  }

  /** The end of a rule that failed. */
  protected failed(error: unknown): undefined {
    if (!(error instanceof RuleFailure)) throw error;
    this.#recover();
  }

  #attempt(): void {
    if (this.#recoveries === maxRecoveries) {
      const message = `error recovery attempt limit exceeded: ${maxRecoveries}`;
      this.issues.add(this.issues.source.location(this.token().start), `Syntax error: ${message}`);
      throw new Abandoned();
    }
    this.#recoveries++;
  }

  #recover(): void {
    this.#attempt();
    if (this.#lastErrorAt === this.#at && this.#lastErrorSites.has(this.#site)) this.consume();
    this.#lastErrorAt = this.#at;
    this.#lastErrorSites.add(this.#site);
    this.#skipTo(this.#recoverySet());
  }

  consume(): void {
    if (this.#at < this.#tokens.length - 1) this.#at++;
  }

  #skipTo(types: ReadonlySet<number>): void {
    for (let skipped = 0; this.type() !== T.eof && !types.has(this.type()); skipped++) {
      if (skipped >= maxSkipped) {
        this.issues.add(noLocation, `error recovery token lookahead limit exceeded: ${maxSkipped}`);
        throw new Abandoned();
      }
      this.consume();
    }
  }

  #recoverySet(): Set<number> {
    return new Set(this.stack.flatMap(frame => [...frame.tokens]));
  }

  /** Tokens at a place, and those behind the rules that may end there. */
  #expected(here: Follow): Set<number> {
    const types = new Set(here.tokens);
    let { canEnd } = here;
    for (const frame of this.stack.toReversed()) {
      if (!canEnd) break;
      for (const type of frame.tokens) types.add(type);
      canEnd = frame.canEnd;
    }
    if (canEnd) types.add(T.eof);
    return types;
  }

  #mismatch(expected: ReadonlySet<number>): RuleFailure {
    const token = this.token();
    this.report(`mismatched input ${display(token.text)} expecting ${listTokens(expected)}`, token);
    return new RuleFailure();
  }

  /** No alternative begins with the tokens from here to `ahead`. */
  protected noAlternative(site: string, ahead: number): RuleFailure {
    this.#site = site;
    const [first, last] = [this.token(), this.token(ahead)];
    const text = first.type === T.eof ? '<EOF>' : this.#between(first.start, last.start + last.text.length);
    const reserved = /^.(true|false|null)$/s.exec(text)?.[1];
    this.report(
      reserved === undefined
        ? `no viable alternative at input ${display(text)}`
        : `mismatched input '${reserved}' expecting IDENTIFIER`,
      last,
    );
    return new RuleFailure();
  }

  /** A part of the text, without what the lexer could not read. */
  #between(start: number, end: number): string {
    let text = '';
    let at = start;
    for (const fault of this.#faults) {
      if (fault.start < at || fault.start >= end) continue;
      text += this.issues.source.text.slice(at, fault.start);
      at = fault.start + fault.text.length;
    }
    return text + this.issues.source.text.slice(at, end);
  }

  /** Drops one token if the one behind it is expected. */
  #deleted(expected: ReadonlySet<number>): boolean {
    if (!expected.has(this.type(1))) return false;
    const token = this.token();
    this.report(`extraneous input ${display(token.text)} expecting ${listTokens(expected)}`, token);
    this.consume();
    this.#recovering = false;
    this.#lastErrorSites = new Set();
    this.#lastErrorAt = -1;
    return true;
  }

  /** Before a choice that must find one of these tokens. */
  protected sync(site: string, types: readonly number[]): void {
    this.#site = site;
    if (this.#recovering || types.includes(this.type())) return;
    const expected = this.#expected(follow(types));
    if (!this.#deleted(expected)) throw this.#mismatch(expected);
  }

  /** Back at the head of a loop that needs one of these tokens. */
  protected syncLoop(site: string, types: readonly number[]): void {
    this.#site = site;
    if (this.#recovering || types.includes(this.type())) return;
    const expected = this.#expected(follow(types));
    const token = this.token();
    this.report(`extraneous input ${display(token.text)} expecting ${listTokens(expected)}`, token);
    this.#skipTo(new Set([...expected, ...this.#recoverySet()]));
  }

  /** Reads a token, or drops or supplies one. `after`: what can follow it. */
  protected match(site: string, type: number, after: Follow = follows.end): Token | undefined {
    this.#site = site;
    const token = this.token();
    if (token.type === type) {
      this.matched();
      return token;
    }
    this.#attempt();
    const expected = new Set([type]);
    if (this.#deleted(expected)) {
      const found = this.token();
      this.consume();
      return found;
    }
    if (type !== T.eof && this.#expected(after).has(token.type)) {
      this.report(`missing ${listTokens(expected)} at ${display(token.text)}`, token);
      return undefined;
    }
    throw this.#mismatch(expected);
  }

  protected matched(): void {
    this.#recovering = false;
    this.#lastErrorSites = new Set();
    this.#lastErrorAt = -1;
    this.consume();
  }
}
