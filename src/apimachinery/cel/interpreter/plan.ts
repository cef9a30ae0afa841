/**
 * Turns a checked tree into closures. Constant lists, maps and conversions are computed once, as upstream's optimizer
 * does, which shows in the cost. Upstream: cel-go interpreter/{planner,decorators,interpretable}.go.
 */
import type { CheckedExpr } from '../check/checker.ts';
import type { FunctionDeclaration, Implementation } from '../check/declarations.ts';
import { callCost, ownCost } from '../cost/runtime.ts';
import { constantPattern } from '../library/regex.ts';
import type { CallExpr, ComprehensionExpr, Expr, ListExpr, MapExpr, StructExpr } from '../syntax/ast.ts';
import { operators } from '../syntax/ast.ts';
import { describeValue } from '../values/describe.ts';
import { equal } from '../values/equality.ts';
import { Uint } from '../values/uint.ts';
import { ArrayList, CelError, EntryMap, noSuchOverload, Optional, plainKey, type Value } from '../values/value.ts';
import { Attribute, type Evaluate, type Qualifier } from './attributes.ts';
import { implementation } from './dispatch.ts';
import { planFold } from './fold.ts';
import { Frame } from './frame.ts';

/** What the planner must know of an environment. */
export interface PlanEnvironment {
  readonly functions: ReadonlyMap<string, FunctionDeclaration>;
  /** Makes a value of a struct type. */
  construct(typeName: string, fields: ReadonlyMap<string, Value>): Value;
}

/** A program cannot be made of a checked expression: a constant conversion fails. */
export class PlanError extends Error {}

/** A node made ready: a constant, an attribute that may still get longer, or anything else. */
export type Planned =
  | { readonly kind: 'constant'; readonly value: Value }
  | { readonly kind: 'attribute'; readonly attribute: Attribute }
  | { readonly kind: 'other'; readonly evaluate: Evaluate };

/** A closure for the whole of a checked expression. Throws a PlanError. */
export function plan(checked: CheckedExpr, environment: PlanEnvironment): Evaluate {
  return new Planner(checked, environment).evaluator(checked.expr);
}

const conversions: ReadonlySet<string> = new Set(
  'bool bytes double dyn duration int string timestamp type uint'.split(' '),
);

/** Costs and types are of no use to a call of constants. */
const noVariables = (): undefined => undefined;

export class Planner {
  readonly #checked: CheckedExpr;
  readonly #environment: PlanEnvironment;
  /** Slots of the variables of folds, innermost last. */
  readonly #locals: [name: string, slot: number, init: Evaluate | undefined][] = [];
  #slots = 0;

  constructor(checked: CheckedExpr, environment: PlanEnvironment) {
    this.#checked = checked;
    this.#environment = environment;
  }

  evaluator(expr: Expr): Evaluate {
    return evaluatorOf(this.plan(expr));
  }

  /** Runs `body` while a name stands for a new slot; `init` fills it when it is first read while it is empty. */
  withLocal<R>(name: string, body: (slot: number) => R, init?: Evaluate): R {
    const slot = this.#slots++;
    this.#locals.push([name, slot, init]);
    const result = body(slot);
    this.#locals.pop();
    return result;
  }

