/**
 * Parses expressions by recursive descent into the tree that cel-go builds: macros expanded, chains of && and ||
 * balanced, ids in the same order. A text with a syntax error is read a second time by the recovering reader, which
 * finds the words that the original has for it. Upstream: cel-go parser/parser.go, CEL.g4.
 */
import { Uint } from '../values/uint.ts';
import type { Expr, MapEntryExpr, ParsedExpr, StructFieldExpr } from './ast.ts';
import { operators, reservedIdentifiers } from './ast.ts';
import { ExprBuilder, TreeTooLarge } from './builder.ts';
import { T, type Token, tokenize } from './lexer.ts';
import { findMacro, MacroContext, MacroError } from './macros.ts';
import { reportSyntaxErrors } from './recovery.ts';
import { codePoints, IssueList, noLocation, Source } from './source.ts';
import { unescapeBytes, unescapeString } from './unescape.ts';

/** Longest expression in code points. */
const maxCodePoints = 100_000;
/** How deep each grammar rule, and the tree, may nest. */
const maxDepth = 250;

const relationOperators: Readonly<Record<number, string>> = {
  [T.less]: operators.less,
  [T.lessEquals]: operators.lessEquals,
  [T.greater]: operators.greater,
  [T.greaterEquals]: operators.greaterEquals,
  [T.equals]: operators.equals,
  [T.notEquals]: operators.notEquals,
  [T.in]: operators.in,
};

const calcOperators: Readonly<Record<number, readonly [precedence: number, name: string]>> = {
  [T.star]: [2, operators.multiply],
  [T.slash]: [2, operators.divide],
  [T.percent]: [2, operators.modulo],
  [T.plus]: [1, operators.add],
  [T.minus]: [1, operators.subtract],
};

class SyntaxFailure extends Error {}
class DepthFailure extends Error {}

/** The language that an environment allows. */
export interface ParseOptions {
  /** Field names in backticks. Kubernetes does not turn them on. */
  readonly escapedIdentifiers?: boolean;
  /** `cel.bind(name, value, expression)` is understood. */
  readonly bindings?: boolean;
}

/** Parses `text`; the tree is of use only if there are no issues. */
export function parse(text: string, options: ParseOptions = {}): { parsed: ParsedExpr; issues: IssueList } {
  const source = new Source(text);
  const issues = new IssueList(source);
  const builder = new ExprBuilder();
  let expr: Expr = { kind: 'unspecified', id: 0 };
  const size = codePoints(text);
  if (size > maxCodePoints) {
    issues.add(noLocation, `expression code point size exceeds limit: size: ${size}, limit ${maxCodePoints}`);
    return { parsed: { expr, offsets: builder.offsets }, issues };
  }
  const { tokens, faults } = tokenize(text);
  try {
    if (faults.length > 0) throw new SyntaxFailure();
    expr = new Parser(tokens, builder, issues, options).start();
  } catch (error) {
    if (error instanceof SyntaxFailure) {
      const found = new IssueList(source);
      reportSyntaxErrors(tokens, faults, found, options.bindings === true);
      return { parsed: { expr, offsets: builder.offsets }, issues: found };
    }
    if (error instanceof DepthFailure || error instanceof TreeTooLarge) issues.add(noLocation, error.message);
    else throw error;
  }
  return { parsed: { expr, offsets: builder.offsets }, issues };
}

type Rule = 'expr' | 'or' | 'and' | 'relation' | 'calc' | 'unary' | 'member' | 'primary' | 'literal';

class Parser {
  readonly #tokens: readonly Token[];
  readonly #make: ExprBuilder;
  readonly #issues: IssueList;
  readonly #options: ParseOptions;
  readonly #depths = new Map<Rule, number>();
  /** How many counted nodes lie on the longest way down from a node. */
  readonly #heights = new Map<Expr, number>();
  #at = 0;

  constructor(tokens: readonly Token[], make: ExprBuilder, issues: IssueList, options: ParseOptions) {
    this.#tokens = tokens;
    this.#make = make;
    this.#issues = issues;
    this.#options = options;
  }

