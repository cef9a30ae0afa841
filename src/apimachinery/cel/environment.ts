/**
 * Environments: which variables, types and functions expressions may use; they compile to programs. Upstream:
 * k8s.io/apiserver pkg/cel/environment/{base,environment}.go, cel-go cel/{env,program}.go.
 */
import { type CheckedExpr, check, type Scope } from './check/checker.ts';
import { type FunctionDeclaration, joinLibraries, type Library } from './check/declarations.ts';
import { anyList, anyMap, anyOptional, structType, type Type, types } from './check/types.ts';
import { validateLiterals } from './check/validators.ts';
import { type CostRange, type EstimateSize, estimateCost } from './cost/estimate.ts';
import type { Evaluate } from './interpreter/attributes.ts';
import { Frame, type Lookup } from './interpreter/frame.ts';
import { PlanError, plan } from './interpreter/plan.ts';
import { PendingDecision } from './library/authorizer.ts';
import { type DeclType, structsIn } from './schema/decl-type.ts';
import { reservedSymbols } from './schema/escaping.ts';
import { parse } from './syntax/parser.ts';
import { selects } from './syntax/selects.ts';
import { Cancelled } from './values/cancelled.ts';
import { CelError, type Value } from './values/value.ts';

/** The most that one evaluation may cost. */
const perCallLimit = 1_000_000;

/** Structs by name, as `Object.spec` in `Object{spec: Object.spec{replicas: 3}}`. */
export interface StructTypes {
  has(name: string): boolean;
  /** Type of a field; undefined where there is none. */
  field(name: string, field: string): Type | undefined;
  construct(name: string, fields: ReadonlyMap<string, Value>): Value;
}

export interface EnvironmentOptions {
  readonly variables?: Readonly<Record<string, DeclType>>;
  /** Libraries in order; the standard functions come first in any case. */
  readonly libraries: readonly Library[];
  /** Types that libraries bring, which expressions can name. */
  readonly types?: readonly Type[];
  /** Structs that have no declaration: types of objects that expressions make. */
  readonly structs?: StructTypes;
  /** `cel.bind(name, value, expression)` is understood. */
  readonly bindings?: boolean;
  /** Names in backticks. */
  readonly escapedIdentifiers?: boolean;
  /** Literals of lists and maps may have elements of different types; without it they may only in format(). */
  readonly mixedLiterals?: boolean;
  /** Literals of times, durations and regular expressions are checked when compiling. */
  readonly validateLiterals?: boolean;
}

/** What came of compiling: a program, or faults as cel-go prints them. */
export type Compilation =
  | {
      readonly program: Program;
      readonly resultType: Type;
      readonly issues?: undefined;
      readonly failed?: undefined;
      readonly fault?: undefined;
    }
  | {
      readonly program?: undefined;
      readonly resultType?: undefined;
      readonly issues: string;
      readonly failed: 'compilation';
      /** What failed and the issues, as upstream tells them together. */
      readonly fault: string;
    }
  /** The expression is right, but constants in it are not. */
  | {
      readonly program?: undefined;
      readonly resultType: Type;
      readonly issues: string;
      readonly failed: 'program';
      readonly fault: string;
    };

export interface EvaluateOptions {
  /** Ends the evaluation beyond this cost. Default: {@link perCallLimit}. */
  readonly costLimit?: number;
  /** Asked now and then; true ends the evaluation. */
  readonly interrupted?: () => boolean;
}

/** What came of an evaluation, and what it cost. */
export type Evaluation =
  | { readonly value: Value; readonly error?: undefined; readonly cost: number }
  | { readonly value?: undefined; readonly error: string; readonly cost: number; readonly costExceeded: boolean };

const namedTypes: ReadonlyMap<string, Type> = new Map([
  ...[types.bool, types.bytes, types.double, types.duration, types.int, types.null, types.string].map(
    (type): [string, Type] => [type.name, type],
  ),
  ...[types.timestamp, types.type, types.uint, anyList, anyMap].map((type): [string, Type] => [type.name, type]),
  ['optional_type', anyOptional],
]);

/** A set of declarations. Immutable; programs of it can be kept as long as one likes. */
export class Environment {
  readonly #options: EnvironmentOptions;
  readonly #functions: ReadonlyMap<string, FunctionDeclaration>;
  readonly #scope: Scope;

  constructor(options: EnvironmentOptions, functions?: ReadonlyMap<string, FunctionDeclaration>) {
    this.#options = options;
    this.#functions = functions ?? joinLibraries(options.libraries);
    this.#scope = scopeOf(options, this.#functions);
  }

