/**
 * Reads a text with syntax errors as ANTLR's generated parser does, by the strategy of error-strategy.ts. One method a
 * grammar rule, which is why it is long; each goes on as its original does after an error. The rules spell out their
 * try and catch: a closure in each would double the depth of the call stack.
 * Upstream: cel-go parser/{parser,gen/cel_parser}.go.
 *
 * Worked example. In `f(1, )` the rule for the second argument meets `)`: no token of an expression, and the one behind
 * it is none either, so the input is mismatched. The rule gives up, skips to what can follow it, which is `)` itself,
 * and the call ends well: one error.
 */
import { type Expr, reservedIdentifiers } from './ast.ts';
import { ExprBuilder, TreeTooLarge } from './builder.ts';
import { Abandoned, display, ErrorStrategy } from './error-strategy.ts';
import { type LexicalFault, T, type Token } from './lexer.ts';
import { findMacro, MacroContext, MacroError } from './macros.ts';
import { type IssueList, noLocation } from './source.ts';
import {
  calcTypes,
  type Follow,
  follow,
  follows,
  memberTypes,
  relationTypes,
  startsExpr,
  startsMember,
  startsOptional,
} from './token-sets.ts';

/** How deep expressions may nest. */
const maxDepth = 250;

/** Adds an issue for every fault that the lexer found and every error that the parser meets; `bindings`: cel.bind is known. */
export function reportSyntaxErrors(
  tokens: readonly Token[],
  faults: readonly LexicalFault[],
  issues: IssueList,
  bindings: boolean,
): void {
  for (const { start, text } of faults) {
    issues.add(issues.source.location(start), `Syntax error: token recognition error at: ${display(text)}`);
  }
  try {
    new Recovery(tokens, faults, issues, bindings).start();
  } catch (error) {
    if (error instanceof TreeTooLarge) issues.add(noLocation, error.message);
    else if (!(error instanceof Abandoned)) throw error;
  }
}

class Recovery extends ErrorStrategy {
  readonly #make = new ExprBuilder();
  /** cel.bind is known. */
  readonly #bindings: boolean;
  /** How many expressions are open. */
  #depth = 0;

  constructor(tokens: readonly Token[], faults: readonly LexicalFault[], issues: IssueList, bindings: boolean) {
    super(tokens, faults, issues);
    this.#bindings = bindings;
  }

  start(): void {
    this.rule(() => {
      this.#expr(follows.start);
      this.match('start', T.eof);
    });
  }