  start(): Expr {
    const expr = this.#expr();
    if (this.#type() !== T.eof) throw new SyntaxFailure();
    if ((this.#heights.get(expr) ?? 0) > maxDepth) throw new DepthFailure('max recursion depth exceeded');
    return expr;
  }

  #type(ahead = 0): number {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)]?.type as number;
  }

  #next(): Token {
    const token = this.#tokens[this.#at] as Token;
    if (this.#at < this.#tokens.length - 1) this.#at++;
    return token;
  }

  #accept(type: number): Token | undefined {
    return this.#type() === type ? this.#next() : undefined;
  }

  #expect(type: number): Token {
    if (this.#type() !== type) throw new SyntaxFailure();
    return this.#next();
  }

  #enter(rule: Rule): void {
    const depth = (this.#depths.get(rule) ?? 0) + 1;
    if (depth > maxDepth) throw new DepthFailure(`expression recursion limit exceeded: ${maxDepth}`);
    this.#depths.set(rule, depth);
  }

  #leave(rule: Rule, times = 1): void {
    this.#depths.set(rule, (this.#depths.get(rule) ?? 0) - times);
  }

  /** Notes how high a node stands above its parts. */
  #tall(expr: Expr, parts: readonly Expr[], counted = true): Expr {
    const height = parts.reduce((most, part) => Math.max(most, this.#heights.get(part) ?? 0), 0);
    this.#heights.set(expr, height + (counted ? 1 : 0));
    return expr;
  }

  #issue(offset: number, message: string): Expr {
    const id = this.#make.id(offset);
    this.#issues.add(this.#issues.source.location(offset), message);
    return this.#make.unspecified(id);
  }

