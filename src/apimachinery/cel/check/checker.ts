/**
 * Finds the type of every node and the overload of every call, with cel-go's words for what does not fit. Names are
 * resolved without a container. Upstream: cel-go checker/{checker,errors,env}.go.
 *
 * The result is a tree of its own: dotted names that are one variable or function have become one name.
 */
import type {
  CallExpr,
  ComprehensionExpr,
  Constant,
  Expr,
  ListExpr,
  MapExpr,
  ParsedExpr,
  SelectExpr,
  StructExpr,
} from '../syntax/ast.ts';
import { operators, qualifiedName } from '../syntax/ast.ts';
import type { IssueList } from '../syntax/source.ts';
import { Uint } from '../values/uint.ts';
import type { FunctionDeclaration } from './declarations.ts';
import {
  formatArguments,
  isDyn,
  isDynOrError,
  isOptional,
  listOf,
  mapOf,
  optionalOf,
  param,
  sameType,
  type Type,
  typeOf,
  types,
} from './types.ts';
import { mostGeneral, Substitution } from './unify.ts';

/** What names mean. */
export interface Scope {
  readonly functions: ReadonlyMap<string, FunctionDeclaration>;
  variable(name: string): Type | undefined;
  /** The type that a name stands for, such as `int` or `google.protobuf.Duration`. */
  typeNamed(name: string): Type | undefined;
  /** The type of a field; undefined when the struct has no such field. */
  field(struct: string, field: string): Type | undefined;
  hasStruct(struct: string): boolean;
}

/** A tree whose nodes have types. */
export interface CheckedExpr {
  readonly expr: Expr;
  readonly offsets: ReadonlyMap<number, number>;
  readonly types: ReadonlyMap<number, Type>;
  /** Ids of the overloads that a call may have. */
  readonly overloads: ReadonlyMap<number, readonly string[]>;
  /** Nodes that are types used as values. */
  readonly typeValues: ReadonlyMap<number, Type>;
  /** Names of the variables of the environment that are used. */
  readonly variables: ReadonlySet<string>;
}

/** Checks a parsed expression; the result is of use only if no issue was added. */
export function check(parsed: ParsedExpr, scope: Scope, issues: IssueList): CheckedExpr {
  return new Checker(parsed, scope, issues).run();
}

class Checker {
  readonly #parsed: ParsedExpr;
  readonly #scope: Scope;
  readonly #issues: IssueList;
  readonly #types = new Map<number, Type>();
  readonly #overloads = new Map<number, readonly string[]>();
  readonly #typeValues = new Map<number, Type>();
  readonly #variables = new Set<string>();
  readonly #substitution = new Substitution();
  /** Variables of folds, innermost last. */
  readonly #locals: Map<string, Type>[] = [];
  #freeVariables = 0;

  constructor(parsed: ParsedExpr, scope: Scope, issues: IssueList) {
    this.#parsed = parsed;
    this.#scope = scope;
    this.#issues = issues;
  }

  run(): CheckedExpr {
    const expr = this.#check(this.#parsed.expr);
    const final = new Map([...this.#types].map(([id, type]) => [id, this.#substitution.apply(type, true)]));
    return {
      expr,
      offsets: this.#parsed.offsets,
      types: final,
      overloads: this.#overloads,
      typeValues: this.#typeValues,
      variables: this.#variables,
    };
  }

  #issue(id: number, message: string): void {
    this.#issues.add(this.#issues.source.location(this.#parsed.offsets.get(id) ?? 0), message);
  }

  #mismatch(id: number, expected: Type, found: Type): void {
    this.#issue(id, `expected type '${expected}' but found '${found}'`);
  }

