/**
 * Checks of literals that types do not make: durations, timestamps, regular expressions, formats, and that elements of
 * lists and maps have one type. Upstream: cel-go cel/validator.go, ext/formatting.go (stringFormatValidator).
 */
import { regexFault } from '../../schema/regex.ts';
import { type Clause, clauseFault, FormatError, walkFormat } from '../library/format-string.ts';
import type { CallExpr, Expr, ListExpr, MapExpr } from '../syntax/ast.ts';
import type { IssueList } from '../syntax/source.ts';
import { parseDuration, parseTimestamp, timestampOfSeconds } from '../values/time.ts';
import { CelError } from '../values/value.ts';
import type { CheckedExpr } from './checker.ts';
import { type Type, types } from './types.ts';

const literalChecks: readonly (readonly [name: string, isValid: (literal: unknown) => boolean])[] = [
  ['duration', literal => typeof literal === 'string' && parseDuration(literal) !== undefined],
  ['timestamp', isTimestamp],
  ['matches', literal => typeof literal !== 'string' || regexFault(literal) === undefined],
];

function isTimestamp(literal: unknown): boolean {
  if (literal === null) return false;
  if (typeof literal !== 'string' && typeof literal !== 'bigint') return true;
  const time = typeof literal === 'string' ? parseTimestamp(literal) : timestampOfSeconds(literal);
  return time !== undefined && !(time instanceof CelError);
}

/** Adds issues for literals that are not valid. `mixed`: elements may have different types. */
export function validateLiterals(checked: CheckedExpr, issues: IssueList, mixed: boolean): void {
  new LiteralValidator(checked, issues).run(mixed);
}

class LiteralValidator {
  readonly #checked: CheckedExpr;
  readonly #issues: IssueList;

  constructor(checked: CheckedExpr, issues: IssueList) {
    this.#checked = checked;
    this.#issues = issues;
  }

  run(mixed: boolean): void {
    const calls: CallExpr[] = [];
    walk(this.#checked.expr, expr => {
      if (expr.kind === 'call') calls.push(expr);
      return true;
    });
    for (const [name, isValid] of literalChecks) {
      for (const call of calls) {
        const [arg] = call.args;
        if (call.function !== name || arg?.kind !== 'literal' || isValid(arg.value)) continue;
        this.#issue(arg.id, `invalid ${name} argument`);
      }
    }
    if (!mixed) this.#checkElements();
    for (const call of calls) this.#checkFormat(call);
  }

  #issue(id: number, message: string): void {
    this.#issues.add(this.#issues.source.location(this.#checked.offsets.get(id) ?? 0), message);
  }

  #typeOf(expr: Expr): Type {
    return this.#checked.types.get(expr.id) ?? types.dyn;
  }

  /** Elements of literals have one type, except in arguments of format(). */
  #checkElements(): void {
    walk(this.#checked.expr, expr => {
      if (expr.kind === 'call' && expr.function === 'format') return false;
      if (expr.kind === 'list') this.#checkList(expr);
      if (expr.kind === 'map') this.#checkMap(expr);
      return true;
    });
  }

  #elementType(expr: Expr, optional: boolean): Type {
    const type = this.#typeOf(expr);
    return optional ? (type.params[0] ?? types.dyn) : type;
  }

  #checkList(list: ListExpr): void {
    let first: Type | undefined;
    for (const [index, element] of list.elements.entries()) {
      const type = this.#elementType(element, list.optional.has(index));
      first ??= type;
      if (equivalent(first, type)) continue;
      this.#issue(element.id, `expected type '${first}' but found '${type}'`);
      return;
    }
  }

  #checkMap(map: MapExpr): void {
    const [first] = map.entries;
    if (first === undefined) return;
    const keyType = this.#typeOf(first.key);
    const valueType = this.#elementType(first.value, first.optional);
    for (const { key, value, optional } of map.entries) {
      const [ofKey, ofValue] = [this.#typeOf(key), this.#elementType(value, optional)];
      if (!equivalent(keyType, ofKey)) this.#issue(key.id, `expected type '${keyType}' but found '${ofKey}'`);
      if (!equivalent(valueType, ofValue)) this.#issue(value.id, `expected type '${valueType}' but found '${ofValue}'`);
    }
  }

  /** A format and its arguments, where both are literals. */
  #checkFormat(call: CallExpr): void {
    const [list] = call.args;
    if (call.function !== 'format' || call.target?.kind !== 'literal' || list?.kind !== 'list') return;
    const { value } = call.target;
    if (typeof value !== 'string' || call.args.length !== 1) return;
    const { elements } = list;
    let asked = 0;
    let at = call.id;
    try {
      walkFormat(
        value,
        elements.length,
        () => undefined,
        (clause, index) => {
          asked++;
          const wrong = this.#misfit(clause, elements[index] as Expr);
          if (wrong === undefined) return;
          at = wrong.id;
          throw new FormatError(`error during formatting: ${clauseFault(clause.verb, this.#typeOf(wrong))}`);
        },
      );
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#issue(at, error.message);
      return;
    }
    if (elements.length > asked) {
      const counts = `(expected ${asked}, got ${elements.length})`;
      this.#issue(call.id, `too many arguments supplied to string.format ${counts}`);
    }
  }

  /** The part of an argument that a clause cannot show. */
  #misfit({ verb }: Clause, arg: Expr): Expr | undefined {
    const { kind } = this.#typeOf(arg);
    if (kind !== 'dyn' && !(formattable[verb] ?? formattable.x)?.includes(kind)) return arg;
    if (verb !== 's') return undefined;
    const parts =
      arg.kind === 'list'
        ? arg.elements
        : arg.kind === 'map'
          ? arg.entries.flatMap(entry => [entry.key, entry.value])
          : [];
    for (const part of parts) {
      const wrong = this.#misfit({ verb, precision: 0 }, part);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
}

/** Kinds of types that clauses can show. */
const formattable: Readonly<Record<string, readonly string[]>> = {
  s: 'list map int uint double bool string timestamp bytes duration type null'.split(' '),
  d: ['int', 'uint'],
  f: ['double', 'string'],
  e: ['double', 'string'],
  b: ['int', 'uint', 'bool'],
  o: ['int', 'uint'],
  x: ['int', 'uint', 'string', 'bytes'],
};

/** The same type, names of parameters aside. */
function equivalent(left: Type, right: Type): boolean {
  if (left.kind !== right.kind || left.params.length !== right.params.length) return false;
  if (left.kind !== 'param' && left.name !== right.name) return false;
  return left.params.every((one, index) => equivalent(one, right.params[index] as Type));
}

/** Visits every node, parents first; false keeps from a node's children. */
function walk(expr: Expr, visit: (expr: Expr) => boolean): void {
  if (!visit(expr)) return;
  for (const child of childrenOf(expr)) walk(child, visit);
}

function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'select':
      return [expr.operand];
    case 'call':
      return expr.target === undefined ? expr.args : [expr.target, ...expr.args];
    case 'list':
      return expr.elements;
    case 'map':
      return expr.entries.flatMap(entry => [entry.key, entry.value]);
    case 'struct':
      return expr.fields.map(field => field.value);
    case 'comprehension':
      return [expr.range, expr.init, expr.condition, expr.step, expr.result];
    default:
      return [];
  }
}