  #expr(): Expr {
    this.#enter('expr');
    const condition = this.#or();
    const question = this.#accept(T.question);
    let result = condition;
    if (question !== undefined) {
      const id = this.#make.id(question.start);
      const whenTrue = this.#or();
      this.#expect(T.colon);
      const whenFalse = this.#expr();
      const args = [condition, whenTrue, whenFalse];
      result = this.#tall(this.#call(id, operators.conditional, args), args);
    }
    this.#leave('expr');
    return result;
  }

  #or(): Expr {
    this.#enter('or');
    const result = this.#chain(T.or, operators.or, () => this.#and());
    this.#leave('or');
    return result;
  }

  #and(): Expr {
    this.#enter('and');
    const result = this.#chain(T.and, operators.and, () => this.#relation());
    this.#leave('and');
    return result;
  }

  #chain(type: number, name: string, term: () => Expr): Expr {
    const terms = [term()];
    const ids: number[] = [];
    for (let token = this.#accept(type); token !== undefined; token = this.#accept(type)) {
      terms.push(term());
      ids.push(this.#make.id(token.start));
    }
    if (ids.length === 0) return terms[0] as Expr;
    return this.#tall(this.#balanced(name, terms, ids, 0, ids.length - 1), terms, false);
  }

  #balanced(name: string, terms: readonly Expr[], ids: readonly number[], low: number, high: number): Expr {
    const middle = Math.floor((low + high + 1) / 2);
    const left = middle === low ? terms[middle] : this.#balanced(name, terms, ids, low, middle - 1);
    const right = middle === high ? terms[middle + 1] : this.#balanced(name, terms, ids, middle + 1, high);
    return this.#make.call(ids[middle] as number, name, [left as Expr, right as Expr]);
  }

  #relation(): Expr {
    this.#enter('relation');
    let levels = 1;
    let left = this.#calc(1);
    for (;;) {
      const name = relationOperators[this.#type()];
      if (name === undefined) break;
      this.#enter('relation');
      levels++;
      const id = this.#make.id(this.#next().start);
      this.#enter('relation');
      const right = this.#calc(1);
      this.#leave('relation');
      left = this.#tall(this.#call(id, name, [left, right]), [left, right]);
    }
    this.#leave('relation', levels);
    return left;
  }

  #calc(lowest: number): Expr {
    this.#enter('calc');
    let levels = 1;
    let left = this.#unary();
    for (;;) {
      const operator = calcOperators[this.#type()];
      if (operator === undefined || operator[0] < lowest) break;
      this.#enter('calc');
      levels++;
      const id = this.#make.id(this.#next().start);
      const right = this.#calc(operator[0] + 1);
      left = this.#tall(this.#call(id, operator[1], [left, right]), [left, right]);
    }
    this.#leave('calc', levels);
    return left;
  }

  #unary(): Expr {
    this.#enter('unary');
    let result: Expr;
    const first = this.#type();
    if (first === T.not) result = this.#prefixed(T.not, operators.not);
    else if (first === T.minus && !this.#numberAt(1)) result = this.#prefixed(T.minus, operators.negate);
    else result = this.#member();
    this.#leave('unary');
    return result;
  }

  #numberAt(ahead: number): boolean {
    const type = this.#type(ahead);
    return type === T.int || type === T.float;
  }

  #prefixed(type: number, name: string): Expr {
    const first = this.#next();
    let count = 1;
    while (this.#accept(type) !== undefined) count++;
    if (count % 2 === 0) return this.#member();
    const id = this.#make.id(first.start);
    const operand = this.#member();
    return this.#tall(this.#call(id, name, [operand]), [operand], false);
  }

  #member(): Expr {
    this.#enter('member');
    let levels = 1;
    let result = this.#primary();
    for (;;) {
      const type = this.#type();
      if (type !== T.dot && type !== T.leftBracket) break;
      this.#enter('member');
      levels++;
      result = type === T.dot ? this.#selection(result) : this.#indexing(result);
    }
    this.#leave('member', levels);
    return result;
  }

  #selection(operand: Expr): Expr {
    const dot = this.#next();
    const optional = this.#accept(T.question);
    const name = this.#accept(T.identifier);
    if (name === undefined) {
      const escaped = this.#expect(T.escaped);
      if (!this.#options.escapedIdentifiers) this.#issue(escaped.start, "unsupported syntax: '`'");
      return this.#selected(operand, dot, escaped, escaped.text.slice(1, -1), optional !== undefined);
    }
    const open = optional === undefined ? this.#accept(T.leftParen) : undefined;
    if (open === undefined) return this.#selected(operand, dot, name, name.text, optional !== undefined);
    const id = this.#make.id(open.start);
    const args = this.#arguments();
    return this.#tall(this.#call(id, name.text, args, operand), [operand, ...args]);
  }

  #selected(operand: Expr, dot: Token, name: Token, field: string, optional: boolean): Expr {
    const id = this.#make.id(dot.start);
    if (!optional) return this.#tall(this.#make.select(id, operand, field), [operand]);
    const literal = this.#make.literal(this.#make.id(name.start), field);
    return this.#tall(this.#make.call(id, operators.optSelect, [operand, literal]), [operand]);
  }

  #indexing(operand: Expr): Expr {
    const id = this.#make.id(this.#next().start);
    const optional = this.#accept(T.question);
    const index = this.#expr();
    this.#expect(T.rightBracket);
    const name = optional === undefined ? operators.index : operators.optIndex;
    return this.#tall(this.#call(id, name, [operand, index]), [operand, index]);
  }

  /** Arguments up to and with the closing parenthesis. */
  #arguments(): Expr[] {
    const args: Expr[] = [];
    if (this.#accept(T.rightParen) !== undefined) return args;
    do args.push(this.#expr());
    while (this.#accept(T.comma) !== undefined);
    this.#expect(T.rightParen);
    return args;
  }

  #primary(): Expr {
    this.#enter('primary');
    const result = this.#primaryBody();
    this.#leave('primary');
    return result;
  }

  #primaryBody(): Expr {
    switch (this.#type()) {
      case T.dot:
      case T.identifier:
        return this.#named();
      case T.leftParen: {
        this.#next();
        const inner = this.#expr();
        this.#expect(T.rightParen);
        return inner;
      }
      case T.leftBracket:
        return this.#list();
      case T.leftBrace:
        return this.#map();
      default:
        return this.#literal();
    }
  }

  /** An identifier, a call, or a message: which one shows only behind the dotted name. */
  #named(): Expr {
    const start = this.#tokens[this.#at] as Token;
    const leading = this.#accept(T.dot) === undefined ? '' : '.';
    const name = this.#expect(T.identifier);
    const brace = this.#messageBrace();
    if (brace !== undefined) return this.#message(leading + name.text, brace);
    const open = this.#accept(T.leftParen);
    const id = open === undefined ? 0 : this.#make.id(open.start);
    const args = open === undefined ? [] : this.#arguments();
    if (reservedIdentifiers.has(name.text)) return this.#issue(start.start, `reserved identifier: ${name.text}`);
    if (open === undefined) return this.#make.ident(this.#make.id(name.start), leading + name.text);
    return this.#tall(this.#call(id, leading + name.text, args), args, false);
  }

  /** How many tokens lie before the brace of a message literal, if this is one. */
  #messageBrace(): number | undefined {
    let ahead = 0;
    while (this.#type(ahead) === T.dot && this.#type(ahead + 1) === T.identifier) ahead += 2;
    return this.#type(ahead) === T.leftBrace ? ahead : undefined;
  }

  #message(first: string, tokensToBrace: number): Expr {
    let typeName = first;
    for (let count = 0; count < tokensToBrace; count++) typeName += this.#next().text;
    const id = this.#make.id(this.#next().start);
    const fields: StructFieldExpr[] = [];
    while (this.#type() !== T.rightBrace) {
      if (this.#type() === T.comma && this.#type(1) === T.rightBrace) break;
      if (fields.length > 0) this.#expect(T.comma);
      fields.push(this.#field());
    }
    this.#accept(T.comma);
    this.#expect(T.rightBrace);
    const values = fields.map(field => field.value);
    return this.#tall(this.#make.struct(id, typeName, fields), values, false);
  }

  #field(): StructFieldExpr {
    const optional = this.#accept(T.question) !== undefined;
    const name = this.#accept(T.identifier) ?? this.#expect(T.escaped);
    const id = this.#make.id(this.#expect(T.colon).start);
    const escaped = name.type === T.escaped;
    if (escaped && !this.#options.escapedIdentifiers) this.#issue(name.start, "unsupported syntax: '`'");
    return { id, name: escaped ? name.text.slice(1, -1) : name.text, value: this.#expr(), optional };
  }

  #list(): Expr {
    const id = this.#make.id(this.#next().start);
    const elements: Expr[] = [];
    const optional = new Set<number>();
    while (this.#type() !== T.rightBracket) {
      if (this.#type() === T.comma && this.#type(1) === T.rightBracket) break;
      if (elements.length > 0) this.#expect(T.comma);
      if (this.#accept(T.question) !== undefined) optional.add(elements.length);
      elements.push(this.#expr());
    }
    this.#accept(T.comma);
    this.#expect(T.rightBracket);
    return this.#tall(this.#make.list(id, elements, optional), elements, false);
  }

  #map(): Expr {
    const id = this.#make.id(this.#next().start);
    const entries: MapEntryExpr[] = [];
    while (this.#type() !== T.rightBrace) {
      if (this.#type() === T.comma && this.#type(1) === T.rightBrace) break;
      if (entries.length > 0) this.#expect(T.comma);
      const optional = this.#accept(T.question) !== undefined;
      const key = this.#expr();
      const entryId = this.#make.id(this.#expect(T.colon).start);
      entries.push({ id: entryId, key, value: this.#expr(), optional });
    }
    this.#accept(T.comma);
    this.#expect(T.rightBrace);
    const parts = entries.flatMap(entry => [entry.key, entry.value]);
    return this.#tall(this.#make.map(id, entries), parts, false);
  }

  #literal(): Expr {
    const sign = this.#type() === T.minus && this.#numberAt(1) ? this.#next() : undefined;
    const token = this.#next();
    const offset = sign?.start ?? token.start;
    try {
      const value = literalValue(token, sign === undefined ? '' : '-');
      return this.#make.literal(this.#make.id(offset), value);
    } catch (error) {
      if (error instanceof RangeError) return this.#issue(offset, error.message);
      throw error;
    }
  }

  #call(id: number, name: string, args: readonly Expr[], target?: Expr): Expr {
    const macro = findMacro(name, args.length, target !== undefined, this.#options.bindings === true);
    if (macro === undefined) return this.#make.call(id, name, args, target);
    const offset = this.#make.offsetOf(id);
    try {
      const expanded = macro.expand(new MacroContext(this.#make, offset), target, args);
      return expanded ?? this.#make.call(id, name, args, target);
    } catch (error) {
      if (error instanceof MacroError) return this.#issue(this.#make.offsetOf(error.exprId), error.message);
      throw error;
    }
  }
}

const minInt = -(2n ** 63n);
const maxInt = 2n ** 63n - 1n;

/** The value of a literal token. Throws a RangeError for one out of range, a SyntaxFailure for no literal. */
function literalValue(token: Token, sign: '' | '-'): bigint | number | string | boolean | null | Uint | Uint8Array {
  switch (token.type) {
    case T.int: {
      const value = sign === '' ? BigInt(token.text) : -BigInt(token.text);
      if (value < minInt || value > maxInt) throw new RangeError('invalid int literal');
      return value;
    }
    case T.uint: {
      const value = BigInt(token.text.slice(0, -1));
      if (value >= 2n ** 64n) throw new RangeError('invalid uint literal');
      return new Uint(value);
    }
    case T.float: {
      const value = Number(sign + token.text);
      if (!Number.isFinite(value)) throw new RangeError('invalid double literal');
      return value;
    }
    case T.string:
      return unescapeString(token.text);
    case T.bytes:
      return unescapeBytes(token.text.slice(1));
    case T.true:
    case T.false:
      return token.type === T.true;
    case T.null:
      return null;
    default:
      throw new SyntaxFailure();
  }
}
