/**
 * Checks of literals that types do not make: durations, timestamps and regular expressions. Upstream: cel-go
 * cel/validator.go, ext/formatting.go.
 */
import { regexFault } from '../../schema/regex.ts';
import type { CallExpr, Expr } from '../syntax/ast.ts';
import type { IssueList } from '../syntax/source.ts';
import { parseDuration, parseTimestamp } from '../values/time.ts';
import { CelError } from '../values/value.ts';
import type { CheckedExpr } from './checker.ts';

const checks: readonly (readonly [name: string, isValid: (literal: unknown) => boolean])[] = [
  ['duration', literal => typeof literal !== 'string' || parseDuration(literal) !== undefined],
  ['timestamp', literal => typeof literal !== 'string' || isTimestamp(literal)],
  ['matches', literal => typeof literal !== 'string' || regexFault(literal) === undefined],
];

function isTimestamp(literal: string): boolean {
  const time = parseTimestamp(literal);
  return time !== undefined && !(time instanceof CelError);
}

/** Adds an issue for every literal that its function refuses. */
export function validateLiterals(checked: CheckedExpr, issues: IssueList): void {
  const calls: CallExpr[] = [];
  walk(checked.expr, expr => {
    if (expr.kind === 'call') calls.push(expr);
  });
  for (const [name, isValid] of checks) {
    for (const call of calls) {
      const [arg] = call.args;
      if (call.function !== name || arg?.kind !== 'literal' || isValid(arg.value)) continue;
      issues.add(issues.source.location(checked.offsets.get(arg.id) ?? 0), `invalid ${name} argument`);
    }
  }
}

/** Visits every node, parents first. */
export function walk(expr: Expr, visit: (expr: Expr) => void): void {
  visit(expr);
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
