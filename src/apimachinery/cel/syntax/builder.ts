/**
 * Makes nodes with fresh ids and remembers where each stands. Upstream: cel-go parser/helper.go, common/ast/factory.go.
 */
import type { Constant, Expr, ListExpr, MapEntryExpr, StructFieldExpr } from './ast.ts';
import { accumulatorName } from './ast.ts';

/** The arguments of a fold; see ComprehensionExpr. */
export interface FoldParts {
  readonly range: Expr;
  readonly variable: string;
  readonly variable2?: string;
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
  /** Default: the hidden name of all macros. */
  readonly accumulator?: string;
}

/**
 * The most nodes of one tree: macros that copy their receiver, as optMap does, double it with every one in a chain.
 * Deviation: upstream has no limit on the nodes of a CEL expression; here it is refused beyond 500,000.
 */
const maxNodes = 500_000;

/** An expression that macros make too large. */
export class TreeTooLarge extends Error {
  constructor() {
    super(`expression has more than ${maxNodes} nodes`);
  }
}

/** Builds a tree; ids count from 1. */
export class ExprBuilder {
  readonly offsets: Map<number, number> = new Map();
  #nextId = 1;

  /** A fresh id standing at an offset. */
  id(offset: number): number {
    if (this.#nextId > maxNodes) throw new TreeTooLarge();
    this.offsets.set(this.#nextId, offset);
    return this.#nextId++;
  }

  offsetOf(id: number): number {
    return this.offsets.get(id) ?? 0;
  }

  literal(id: number, value: Constant): Expr {
    return { kind: 'literal', id, value };
  }

  ident(id: number, name: string): Expr {
    return { kind: 'ident', id, name };
  }

  select(id: number, operand: Expr, field: string, testOnly = false): Expr {
    return { kind: 'select', id, operand, field, testOnly };
  }

  call(id: number, name: string, args: readonly Expr[], target?: Expr): Expr {
    return { kind: 'call', id, function: name, target, args };
  }

  list(id: number, elements: readonly Expr[], optional: ReadonlySet<number> = new Set()): ListExpr {
    return { kind: 'list', id, elements, optional };
  }

  map(id: number, entries: readonly MapEntryExpr[]): Expr {
    return { kind: 'map', id, entries };
  }

  struct(id: number, typeName: string, fields: readonly StructFieldExpr[]): Expr {
    return { kind: 'struct', id, typeName, fields };
  }

  fold(id: number, parts: FoldParts): Expr {
    const { accumulator = accumulatorName, variable2, ...rest } = parts;
    return { kind: 'comprehension', id, accumulator, variable2, ...rest };
  }

  unspecified(id: number): Expr {
    return { kind: 'unspecified', id };
  }
}
