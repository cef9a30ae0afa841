/** What an expression looks at. Upstream: apiserver pkg/apis/apiserver/validation/validation.go hasSelectExp. */
import { type Expr, operators } from './ast.ts';

const isVariable = (expr: Expr | undefined, name: string): boolean => expr?.kind === 'ident' && expr.name === name;

/** Whether `variable.field` (or `variable.?field`) stands anywhere in the tree. An index is not a selection. */
export function selects(expr: Expr, variable: string, field: string): boolean {
  const anyOf = (all: ReadonlyArray<Expr | undefined>): boolean =>
    all.some(each => each !== undefined && selects(each, variable, field));
  switch (expr.kind) {
    case 'select':
      return (isVariable(expr.operand, variable) && expr.field === field) || anyOf([expr.operand]);
    case 'call': {
      const [operand, name] = expr.args;
      const isOptional = expr.target === undefined && expr.function === operators.optSelect && expr.args.length === 2;
      if (isOptional && isVariable(operand, variable) && name?.kind === 'literal' && name.value === field) return true;
      return anyOf([...expr.args, expr.target]);
    }
    case 'list':
      return anyOf(expr.elements);
    case 'map':
      return anyOf(expr.entries.flatMap(({ key, value }) => [key, value]));
    case 'struct':
      return anyOf(expr.fields.map(({ value }) => value));
    case 'comprehension':
      return anyOf([expr.range, expr.init, expr.condition, expr.step, expr.result]);
    default:
      return false;
  }
}