  #undeclared(id: number, name: string): void {
    this.#issue(id, `undeclared reference to '${name}' (in container '')`);
  }

  #typeOf(expr: Expr): Type {
    return this.#types.get(expr.id) ?? types.error;
  }

  #typed<E extends Expr>(expr: E, type: Type): E {
    this.#types.set(expr.id, type);
    return expr;
  }

  #check(expr: Expr): Expr {
    switch (expr.kind) {
      case 'literal':
        return this.#typed(expr, constantType(expr.value));
      case 'ident':
        return this.#named(expr, expr.name) ?? this.#unknownName(expr, expr.name);
      case 'select':
        return this.#checkSelect(expr);
      case 'call':
        return this.#checkCall(expr);
      case 'list':
        return this.#checkList(expr);
      case 'map':
        return this.#checkMap(expr);
      case 'struct':
        return this.#checkStruct(expr);
      case 'comprehension':
        return this.#checkFold(expr);
      default:
        this.#issue(expr.id, 'unexpected unspecified type: ');
        return this.#typed(expr, types.error);
    }
  }

  #unknownName(expr: Expr, name: string): Expr {
    this.#undeclared(expr.id, name);
    return this.#typed(expr, types.error);
  }

  /** The node as a variable or type name; undefined when the name is neither. */
  #named(expr: Expr, written: string): Expr | undefined {
    const name = written.startsWith('.') ? written.slice(1) : written;
    if (!written.startsWith('.')) {
      for (const scope of this.#locals.toReversed()) {
        const local = scope.get(name);
        if (local !== undefined) return this.#typed({ kind: 'ident', id: expr.id, name }, local);
      }
    }
    const variable = this.#scope.variable(name);
    if (variable !== undefined) {
      this.#variables.add(name);
      return this.#typed({ kind: 'ident', id: expr.id, name }, variable);
    }
    const type = this.#scope.typeNamed(name);
    if (type === undefined) return undefined;
    this.#typeValues.set(expr.id, type);
    return this.#typed({ kind: 'ident', id: expr.id, name }, typeOf(type));
  }

  #checkSelect(expr: SelectExpr): Expr {
    const name = qualifiedName(expr);
    const variable = name === undefined ? undefined : this.#named(expr, name);
    if (variable !== undefined) return variable;
    const operand = this.#check(expr.operand);
    const type = this.#fieldType(expr.id, operand, expr.field, false);
    return this.#typed({ ...expr, operand }, expr.testOnly ? types.bool : this.#substitution.apply(type, false));
  }

  #checkOptionalSelect(expr: CallExpr): Expr {
    const [target, name] = expr.args as [Expr, Expr];
    const operand = this.#check(target);
    const field = name.kind === 'literal' ? String(name.value) : '';
    const type = this.#fieldType(expr.id, operand, field, true);
    this.#typed(name, types.string);
    this.#overloads.set(expr.id, ['select_optional_field']);
    return this.#typed({ ...expr, args: [operand, name] }, this.#substitution.apply(type, false));
  }

  #fieldType(id: number, operand: Expr, field: string, optional: boolean): Type {
    const operandType = this.#substitution.apply(this.#typeOf(operand), false);
    const wrapped = isOptional(operandType);
    const target = wrapped ? (operandType.params[0] as Type) : operandType;
    let result: Type = types.dyn;
    if (target.kind === 'map') result = target.params[1] as Type;
    else if (target.kind === 'struct') result = this.#structField(id, target.name, field) ?? types.error;
    else if (target.kind === 'param') this.#substitution.assign(types.dyn, target);
    else if (!isDynOrError(target)) this.#issue(id, `type '${target}' does not support field selection`);
    return wrapped || optional ? optionalOf(result) : result;
  }

  #structField(id: number, struct: string, field: string): Type | undefined {
    if (!this.#scope.hasStruct(struct)) {
      this.#issue(id, `unexpected failed resolution of '${struct}'`);
      return undefined;
    }
    const type = this.#scope.field(struct, field);
    if (type === undefined) this.#issue(id, `undefined field '${field}'`);
    return type;
  }

  #checkCall(expr: CallExpr): Expr {
    if (expr.function === operators.optSelect) return this.#checkOptionalSelect(expr);
    const args = expr.args.map(arg => this.#check(arg));
    if (expr.target === undefined) {
      const name = expr.function.startsWith('.') ? expr.function.slice(1) : expr.function;
      const declaration = this.#scope.functions.get(name);
      if (declaration === undefined) return this.#unknownName({ ...expr, args }, expr.function);
      return this.#resolve({ ...expr, function: name, args }, declaration);
    }
    const prefix = qualifiedName(expr.target);
    const qualified = prefix === undefined ? '' : `${prefix.replace(/^\./, '')}.${expr.function}`;
    const namespaced = prefix === undefined ? undefined : this.#scope.functions.get(qualified);
    if (namespaced !== undefined) {
      return this.#resolve({ ...expr, function: qualified, target: undefined, args }, namespaced);
    }
    const target = this.#check(expr.target);
    const call = { ...expr, target, args };
    const declaration = this.#scope.functions.get(expr.function);
    return declaration === undefined ? this.#unknownName(call, expr.function) : this.#resolve(call, declaration);
  }

  #resolve(call: CallExpr, declaration: FunctionDeclaration): Expr {
    const operands = call.target === undefined ? call.args : [call.target, ...call.args];
    const given = operands.map(operand => this.#typeOf(operand));
    if (call.function === operators.and || call.function === operators.or) return this.#logical(call, given);
    let result: Type | undefined;
    const ids: string[] = [];
    for (const overload of declaration.overloads) {
      if (overload.receiver !== (call.target !== undefined)) continue;
      const fresh = new Substitution(new Map(overload.params.map(name => [name, this.#freeType()])));
      const wanted = overload.args.map(arg => fresh.apply(arg, false));
      if (!this.#substitution.assignAll(given, wanted)) continue;
      ids.push(overload.id);
      const type = this.#substitution.apply(fresh.apply(overload.result, false), false);
      if (result === undefined) result = type;
      else if (!isDyn(result) && !sameType(type, result)) result = types.dyn;
    }
    if (result === undefined) {
      const shown = given.map(type => this.#substitution.apply(type, true));
      const signature = formatArguments(shown, call.target !== undefined);
      this.#issue(call.id, `found no matching overload for '${call.function}' applied to '${signature}'`);
      return this.#typed(call, types.error);
    }
    this.#overloads.set(call.id, ids);
    return this.#typed(call, result);
  }

  #logical(call: CallExpr, given: readonly Type[]): Expr {
    let fits = true;
    given.forEach((type, index) => {
      if (this.#substitution.assign(type, types.bool)) return;
      fits = false;
      this.#mismatch(call.args[index]?.id as number, types.bool, type);
    });
    if (!fits) return this.#typed(call, types.error);
    this.#overloads.set(call.id, [call.function === operators.and ? 'logical_and' : 'logical_or']);
    return this.#typed(call, types.bool);
  }

  /** The type of an element of a literal; `?x` must be an optional. */
  #elementType(expr: Expr, optional: boolean): Type {
    const type = this.#typeOf(expr);
    if (!optional) return type;
    if (isOptional(type)) return type.params[0] as Type;
    if (!isDyn(type)) this.#mismatch(expr.id, optionalOf(type), type);
    return type;
  }

  #checkList(expr: ListExpr): Expr {
    let joined: Type | undefined;
    const elements = expr.elements.map((written, index) => {
      const element = this.#check(written);
      joined = this.#join(joined, this.#elementType(element, expr.optional.has(index)));
      return element;
    });
    return this.#typed({ ...expr, elements }, listOf(joined ?? this.#freeType()));
  }

  #checkMap(expr: MapExpr): Expr {
    let keyType: Type | undefined;
    let valueType: Type | undefined;
    const entries = expr.entries.map(entry => {
      const key = this.#check(entry.key);
      keyType = this.#join(keyType, this.#typeOf(key));
      const value = this.#check(entry.value);
      valueType = this.#join(valueType, this.#elementType(value, entry.optional));
      return { ...entry, key, value };
    });
    const type = mapOf(keyType ?? this.#freeType(), valueType ?? this.#freeType());
    return this.#typed({ ...expr, entries }, type);
  }

  #checkStruct(expr: StructExpr): Expr {
    const name = expr.typeName.startsWith('.') ? expr.typeName.slice(1) : expr.typeName;
    const variable = this.#scope.variable(name);
    const type = this.#scope.typeNamed(name);
    if (variable === undefined && type === undefined) return this.#unknownName(expr, expr.typeName);
    let result: Type = types.error;
    if (type === undefined) this.#issue(expr.id, `'${variable}' is not a type`);
    else if (type.kind !== 'struct') this.#issue(expr.id, `'${type}' is not a message type`);
    else result = type;
    this.#typed(expr, result);
    const fields = expr.fields.map(field => {
      const value = this.#check(field.value);
      const wanted = this.#structField(field.id, name, field.name) ?? types.error;
      const given = this.#elementType(value, field.optional);
      if (!this.#substitution.assign(wanted, given)) {
        this.#issue(field.id, `expected type of field '${field.name}' is '${wanted}' but provided type is '${given}'`);
      }
      return { ...field, value };
    });
    return this.#typed({ ...expr, typeName: name, fields }, result);
  }

  #checkFold(expr: ComprehensionExpr): Expr {
    const range = this.#check(expr.range);
    const init = this.#check(expr.init);
    const accumulated = this.#typeOf(init);
    this.#locals.push(new Map([[expr.accumulator, accumulated]]));
    const [first, second] = this.#iterationTypes(range, expr.variable2 !== undefined);
    const variables = new Map([[expr.variable, first]]);
    if (expr.variable2 !== undefined) variables.set(expr.variable2, second);
    this.#locals.push(variables);
    const condition = this.#check(expr.condition);
    this.#assert(condition, types.bool);
    const step = this.#check(expr.step);
    this.#assert(step, accumulated);
    this.#locals.pop();
    const result = this.#check(expr.result);
    this.#locals.pop();
    const type = this.#substitution.apply(this.#typeOf(result), false);
    return this.#typed({ ...expr, range, init, condition, step, result }, type);
  }

  #iterationTypes(range: Expr, two: boolean): [Type, Type] {
    const type = this.#substitution.apply(this.#typeOf(range), false);
    const [first, second] = type.params as [Type, Type];
    if (type.kind === 'list') return two ? [types.int, first] : [first, first];
    if (type.kind === 'map') return [first, second];
    if (type.kind === 'dyn' || type.kind === 'error' || type.kind === 'param') {
      this.#substitution.assign(types.dyn, type);
      return [types.dyn, types.dyn];
    }
    const message = `expression of type '${type}' cannot be range of a comprehension (must be list, map, or dynamic)`;
    this.#issue(range.id, message);
    return [types.error, types.error];
  }

  /** The type of literals' elements: dyn where they differ. */
  #join(before: Type | undefined, type: Type): Type {
    if (before === undefined) return type;
    return this.#substitution.assign(before, type) ? mostGeneral(before, type) : types.dyn;
  }

  #assert(expr: Expr, wanted: Type): void {
    const type = this.#typeOf(expr);
    if (!this.#substitution.assign(wanted, type)) this.#mismatch(expr.id, wanted, type);
  }

  #freeType(): Type {
    return param(`_var${this.#freeVariables++}`);
  }
}

function constantType(value: Constant): Type {
  if (value === null) return types.null;
  if (value instanceof Uint) return types.uint;
  if (value instanceof Uint8Array) return types.bytes;
  const byName = { boolean: types.bool, bigint: types.int, number: types.double, string: types.string };
  return byName[typeof value as keyof typeof byName];
}