  plan(expr: Expr): Planned {
    switch (expr.kind) {
      case 'literal':
        return { kind: 'constant', value: expr.value };
      case 'ident':
        return this.#ident(expr.id, expr.name);
      case 'select':
        return this.#qualified(this.plan(expr.operand), {
          key: expr.field,
          optional: false,
          testOnly: expr.testOnly,
        });
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr);
      case 'map':
        return this.#map(expr);
      case 'struct':
        return this.#struct(expr);
      case 'comprehension':
        return { kind: 'other', evaluate: planFold(this, expr as ComprehensionExpr) };
      default:
        throw new PlanError('unsupported expr');
    }
  }

  #ident(id: number, name: string): Planned {
    const type = this.#checked.typeValues.get(id);
    if (type !== undefined) return { kind: 'constant', value: type };
    const local = this.#locals.findLast(([known]) => known === name);
    const evaluate = local === undefined ? readVariable(name) : readSlot(local[1], local[2]);
    return { kind: 'attribute', attribute: new Attribute({ kind: 'value', evaluate }) };
  }

  #qualified(operand: Planned, qualifier: Qualifier): Planned {
    const attribute =
      operand.kind === 'attribute'
        ? operand.attribute
        : new Attribute({ kind: 'value', evaluate: evaluatorOf(operand) });
    return { kind: 'attribute', attribute: attribute.step(qualifier) };
  }

  #call(expr: CallExpr): Planned {
    const operands = expr.target === undefined ? expr.args : [expr.target, ...expr.args];
    const args = operands.map(operand => this.plan(operand));
    switch (expr.function) {
      case operators.and:
        return { kind: 'other', evaluate: logical(args, false) };
      case operators.or:
        return { kind: 'other', evaluate: logical(args, true) };
      case operators.conditional:
        return conditional(args as [Planned, Planned, Planned]);
      case 'or':
      case 'orValue':
        if (expr.target === undefined || args.length !== 2) return this.#function(expr, args);
        return { kind: 'other', evaluate: orElse(expr.function, args as [Planned, Planned]) };
      case operators.index:
      case operators.optIndex:
      case operators.optSelect: {
        const [operand, index] = args as [Planned, Planned];
        return this.#qualified(operand, {
          key: keyOf(index),
          optional: expr.function !== operators.index,
          testOnly: false,
        });
      }
      default:
        return this.#function(expr, args);
    }
  }

  #function(expr: CallExpr, args: readonly Planned[]): Planned {
    const ids = this.#checked.overloads.get(expr.id) ?? [];
    const declaration = this.#environment.functions.get(expr.function) as FunctionDeclaration;
    const pattern = args[1]?.kind === 'constant' ? args[1].value : undefined;
    const special = specialFunctions[expr.function] ?? constantRegex(expr.function, pattern);
    const run = special ?? implementation(declaration, ids);
    const overload =
      expr.function === operators.equals || expr.function === operators.notEquals
        ? 'equals'
        : ids.length === 1
          ? (ids[0] as string)
          : '';
    const constant = special !== undefined && !Object.hasOwn(specialFunctions, expr.function);
    const dispatched = ids.length !== 1 && declaration.run === undefined && declaration.overloads.length > 1;
    const inOrder = special === undefined ? dispatched || expr.function === 'format' : constant;
    const evaluate = invocation({ name: expr.function, overload, run, inOrder }, args.map(evaluatorOf));
    const [only] = args;
    if (conversions.has(expr.function) && args.length === 1 && only?.kind === 'constant') {
      const value = evaluate(new Frame(noVariables));
      if (value instanceof CelError) throw new PlanError(value.message);
      return { kind: 'constant', value };
    }
    const [element, list] = args;
    if (overload === 'in_list' && list?.kind === 'constant' && list.value instanceof ArrayList) {
      return membership(element as Planned, list.value) ?? { kind: 'other', evaluate };
    }
    return { kind: 'other', evaluate };
  }

  #list(expr: ListExpr): Planned {
    const planned = expr.elements.map(element => this.plan(element));
    const elements = planned.map(evaluatorOf);
    const { optional } = expr;
    const evaluate: Evaluate = frame => {
      const items: Value[] = [];
      for (let index = 0; index < elements.length; index++) {
        const item = (elements[index] as Evaluate)(frame);
        if (item instanceof CelError) return charged(frame, 10, item);
        if (!optional.has(index)) items.push(item);
        else if (!(item instanceof Optional)) return charged(frame, 10, notOptionalElement(item));
        else if (item.value !== undefined) items.push(item.value);
      }
      return charged(frame, 10, new ArrayList(items));
    };
    return folded(planned, evaluate);
  }

  #map(expr: MapExpr): Planned {
    const planned = expr.entries.map(entry => [this.plan(entry.key), this.plan(entry.value)] as const);
    const entries = planned.map(([key, value]) => [evaluatorOf(key), evaluatorOf(value)] as const);
    const optional = expr.entries.map(entry => entry.optional);
    const evaluate: Evaluate = frame => {
      const map = new Map<unknown, readonly [Value, Value]>();
      for (const [index, [evaluateKey, evaluateValue]] of entries.entries()) {
        const key = evaluateKey(frame);
        if (key instanceof CelError) return charged(frame, 30, key);
        const value = evaluateValue(frame);
        if (value instanceof CelError) return charged(frame, 30, value);
        const plain = plainKey(key);
        if (!optional[index]) map.set(plain, [key, value]);
        else if (!(value instanceof Optional)) return charged(frame, 30, notOptionalEntry(key, value));
        else if (value.value === undefined) map.delete(plain);
        else map.set(plain, [key, value.value]);
      }
      return charged(frame, 30, new EntryMap(map.values()));
    };
    return folded(planned.flat(), evaluate);
  }

  #struct(expr: StructExpr): Planned {
    const fields = expr.fields.map(field => ({ ...field, evaluate: this.evaluator(field.value) }));
    const evaluate: Evaluate = frame => {
      const values = new Map<string, Value>();
      for (const field of fields) {
        const value = field.evaluate(frame);
        if (value instanceof CelError) return charged(frame, 40, value);
        if (!field.optional) values.set(field.name, value);
        else if (!(value instanceof Optional)) return charged(frame, 40, notOptionalEntry(field.name, value));
        else if (value.value === undefined) values.delete(field.name);
        else values.set(field.name, value.value);
      }
      return charged(frame, 40, this.#environment.construct(expr.typeName, values));
    };
    return { kind: 'other', evaluate };
  }
}