  /** An expression of which only the place is known. */
  #unknown(at: Token = this.token()): Expr {
    return this.#make.unspecified(this.#make.id(at.start));
  }

  #expr(after: Follow): Expr {
    let place = this.token();
    if (++this.#depth > maxDepth) {
      this.issues.add(noLocation, `expression recursion limit exceeded: ${maxDepth}`);
      throw new Abandoned();
    }
    this.stack.push(after);
    let result: Expr | undefined;
    try {
      result = this.#or(follows.condition);
      if (this.type() === T.question) {
        place = this.token();
        this.matched();
        this.#or(follows.whenTrue);
        this.match('expr :', T.colon, follow(startsExpr));
        this.#expr(follows.end);
        result = this.#unknown(place);
      }
    } catch (error) {
      result = this.failed(error);
    }
    this.stack.pop();
    this.#depth--;
    return result ?? this.#unknown(place);
  }

  #or(after: Follow): Expr {
    this.stack.push(after);
    let result: Expr | undefined;
    try {
      result = this.#and(follows.or);
      while (this.type() === T.or) {
        const operator = this.token();
        this.matched();
        this.#and(follows.or);
        result = this.#unknown(operator);
      }
    } catch (error) {
      result = this.failed(error);
    }
    this.stack.pop();
    return result ?? this.#unknown();
  }

  #and(after: Follow): Expr {
    this.stack.push(after);
    let result: Expr | undefined;
    try {
      result = this.#relation(1, follows.and);
      while (this.type() === T.and) {
        const operator = this.token();
        this.matched();
        this.#relation(1, follows.and);
        result = this.#unknown(operator);
      }
    } catch (error) {
      result = this.failed(error);
    }
    this.stack.pop();
    return result ?? this.#unknown();
  }

  #relation(lowest: number, after: Follow): Expr {
    this.stack.push(after);
    let result: Expr | undefined;
    try {
      result = this.#calc(1, follows.relation);
      while (lowest === 1 && relationTypes.includes(this.type())) {
        const operator = this.token();
        this.matched();
        this.#relation(2, follows.relation);
        result = this.#unknown(operator);
      }
    } catch (error) {
      result = this.failed(error);
    }
    this.stack.pop();
    return result ?? this.#unknown();
  }

  #calc(lowest: number, after: Follow): Expr {
    this.stack.push(after);
    let result: Expr | undefined;
    try {
      result = this.#unary(follows.calc);
      for (;;) {
        const type = this.type();
        const precedence = !calcTypes.includes(type) ? 0 : type === T.plus || type === T.minus ? 1 : 2;
        if (precedence < lowest) break;
        const operator = this.token();
        this.matched();
        this.#calc(precedence + 1, follows.calc);
        result = this.#unknown(operator);
      }
    } catch (error) {
      result = this.failed(error);
    }
    this.stack.pop();
    return result ?? this.#unknown();
  }

  #unary(after: Follow): Expr {
    this.stack.push(after);
    let result: Expr | undefined;
    try {
      this.sync('unary', startsExpr);
      const type = this.type();
      if (type === T.not) result = this.#negations();
      else if (type === T.minus && !this.#isNumber(1)) result = this.#minuses();
      else if (startsMember.includes(type)) result = this.#member(follows.end);
      else throw this.noAlternative('unary', 0);
    } catch (error) {
      result = this.failed(error);
    }
    this.stack.pop();
    return result ?? this.#unknown();
  }

  #isNumber(ahead: number): boolean {
    return this.type(ahead) === T.int || this.type(ahead) === T.float;
  }

  #negations(): Expr {
    do {
      this.match('unary !', T.not, follow(startsExpr));
      this.syncLoop('unary ! loop', startsExpr);
    } while (this.type() === T.not);
    this.#member(follows.end);
    return this.#unknown();
  }

  #minuses(): Expr {
    if (!startsMember.includes(this.type(1))) throw this.noAlternative('unary', 1);
    for (;;) {
      this.match('unary -', T.minus, follow(startsMember));
      this.syncLoop('unary - loop', startsMember);
      if (this.type() !== T.minus) break;
      if (!startsMember.includes(this.type(1))) throw this.noAlternative('unary - loop', 1);
    }
    this.#member(follows.end);
    return this.#unknown();
  }

  #member(after: Follow): Expr {
    this.stack.push(after);
    let result = this.#unknown();
    try {
      result = this.#primary(follows.member);
      while (memberTypes.includes(this.type())) {
        if (this.type() === T.dot) this.#checkSelection();
        const operand = result;
        // What is begun stands for the whole, should it not come to its end.
        result = this.#unknown();
        result = this.type() === T.leftBracket ? this.#index() : this.#selection(operand);
      }
    } catch (error) {
      this.failed(error);
    }
    this.stack.pop();
    return result;
  }

  #index(): Expr {
    const open = this.token();
    this.match('member [', T.leftBracket, follow([T.question, ...startsExpr]));
    this.sync('member [?', [T.question, ...startsExpr]);
    if (this.type() === T.question) this.match('member ?', T.question, follow(startsExpr));
    this.#expr(follows.index);
    this.match('member ]', T.rightBracket, follows.member);
    return this.#unknown(open);
  }

  /** A dot is followed by a name. */
  #checkSelection(): void {
    const next = this.type(1);
    if (next !== T.identifier && next !== T.escaped && next !== T.question) throw this.noAlternative('member', 1);
  }

  #selection(operand: Expr): Expr {
    if (this.type(1) === T.identifier && this.type(2) === T.leftParen) return this.#memberCall(operand);
    const dot = this.token();
    this.match('member .', T.dot);
    const optional = this.type() === T.question;
    if (optional) this.match('member .?', T.question);
    const start = this.token();
    const name = this.#name(follows.member);
    if (name === undefined) {
      this.issues.add(this.issues.source.location(start.start), 'unsupported ident kind');
    }
    const id = this.#make.id(dot.start);
    return optional || name === undefined ? this.#make.unspecified(id) : this.#make.select(id, operand, name.text);
  }

  /** A name, plain or in backticks; undefined if there was none. */
  #name(after: Follow): Token | undefined {
    let name: Token | undefined;
    this.call(after, () =>
      this.rule(() => {
        this.sync('name', [T.identifier, T.escaped]);
        if (this.type() !== T.identifier && this.type() !== T.escaped) throw this.noAlternative('name', 0);
        name = this.token();
        this.matched();
      }),
    );
    return name;
  }

  #memberCall(operand: Expr): Expr {
    this.match('member .', T.dot);
    const name = this.token();
    this.match('member call', T.identifier);
    const open = this.token();
    this.match('member (', T.leftParen);
    return this.#finishCall(name.text, open, operand);
  }

  /** The rest of a call; a macro is looked at even if the call does not come to its end. */
  #finishCall(name: string, open: Token, target: Expr | undefined): Expr {
    this.sync('arguments', [T.rightParen, ...startsExpr]);
    const args = this.#arguments();
    const call = this.#macro(name, open, args, target);
    this.match('arguments )', T.rightParen, target === undefined ? follows.end : follows.member);
    return call;
  }

  #arguments(): Expr[] {
    const args: Expr[] = [];
    if (startsExpr.includes(this.type())) {
      this.call(follows.paren, () =>
        this.rule(() => {
          args.push(this.#expr(follows.comma));
          while (this.type() === T.comma) {
            this.match('arguments ,', T.comma, follow(startsExpr));
            args.push(this.#expr(follows.comma));
          }
        }),
      );
    }
    return args;
  }

  /** Reports what a macro finds wrong with its arguments. */
  #macro(name: string, open: Token, args: readonly Expr[], target: Expr | undefined): Expr {
    const id = this.#make.id(open.start);
    const macro = findMacro(name, args.length, target !== undefined, this.#bindings);
    try {
      macro?.expand(new MacroContext(this.#make, open.start), target, args);
    } catch (error) {
      if (!(error instanceof MacroError)) throw error;
      this.issues.add(this.issues.source.location(this.#make.offsetOf(error.exprId)), error.message);
    }
    return this.#make.unspecified(id);
  }

  #primary(after: Follow): Expr {
    const start = this.token().start;
    this.stack.push(after);
    let result: Expr | undefined;
    try {
      this.sync('primary', startsMember);
      switch (this.type()) {
        case T.dot:
        case T.identifier:
          result = this.#named();
          break;
        case T.leftParen:
          this.match('primary (', T.leftParen, follow(startsExpr));
          result = this.#expr(follows.paren);
          this.match('primary )', T.rightParen);
          break;
        case T.leftBracket:
          result = this.#elements(T.leftBracket, T.rightBracket, follows.listParts, startsOptional, () =>
            this.#listInit(),
          );
          break;
        case T.leftBrace:
          result = this.#elements(T.leftBrace, T.rightBrace, follows.braceParts, startsOptional, () => this.#entries());
          break;
        default:
          this.call(follows.end, () => this.rule(() => this.#literal()));
          result = this.#unknown();
      }
    } catch (error) {
      result = this.failed(error);
    }
    this.stack.pop();
    return result ?? this.#make.unspecified(this.#make.id(start));
  }

  #literal(): void {
    if (this.type() === T.minus) {
      if (!this.#isNumber(1)) throw this.noAlternative('literal', 1);
      this.matched();
    }
    if (this.type() < T.true || this.type() > T.bytes) throw this.noAlternative('literal', 0);
    this.matched();
  }

  #named(): Expr {
    const first = this.token();
    const leading = this.type() === T.dot ? 1 : 0;
    if (this.type(leading) !== T.identifier) throw this.noAlternative('primary', leading);
    let ahead = leading + 1;
    while (this.type(ahead) === T.dot && this.type(ahead + 1) === T.identifier) ahead += 2;
    if (this.type(ahead) === T.leftBrace) return this.#message(ahead);
    if (leading === 1) this.match('primary .', T.dot);
    const name = this.token();
    this.match('primary name', T.identifier);
    if (reservedIdentifiers.has(name.text)) {
      this.issues.add(this.issues.source.location(first.start), `reserved identifier: ${name.text}`);
    }
    const open = this.token();
    if (open.type !== T.leftParen) {
      return reservedIdentifiers.has(name.text)
        ? this.#unknown(first)
        : this.#make.ident(this.#make.id(name.start), name.text);
    }
    this.match('primary call', T.leftParen);
    return this.#finishCall(name.text, open, undefined);
  }

  #message(tokens: number): Expr {
    for (let count = 0; count < tokens; count++) this.matched();
    const starts = [T.question, T.identifier, T.escaped];
    return this.#elements(T.leftBrace, T.rightBrace, follows.braceParts, starts, () => this.#fields());
  }

  /** A bracketed list of anything, with a comma at its end if one likes. */
  #elements(open: number, close: number, after: Follow, starts: readonly number[], parts: () => void): Expr {
    this.match('elements open', open, follow([...starts, ...after.tokens]));
    this.sync('elements', [...starts, ...after.tokens]);
    if (starts.includes(this.type())) this.call(after, () => this.rule(parts));
    this.sync('elements ,', [...after.tokens]);
    if (this.type() === T.comma) this.match('elements comma', T.comma, follow([close]));
    this.match('elements close', close);
    return this.#unknown();
  }

  /** Whether a comma goes on with one more part, rather than ending the list. */
  #another(starts: readonly number[]): boolean {
    return this.type() === T.comma && starts.includes(this.type(1));
  }

  #listInit(): void {
    this.call(follows.comma, () => this.#optional());
    while (this.#another(startsOptional)) {
      this.matched();
      this.call(follows.comma, () => this.#optional());
    }
  }

  #entries(): void {
    do {
      if (this.type() === T.comma) this.matched();
      this.call(follows.colon, () => this.#optional());
      this.match('entry :', T.colon, follow(startsExpr));
      this.#expr(follows.comma);
    } while (this.#another(startsOptional));
  }

  #fields(): void {
    const starts = [T.question, T.identifier, T.escaped];
    do {
      if (this.type() === T.comma) this.matched();
      this.call(follows.colon, () =>
        this.rule(() => {
          this.sync('field', starts);
          if (this.type() === T.question) this.match('field ?', T.question);
          this.#name(follows.end);
        }),
      );
      this.match('field :', T.colon, follow(startsExpr));
      this.#expr(follows.comma);
    } while (this.#another(starts));
  }

  #optional(): void {
    this.rule(() => {
      this.sync('optional', startsOptional);
      if (this.type() === T.question) this.match('optional ?', T.question, follow(startsExpr));
      this.#expr(follows.end);
    });
  }
}
