/**
 * The tree of an expression. Every node has an id; places and, once checked, types are kept by id. Upstream: cel-go
 * common/ast/{ast,expr}.go.
 */
import type { Uint } from '../values/uint.ts';

/** What a literal can be: int is a bigint, double a number. */
export type Constant = null | boolean | bigint | number | string | Uint | Uint8Array;

export interface LiteralExpr {
  readonly kind: 'literal';
  readonly id: number;
  readonly value: Constant;
}

export interface IdentExpr {
  readonly kind: 'ident';
  readonly id: number;
  readonly name: string;
}

export interface SelectExpr {
  readonly kind: 'select';
  readonly id: number;
  readonly operand: Expr;
  readonly field: string;
  /** The argument of has(). */
  readonly testOnly: boolean;
}

export interface CallExpr {
  readonly kind: 'call';
  readonly id: number;
  readonly function: string;
  /** Undefined for a call that is not on a receiver. */
  readonly target: Expr | undefined;
  readonly args: readonly Expr[];
}

export interface ListExpr {
  readonly kind: 'list';
  readonly id: number;
  readonly elements: readonly Expr[];
  /** Indices of elements written as `?x`. */
  readonly optional: ReadonlySet<number>;
}

export interface MapEntryExpr {
  readonly id: number;
  readonly key: Expr;
  readonly value: Expr;
  readonly optional: boolean;
}

export interface MapExpr {
  readonly kind: 'map';
  readonly id: number;
  readonly entries: readonly MapEntryExpr[];
}

export interface StructFieldExpr {
  readonly id: number;
  readonly name: string;
  readonly value: Expr;
  readonly optional: boolean;
}

export interface StructExpr {
  readonly kind: 'struct';
  readonly id: number;
  readonly typeName: string;
  readonly fields: readonly StructFieldExpr[];
}

/** What the macros become: a fold over a list or map. */
export interface ComprehensionExpr {
  readonly kind: 'comprehension';
  readonly id: number;
  readonly range: Expr;
  readonly variable: string;
  /** The second variable: the value beside an index or key. */
  readonly variable2: string | undefined;
  readonly accumulator: string;
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}

/** What stands where a syntax error was. */
export interface UnspecifiedExpr {
  readonly kind: 'unspecified';
  readonly id: number;
}

export type Expr =
  | LiteralExpr
  | IdentExpr
  | SelectExpr
  | CallExpr
  | ListExpr
  | MapExpr
  | StructExpr
  | ComprehensionExpr
  | UnspecifiedExpr;

/** A parsed expression: its tree and where its nodes stand (offsets in UTF-16 units by id). */
export interface ParsedExpr {
  readonly expr: Expr;
  readonly offsets: ReadonlyMap<number, number>;
}

/** Functions that operators stand for. */
export const operators = {
  conditional: '_?_:_',
  and: '_&&_',
  or: '_||_',
  not: '!_',
  equals: '_==_',
  notEquals: '_!=_',
  less: '_<_',
  lessEquals: '_<=_',
  greater: '_>_',
  greaterEquals: '_>=_',
  add: '_+_',
  subtract: '_-_',
  multiply: '_*_',
  divide: '_/_',
  modulo: '_%_',
  negate: '-_',
  index: '_[_]',
  optIndex: '_[?_]',
  optSelect: '_?._',
  in: '@in',
  notStrictlyFalse: '@not_strictly_false',
} as const;

/** The accumulator of macros, a name that nobody can write. */
export const accumulatorName = '@result';

/** A fold over nothing that only names a value, as optMap and cel.bind make. */
export function isBinding(expr: ComprehensionExpr): boolean {
  const { range, condition } = expr;
  const overNothing = range.kind === 'list' && range.elements.length === 0;
  return overNothing && condition.kind === 'literal' && condition.value === false;
}

/** `a.b.c` as a dotted name; undefined when the expression is anything else. */
export function qualifiedName(expr: Expr): string | undefined {
  if (expr.kind === 'ident') return expr.name;
  if (expr.kind !== 'select' || expr.testOnly) return undefined;
  const prefix = qualifiedName(expr.operand);
  return prefix === undefined ? undefined : `${prefix}.${expr.field}`;
}

/** Words that name no variable. */
export const reservedIdentifiers: ReadonlySet<string> = new Set(
  (
    'as break const continue else false for function if import in let loop package namespace null return true var ' +
    'void while'
  ).split(' '),
);
