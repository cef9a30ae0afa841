/**
 * Macros: calls that become folds or presence tests while parsing. Upstream: cel-go parser/macro.go,
 * ext/comprehensions.go, cel/library.go (optMap, optFlatMap).
 */
import { accumulatorName, type Expr, operators } from './ast.ts';
import type { ExprBuilder, FoldParts } from './builder.ts';

/** What a macro finds wrong with its arguments. */
export class MacroError extends Error {
  readonly exprId: number;

  constructor(exprId: number, message: string) {
    super(message);
    this.exprId = exprId;
  }
}

/** A call that is rewritten. */
export interface Macro {
  readonly name: string;
  readonly arity: number;
  readonly receiver: boolean;
  /** The expansion; undefined leaves the call as it is. Throws a MacroError. */
  expand(context: MacroContext, target: Expr | undefined, args: readonly Expr[]): Expr | undefined;
}

/** Makes the nodes of one expansion; all but copies stand where the call stands. */
export class MacroContext {
  readonly #builder: ExprBuilder;
  readonly #offset: number;

  constructor(builder: ExprBuilder, offset: number) {
    this.#builder = builder;
    this.#offset = offset;
  }

  #id(): number {
    return this.#builder.id(this.#offset);
  }

  bool(value: boolean): Expr {
    return this.#builder.literal(this.#id(), value);
  }

  int(value: bigint): Expr {
    return this.#builder.literal(this.#id(), value);
  }

  ident(name: string): Expr {
    return this.#builder.ident(this.#id(), name);
  }

  accumulator(): Expr {
    return this.ident(accumulatorName);
  }

  call(name: string, ...args: Expr[]): Expr {
    return this.#builder.call(this.#id(), name, args);
  }

  memberCall(name: string, target: Expr, ...args: Expr[]): Expr {
    return this.#builder.call(this.#id(), name, args, target);
  }

  list(...elements: Expr[]): Expr {
    return this.#builder.list(this.#id(), elements);
  }

  emptyMap(): Expr {
    return this.#builder.map(this.#id(), []);
  }

  presence(operand: Expr, field: string): Expr {
    return this.#builder.select(this.#id(), operand, field, true);
  }

  fold(parts: FoldParts): Expr {
    return this.#builder.fold(this.#id(), parts);
  }

  /** The same tree in the same place with ids of its own. */
  copy(expr: Expr): Expr {
    const id = this.#builder.id(this.#builder.offsets.get(expr.id) ?? this.#offset);
    const entries = <E extends { readonly value: Expr }>(list: readonly E[], more: (entry: E) => object): E[] =>
      list.map(entry => ({ ...entry, id: this.#id(), ...more(entry), value: this.copy(entry.value) }));
    switch (expr.kind) {
      case 'select':
        return { ...expr, id, operand: this.copy(expr.operand) };
      case 'call': {
        const args = expr.args.map(arg => this.copy(arg));
        return { ...expr, id, args, target: expr.target === undefined ? undefined : this.copy(expr.target) };
      }
      case 'list':
        return { ...expr, id, elements: expr.elements.map(element => this.copy(element)) };
      case 'map':
        return { ...expr, id, entries: entries(expr.entries, entry => ({ key: this.copy(entry.key) })) };
      case 'struct':
        return { ...expr, id, fields: entries(expr.fields, () => ({})) };
      case 'comprehension':
        return {
          ...expr,
          id,
          range: this.copy(expr.range),
          init: this.copy(expr.init),
          condition: this.copy(expr.condition),
          step: this.copy(expr.step),
          result: this.copy(expr.result),
        };
      default:
        return { ...expr, id };
    }
  }
}

const overwrites = 'iteration variable overwrites accumulator variable';
const isAccumulator = (name: string): boolean => name === accumulatorName || name === '__result__';

function variableOf(arg: Expr, message: string): string {
  if (arg.kind !== 'ident') throw new MacroError(arg.id, message);
  if (isAccumulator(arg.name)) throw new MacroError(arg.id, overwrites);
  return arg.name;
}

/** The variables of a two-variable macro. */
function variablePair(first: Expr, second: Expr): { variable: string; variable2: string } {
  for (const arg of [first, second]) {
    if (arg.kind !== 'ident') throw new MacroError(arg.id, 'argument must be a simple name');
  }
  const [variable, variable2] = [first, second].map(arg => (arg as { name: string }).name) as [string, string];
  if (variable === variable2) throw new MacroError(second.id, `duplicate variable name: ${variable}`);
  if (isAccumulator(variable)) throw new MacroError(first.id, overwrites);
  if (isAccumulator(variable2)) throw new MacroError(second.id, overwrites);
  return { variable, variable2 };
}

type Quantifier = 'all' | 'exists' | 'exists_one';

/** The parts of all, exists and exists_one that do not depend on how many variables there are. */
function quantifierParts(make: MacroContext, kind: Quantifier, predicate: Expr) {
  if (kind === 'all') {
    return {
      init: make.bool(true),
      condition: make.call(operators.notStrictlyFalse, make.accumulator()),
      step: make.call(operators.and, make.accumulator(), predicate),
      result: make.accumulator(),
    };
  }
  if (kind === 'exists') {
    return {
      init: make.bool(false),
      condition: make.call(operators.notStrictlyFalse, make.call(operators.not, make.accumulator())),
      step: make.call(operators.or, make.accumulator(), predicate),
      result: make.accumulator(),
    };
  }
  return {
    init: make.int(0n),
    condition: make.bool(true),
    step: make.call(
      operators.conditional,
      predicate,
      make.call(operators.add, make.accumulator(), make.int(1n)),
      make.accumulator(),
    ),
    result: make.call(operators.equals, make.accumulator(), make.int(1n)),
  };
}

const quantifier = (name: string, kind: Quantifier): Macro[] => [
  {
    name,
    arity: 2,
    receiver: true,
    expand(make, range, [arg, predicate]) {
      const variable = variableOf(arg as Expr, 'argument must be a simple name');
      return make.fold({ range: range as Expr, variable, ...quantifierParts(make, kind, predicate as Expr) });
    },
  },
  {
    name,
    arity: 3,
    receiver: true,
    expand(make, range, [first, second, predicate]) {
      const variables = variablePair(first as Expr, second as Expr);
      return make.fold({ range: range as Expr, ...variables, ...quantifierParts(make, kind, predicate as Expr) });
    },
  },
];

/** A fold that appends to a list, filtered or not. */
function collect(make: MacroContext, range: Expr, names: object, filter: Expr | undefined, element: Expr): Expr {
  const init = make.list();
  const condition = make.bool(true);
  let step = make.call(operators.add, make.accumulator(), make.list(element));
  if (filter !== undefined) step = make.call(operators.conditional, filter, step, make.accumulator());
  const variables = names as { variable: string; variable2?: string };
  return make.fold({ range, ...variables, init, condition, step, result: make.accumulator() });
}

const map = (arity: 2 | 3): Macro => ({
  name: 'map',
  arity,
  receiver: true,
  expand(make, range, args) {
    const variable = variableOf(args[0] as Expr, 'argument is not an identifier');
    const filter = arity === 3 ? args[1] : undefined;
    return collect(make, range as Expr, { variable }, filter, args[arity - 1] as Expr);
  },
});

const filter: Macro = {
  name: 'filter',
  arity: 2,
  receiver: true,
  expand(make, range, [arg, predicate]) {
    const variable = variableOf(arg as Expr, 'argument is not an identifier');
    return collect(make, range as Expr, { variable }, predicate, arg as Expr);
  },
};

const has: Macro = {
  name: 'has',
  arity: 1,
  receiver: false,
  expand(make, _target, [arg]) {
    const field = arg as Expr;
    if (field.kind === 'select') return make.presence(field.operand, field.field);
    throw new MacroError(field.id, 'invalid argument to has() macro');
  },
};

const transformList = (arity: 3 | 4): Macro => ({
  name: 'transformList',
  arity,
  receiver: true,
  expand(make, range, args) {
    const variables = variablePair(args[0] as Expr, args[1] as Expr);
    return collect(make, range as Expr, variables, arity === 4 ? args[2] : undefined, args[arity - 1] as Expr);
  },
});

const transformMap = (name: 'transformMap' | 'transformMapEntry', arity: 3 | 4): Macro => ({
  name,
  arity,
  receiver: true,
  expand(make, range, args) {
    const variables = variablePair(args[0] as Expr, args[1] as Expr);
    const transform = args[arity - 1] as Expr;
    const key = name === 'transformMap' ? [make.ident(variables.variable)] : [];
    let step = make.call('cel.@mapInsert', make.accumulator(), ...key, transform);
    if (arity === 4) step = make.call(operators.conditional, args[2] as Expr, step, make.accumulator());
    const init = make.emptyMap();
    return make.fold({
      range: range as Expr,
      ...variables,
      init,
      condition: make.bool(true),
      step,
      result: make.accumulator(),
    });
  },
});

/** optMap and optFlatMap: the receiver's value bound to a name, if there is one. */
const optionalMap = (name: 'optMap' | 'optFlatMap'): Macro => ({
  name,
  arity: 2,
  receiver: true,
  expand(make, target, [arg, transform]) {
    const variable = arg as Expr;
    if (variable.kind !== 'ident') {
      throw new MacroError(variable.id, `${name}() variable name must be a simple identifier`);
    }
    const value = make.memberCall('value', make.copy(target as Expr));
    const bound = make.fold({
      range: make.list(),
      variable: '#unused',
      accumulator: variable.name,
      init: value,
      condition: make.bool(false),
      step: make.ident(variable.name),
      result: transform as Expr,
    });
    return make.call(
      operators.conditional,
      make.memberCall('hasValue', target as Expr),
      name === 'optMap' ? make.call('optional.of', bound) : bound,
      make.call('optional.none'),
    );
  },
});

const sortable: ReadonlySet<string> = new Set(['list', 'select', 'ident', 'comprehension', 'call']);

/** list.sortBy(x, key): the list bound to a name and sorted by its keys. */
const sortBy: Macro = {
  name: 'sortBy',
  arity: 2,
  receiver: true,
  expand(make, target, [arg, key]) {
    const list = target as Expr;
    const input = '@__sortBy_input__';
    if (!sortable.has(list.kind)) {
      const kinds = 'a list, identifier, comprehension, call or select expression';
      throw new MacroError(list.id, `sortBy can only be applied to ${kinds}`);
    }
    const variable = variableOf(arg as Expr, 'argument is not an identifier');
    const keys = collect(make, make.ident(input), { variable }, undefined, key as Expr);
    return make.fold({
      range: make.list(),
      variable: '#unused',
      accumulator: input,
      init: list,
      condition: make.bool(false),
      step: make.ident(input),
      result: make.memberCall('@sortByAssociatedKeys', make.ident(input), keys),
    });
  },
};

const all: readonly Macro[] = [
  sortBy,
  has,
  ...quantifier('all', 'all'),
  ...quantifier('exists', 'exists'),
  ...quantifier('exists_one', 'exists_one'),
  // With one variable the environments of Kubernetes know it by the older name alone.
  ...quantifier('existsOne', 'exists_one').filter(({ arity }) => arity === 3),
  map(2),
  map(3),
  filter,
  transformList(3),
  transformList(4),
  transformMap('transformMap', 3),
  transformMap('transformMap', 4),
  transformMap('transformMapEntry', 3),
  transformMap('transformMapEntry', 4),
  optionalMap('optMap'),
  optionalMap('optFlatMap'),
];

/** cel.bind(name, value, expr): a value bound to a name in one expression. Not in every environment. */
export const bind: Macro = {
  name: 'bind',
  arity: 3,
  receiver: true,
  expand(make, target, [arg, init, expr]) {
    if (target?.kind !== 'ident' || target.name !== 'cel') return undefined;
    const variable = arg as Expr;
    if (variable.kind !== 'ident') {
      throw new MacroError(variable.id, 'cel.bind() variable names must be simple identifiers');
    }
    return make.fold({
      range: make.list(),
      variable: '#unused',
      accumulator: variable.name,
      init: init as Expr,
      condition: make.bool(false),
      step: make.ident(variable.name),
      result: expr as Expr,
    });
  },
};

const keyOf = (name: string, arity: number, receiver: boolean): string => `${name}:${arity}:${receiver}`;
const byKey: ReadonlyMap<string, Macro> = new Map(
  all.map(macro => [keyOf(macro.name, macro.arity, macro.receiver), macro]),
);

/** The macro that a call names; undefined for an ordinary call. `bindings`: cel.bind is one. */
export function findMacro(name: string, arity: number, receiver: boolean, bindings: boolean): Macro | undefined {
  if (bindings && name === bind.name && arity === bind.arity && receiver) return bind;
  return byKey.get(keyOf(name, arity, receiver));
}