  /** The same environment with more variables; those of the same name are replaced. */
  extend(variables: Readonly<Record<string, DeclType>>): Environment {
    const merged = { ...this.#options.variables, ...variables };
    return new Environment({ ...this.#options, variables: merged }, this.#functions);
  }

  /** The same environment with other options. */
  with(options: Pick<EnvironmentOptions, 'structs' | 'bindings'>): Environment {
    return new Environment({ ...this.#options, ...options }, this.#functions);
  }

  /** Compiles an expression. Never throws for what is written in it. */
  compile(text: string): Compilation {
    const { escapedIdentifiers = false, bindings = false, mixedLiterals = false } = this.#options;
    const { parsed, issues } = parse(text, { escapedIdentifiers, bindings });
    if (issues.count > 0) return uncompiled(issues.toString());
    const checked = check(parsed, this.#scope, issues);
    if (issues.count === 0 && this.#options.validateLiterals !== false) {
      validateLiterals(checked, issues, mixedLiterals);
    }
    if (issues.count > 0) return uncompiled(issues.toString());
    const resultType = checked.types.get(checked.expr.id) ?? types.dyn;
    try {
      const { structs } = this.#options;
      const construct = (name: string, fields: ReadonlyMap<string, Value>): Value =>
        structs?.has(name) ? structs.construct(name, fields) : new CelError('unknown type');
      const evaluate = plan(checked, { functions: this.#functions, construct });
      return { program: new Program(checked, evaluate), resultType };
    } catch (error) {
      if (!(error instanceof PlanError)) throw error;
      const { message } = error;
      return { resultType, issues: message, failed: 'program', fault: `program instantiation failed: ${message}` };
    }
  }
}

const uncompiled = (issues: string): Compilation => ({
  issues,
  failed: 'compilation',
  fault: `compilation failed: ${issues}`,
});

function scopeOf(options: EnvironmentOptions, functions: ReadonlyMap<string, FunctionDeclaration>): Scope {
  const variables = options.variables ?? {};
  const structs = new Map<string, DeclType>();
  for (const variable of Object.values(variables)) structsIn(variable, structs);
  const libraryTypes = new Map((options.types ?? []).map(type => [type.name, type]));
  return {
    functions,
    variable: name => (Object.hasOwn(variables, name) ? variables[name]?.type : undefined),
    typeNamed: name =>
      namedTypes.get(name) ??
      libraryTypes.get(name) ??
      structs.get(name)?.type ??
      (options.structs?.has(name) ? structType(name) : undefined),
    field: (struct, field) => {
      const fields = structs.get(struct)?.fields;
      const reserved = reservedSymbols.has(field) ? fields?.get(`__${field}__`) : undefined;
      return (fields?.get(field) ?? reserved)?.type ?? options.structs?.field(struct, field);
    },
    hasStruct: struct => structs.has(struct) || options.structs?.has(struct) === true,
  };
}

/** A compiled expression. Immutable, and safe to share between evaluations. */
export class Program {
  readonly #checked: CheckedExpr;
  readonly #evaluate: Evaluate;

  constructor(checked: CheckedExpr, evaluate: Evaluate) {
    this.#checked = checked;
    this.#evaluate = evaluate;
  }

  /** Names of the variables that the expression uses. */
  get variables(): ReadonlySet<string> {
    return this.#checked.variables;
  }

  /** Whether the expression has `variable.field` anywhere. */
  selects(variable: string, field: string): boolean {
    return selects(this.#checked.expr, variable, field);
  }

  /**
   * As {@link evaluate}, where an authorizer among the variables decides with promises: evaluation begins anew with each
   * decision that was waited for. The cost is that of the last run alone.
   */
  async evaluateAsync(
    variables: Readonly<Record<string, Value>> | Lookup,
    options: EvaluateOptions = {},
  ): Promise<Evaluation> {
    for (;;) {
      try {
        return this.evaluate(variables, options);
      } catch (error) {
        if (!(error instanceof PendingDecision)) throw error;
        await error.settled;
      }
    }
  }

  /** The least and the most that an evaluation can cost, given how large variables can be. */
  staticCost(estimateSize: EstimateSize): CostRange {
    return estimateCost(this.#checked, estimateSize);
  }

  /** Evaluates with variables from a record or a function. Never throws for what the expression does. */
  evaluate(variables: Readonly<Record<string, Value>> | Lookup, options: EvaluateOptions = {}): Evaluation {
    const lookup: Lookup =
      typeof variables === 'function'
        ? variables
        : name => (Object.hasOwn(variables, name) ? (variables[name] as Value) : undefined);
    const { costLimit = perCallLimit, interrupted } = options;
    const frame = new Frame(lookup, { costLimit, ...(interrupted && { interrupted }) });
    try {
      const value = this.#evaluate(frame);
      if (value instanceof CelError) return { error: value.message, cost: frame.cost, costExceeded: false };
      return { value, cost: frame.cost };
    } catch (error) {
      if (error instanceof Cancelled) return { error: error.message, cost: frame.cost, costExceeded: true };
      throw error;
    }
  }
}