function readVariable(name: string): Evaluate {
  return frame => {
    const value = frame.lookup(name);
    return value === undefined ? new CelError(`no such attribute(s): ${name}`) : value;
  };
}

function readSlot(slot: number, init: Evaluate | undefined): Evaluate {
  if (init === undefined) return frame => frame.slots[slot] as Value;
  return frame => {
    if (frame.slots[slot] === undefined) frame.slots[slot] = init(frame);
    return frame.slots[slot] as Value;
  };
}

/** Evaluates a planned node as an expression of its own. */
function evaluatorOf(planned: Planned): Evaluate {
  if (planned.kind === 'attribute') return planned.attribute.evaluator();
  if (planned.kind === 'other') return planned.evaluate;
  const { value } = planned;
  return () => value;
}

/** Regular expressions that are constant are compiled with the program. */
function constantRegex(name: string, pattern: unknown): Implementation | undefined {
  try {
    return constantPattern(name, pattern);
  } catch (error) {
    throw new PlanError((error as Error).message);
  }
}

/** The key of an index: a variable there costs nothing of its own. */
function keyOf(index: Planned): Value | Evaluate {
  if (index.kind === 'constant') return index.value;
  return index.kind === 'attribute' ? index.attribute.resolver() : index.evaluate;
}

function conditional([condition, yes, no]: [Planned, Planned, Planned]): Planned {
  const branch = (planned: Planned): Attribute =>
    planned.kind === 'attribute' ? planned.attribute : new Attribute({ kind: 'value', evaluate: evaluatorOf(planned) });
  const root = { kind: 'condition', condition: evaluatorOf(condition), yes: branch(yes), no: branch(no) } as const;
  return { kind: 'attribute', attribute: new Attribute(root) };
}

/** && (`decisive` false) and || (`decisive` true): a decisive term wins over errors of others. */
function logical(args: readonly Planned[], decisive: boolean): Evaluate {
  const terms = args.map(evaluatorOf);
  return frame => {
    let error: CelError | undefined;
    for (const term of terms) {
      const value = term(frame);
      if (value === decisive) return decisive;
      if (value === !decisive) continue;
      error ??= value instanceof CelError ? value : noSuchOverload;
    }
    return error ?? !decisive;
  };
}

/** optional.or and optional.orValue: the other value is evaluated only if needed; both are free. */
function orElse(name: 'or' | 'orValue', [left, right]: readonly [Planned, Planned]): Evaluate {
  const [first, second] = [evaluatorOf(left), evaluatorOf(right)];
  return frame => {
    const value = first(frame);
    if (!(value instanceof Optional)) return value;
    if (value.value === undefined) return second(frame);
    return name === 'or' ? value : value.value;
  };
}

const specialFunctions: Readonly<Record<string, Implementation>> = {
  [operators.equals]: equal,
  [operators.notEquals]: (left: Value, right: Value): Value => {
    const same = equal(left, right);
    return same instanceof CelError ? true : !same;
  },
};

interface Invocation {
  readonly name: string;
  readonly overload: string;
  readonly run: Implementation;
  /** Arguments behind one that fails are not evaluated, which makes the call free; as with three arguments and more. */
  readonly inOrder: boolean;
}

/** A call: arguments, its cost, and what it does. The first error among the arguments is the result. */
function invocation({ name, overload, run, inOrder }: Invocation, args: readonly Evaluate[]): Evaluate {
  const charge = callCost(name, overload);
  const [first, second] = args as [Evaluate, Evaluate];
  if (name === operators.notStrictlyFalse) {
    return frame => {
      const value = first(frame);
      frame.charge(1);
      return typeof value === 'boolean' ? value : true;
    };
  }
  if (args.length === 1) {
    return frame => {
      const value = first(frame);
      if (value instanceof CelError) return charged(frame, charge(frame, [value]), value);
      return costed(frame, charge, run(value), [value]);
    };
  }
  if (args.length === 2 && !inOrder) {
    return frame => {
      const left = first(frame);
      const right = second(frame);
      if (left instanceof CelError) return charged(frame, charge(frame, [left, right]), left);
      if (right instanceof CelError) return charged(frame, charge(frame, [left, right]), right);
      const values = [left, right];
      if (ownCost.has(name)) return costed(frame, charge, run(left, right), values);
      frame.charge(charge(frame, values));
      return run(left, right);
    };
  }
  return frame => {
    const values: Value[] = [];
    for (let index = 0; index < args.length; index++) {
      const value = (args[index] as Evaluate)(frame);
      values.push(value);
      if (!(value instanceof CelError)) continue;
      return index === args.length - 1 ? charged(frame, charge(frame, values), value) : value;
    }
    return costed(frame, charge, run(...values), values);
  };
}

function costed(frame: Frame, charge: ReturnType<typeof callCost>, result: Value, values: Value[]): Value {
  frame.charge(charge(frame, values, result));
  return result;
}

const charged = (frame: Frame, cost: number, value: Value): Value => {
  frame.charge(cost);
  return value;
};

/** A literal of constants is a constant. */
function folded(parts: readonly Planned[], evaluate: Evaluate): Planned {
  if (!parts.every(part => part.kind === 'constant')) return { kind: 'other', evaluate };
  const value = evaluate(new Frame(noVariables));
  return value instanceof CelError ? { kind: 'other', evaluate: () => value } : { kind: 'constant', value };
}

/** `x in [constants]`, free of charge; undefined when the list holds more than plain values. */
function membership(element: Planned, list: ArrayList): Planned | undefined {
  if (list.size === 0) return { kind: 'constant', value: false };
  const known = new Set<unknown>();
  for (const item of list.items) {
    if (item === null || (typeof item === 'object' && !(item instanceof Uint))) return undefined;
    known.add(plainKey(item));
  }
  const evaluate = evaluatorOf(element);
  return {
    kind: 'other',
    evaluate: frame => {
      const value = evaluate(frame);
      if (value instanceof CelError) return value;
      return known.has(plainKey(value));
    },
  };
}

const notOptionalElement = (value: Value): CelError =>
  new CelError(`cannot initialize optional list element from non-optional value ${describeValue(value)}`);

const notOptionalEntry = (key: Value, value: Value): CelError =>
  new CelError(
    `cannot initialize optional entry '${describeValue(key)}' from non-optional value ${describeValue(value)}`,
  );
