/**
 * What an expression can cost at least and at most, before it runs. Sizes come from literals, from the caller (who
 * knows schemas), and from types. Upstream: cel-go checker/cost.go.
 */
import type { CheckedExpr } from '../check/checker.ts';
import { isOptional, type Type, types } from '../check/types.ts';
import type { CallExpr, ComprehensionExpr, Constant, Expr, ListExpr, MapExpr, SelectExpr } from '../syntax/ast.ts';
import { accumulatorName, isBinding } from '../syntax/ast.ts';
import { codePoints } from '../syntax/source.ts';
import { Uint } from '../values/uint.ts';
import { type CallEstimate, type CostNode, defaultCallCost, type EstimateContext } from './estimate-calls.ts';
import { estimateKubernetesCall } from './estimate-kubernetes.ts';
import { addRanges, type CostRange, multiplyRanges, range, unbounded, unite, unknownSize, zero } from './range.ts';
import { SharedPath } from './shared-path.ts';

export type { CostRange } from './range.ts';

/**
 * How large the value under a path can be: variables first, then fields, `@items`, `@keys`, `@values`, `@indices`.
 * Undefined if nothing is known.
 */
export type EstimateSize = (path: readonly string[]) => CostRange | undefined;

/** The range of costs of a checked expression. */
export function estimateCost(checked: CheckedExpr, estimateSize: EstimateSize): CostRange {
  return new Estimator(checked, estimateSize).cost(checked.expr);
}

/** Sizes of what a list or map holds. */
interface EntrySize {
  readonly container: 'list' | 'map';
  readonly key: CostRange;
  readonly value: CostRange;
}

interface Local {
  readonly path: SharedPath;
  readonly size: CostRange | undefined;
  readonly entry: EntrySize | undefined;
}

const listBaseCost = range(10);
const mapBaseCost = range(30);
const structBaseCost = range(40);
const emptyRange = range(unbounded, 0);

class Estimator implements EstimateContext {
  readonly #checked: CheckedExpr;
  readonly #estimateSize: EstimateSize;
  readonly #paths = new Map<number, SharedPath>();
  readonly #sizes = new Map<number, CostRange>();
  readonly #entries = new Map<number, EntrySize>();
  readonly #locals = new Map<string, Local[]>();

  constructor(checked: CheckedExpr, estimateSize: EstimateSize) {
    this.#checked = checked;
    this.#estimateSize = estimateSize;
  }

  cost(expr: Expr): CostRange {
    switch (expr.kind) {
      case 'ident':
        this.#paths.set(expr.id, this.#local(expr.name)?.path ?? SharedPath.of(expr.name));
        return range(1);
      case 'select':
        return this.#selectCost(expr);
      case 'call':
        return this.#callCost(expr);
      case 'list':
        return this.#listCost(expr);
      case 'map':
        return this.#mapCost(expr);
      case 'struct':
        return addRanges(structBaseCost, ...expr.fields.map(field => this.cost(field.value)));
      case 'comprehension':
        return isBinding(expr) ? this.#bindingCost(expr) : this.#foldCost(expr);
      default:
        return zero;
    }
  }

  size(path: readonly string[] | undefined): CostRange | undefined {
    return path === undefined || path.length === 0 ? undefined : this.#estimateSize(path);
  }

  #type(expr: Expr): Type {
    return this.#checked.types.get(expr.id) ?? types.dyn;
  }

  #local(name: string): Local | undefined {
    return this.#locals.get(name)?.at(-1);
  }

  #path(expr: Expr): SharedPath {
    const local = expr.kind === 'ident' ? this.#local(expr.name) : undefined;
    return local?.path ?? this.#paths.get(expr.id) ?? SharedPath.empty;
  }

  #selectCost(expr: SelectExpr): CostRange {
    const operand = this.cost(expr.operand);
    if (expr.testOnly) return operand;
    this.#paths.set(expr.id, this.#path(expr.operand).append(expr.field));
    const { kind } = this.#type(expr.operand);
    return kind === 'map' || kind === 'struct' || kind === 'param' ? addRanges(operand, range(1)) : operand;
  }

  #node(expr: Expr): CostNode {
    const path = this.#path(expr);
    const [root] = path.names;
    const visible = root === accumulatorName || root === '__result__' ? SharedPath.empty : path;
    return {
      get path() {
        return visible.names;
      },
      type: this.#type(expr),
      expr,
      size: this.#sizeOf(expr),
    };
  }

  #callCost(expr: CallExpr): CostRange {
    const [only] = expr.args;
    if (expr.function === 'dyn' && expr.target === undefined && only !== undefined) {
      const cost = this.cost(only);
      this.#copySizes(expr, only);
      return addRanges(cost, range(1));
    }
    const costs: CostRange[] = [];
    const args: CostNode[] = [];
    // By turns, for sizes are looked up by paths that later arguments may change.
    for (const arg of expr.args) {
      costs.push(this.cost(arg));
      args.push(this.#node(arg));
    }
    const ids = this.#checked.overloads.get(expr.id) ?? [];
    if (ids.length === 0) return zero;
    const targetCost = expr.target === undefined ? zero : this.cost(expr.target);
    const target = expr.target === undefined ? undefined : this.#node(expr.target);
    let total = emptyRange;
    let size: CostRange | undefined;
    for (const overload of ids) {
      const call = this.#overloadCost(expr, overload, target, args, costs);
      total = unite(total, call.cost);
      if (call.size !== undefined) size = size === undefined ? call.size : unite(size, call.size);
      const [container] = expr.args;
      if ((overload === 'index_list' || overload === 'index_map') && container !== undefined) {
        size = this.#entryOf(container)?.value;
        this.#paths.set(expr.id, this.#path(container).append(overload === 'index_list' ? '@items' : '@values'));
      }
      size ??= this.#sizeOf(expr);
    }
    if (size !== undefined) this.#sizes.set(expr.id, size);
    return addRanges(targetCost, total);
  }

  #overloadCost(
    expr: CallExpr,
    overload: string,
    target: CostNode | undefined,
    args: readonly CostNode[],
    costs: readonly CostRange[],
  ): CallEstimate {
    const special = estimateKubernetesCall(this, expr.function, overload, target, args);
    if (special !== undefined) return { ...special, cost: addRanges(special.cost, ...costs) };
    if (overload === 'logical_or' || overload === 'logical_and') {
      const [left, right] = costs as [CostRange, CostRange];
      return { cost: range(left.min, addRanges(left, right).max) };
    }
    if (overload === 'conditional') return this.#conditionalCost(expr, args, costs);
    if (overload === 'add_string' || overload === 'add_bytes' || overload === 'add_list') {
      const [left, right] = expr.args as [Expr, Expr];
      const joined = uniteEntries(this.#entryOf(left), this.#entryOf(right));
      if (joined !== undefined) this.#entries.set(expr.id, joined);
    }
    const call = defaultCallCost(overload, target, args);
    return { ...call, cost: addRanges(call.cost, ...costs) };
  }

  #conditionalCost(expr: CallExpr, args: readonly CostNode[], costs: readonly CostRange[]): CallEstimate {
    const [, yes, no] = args as [CostNode, CostNode, CostNode];
    const [condition, yesCost, noCost] = costs as [CostRange, CostRange, CostRange];
    const entry = uniteEntries(this.#entryOf(yes.expr as Expr), this.#entryOf(no.expr as Expr));
    if (entry !== undefined) this.#entries.set(expr.id, entry);
    const size = unite(yes.size ?? unknownSize, no.size ?? unknownSize);
    return { cost: addRanges(condition, unite(yesCost, noCost)), size };
  }

  #listCost(expr: ListExpr): CostRange {
    let value = range(expr.elements.length === 0 ? 0 : unbounded, 0);
    let sum = listBaseCost;
    for (const element of expr.elements) {
      sum = addRanges(sum, this.cost(element));
      value = unite(value, this.#sizeOf(element) ?? unknownSize);
    }
    this.#entries.set(expr.id, { container: 'list', key: range(1), value });
    return sum;
  }

  #mapCost(expr: MapExpr): CostRange {
    let key = range(expr.entries.length === 0 ? 0 : unbounded, 0);
    let value = key;
    let sum = mapBaseCost;
    for (const entry of expr.entries) {
      sum = addRanges(sum, this.cost(entry.key), this.cost(entry.value));
      key = unite(key, this.#sizeOf(entry.key) ?? unknownSize);
      value = unite(value, this.#sizeOf(entry.value) ?? unknownSize);
    }
    this.#entries.set(expr.id, { container: 'map', key, value });
    return sum;
  }

  #push(name: string, local: Local): void {
    this.#locals.set(name, [...(this.#locals.get(name) ?? []), local]);
  }

  #pop(name: string): void {
    this.#locals.set(name, this.#locals.get(name)?.slice(0, -1) ?? []);
  }

  #pushAccumulator(expr: ComprehensionExpr): void {
    const { init } = expr;
    this.#push(expr.accumulator, {
      path: this.#path(init),
      size: this.#sizeOf(init),
      entry: this.#entryOf(init),
    });
  }

  /** Declares the variables of a fold. */
  #pushIteration(expr: ComprehensionExpr): void {
    const entry = this.#entryOf(expr.range);
    const path = this.#path(expr.range);
    const isList = (entry?.container ?? this.#type(expr.range).kind) === 'list';
    const local = (step: string, size: CostRange | undefined): Local => ({
      path: path.append(step),
      size,
      entry: undefined,
    });
    if (expr.variable2 === undefined) {
      this.#push(expr.variable, isList ? local('@items', entry?.value) : local('@keys', entry?.key));
      return;
    }
    this.#push(expr.variable, local(isList ? '@indices' : '@keys', entry?.key));
    this.#push(expr.variable2, local(isList ? '@items' : '@values', entry?.value));
  }

  #foldCost(expr: ComprehensionExpr): CostRange {
    const start = addRanges(this.cost(expr.range), this.cost(expr.init));
    this.#pushAccumulator(expr);
    this.#pushIteration(expr);
    const condition = this.cost(expr.condition);
    const step = this.cost(expr.step);
    this.#pop(expr.variable);
    if (expr.variable2 !== undefined) this.#pop(expr.variable2);
    const result = this.cost(expr.result);
    this.#pop(expr.accumulator);
    const count = this.#sizeOf(expr.range) ?? unknownSize;
    this.#setFoldSize(expr, count);
    return addRanges(start, result, multiplyRanges(count, addRanges(step, condition)));
  }

  #setFoldSize(expr: ComprehensionExpr, count: CostRange): void {
    const { init } = expr;
    if (init.kind === 'literal') {
      const size = this.#sizeOf(init);
      if (size !== undefined) this.#sizes.set(expr.id, size);
    } else if (init.kind === 'list' || init.kind === 'map') {
      this.#sizes.set(expr.id, count);
      const entry = this.#entryOf(expr.step);
      if (entry !== undefined) this.#entries.set(expr.id, entry);
    }
  }

  #bindingCost(expr: ComprehensionExpr): CostRange {
    const start = addRanges(this.cost(expr.range), this.cost(expr.init));
    this.#pushAccumulator(expr);
    const result = this.cost(expr.result);
    this.#pop(expr.accumulator);
    this.#copySizes(expr, expr.result);
    return addRanges(start, result);
  }

  #copySizes(to: Expr, from: Expr): void {
    const size = this.#sizeOf(from);
    if (size !== undefined) this.#sizes.set(to.id, size);
    const entry = this.#entryOf(from);
    if (entry !== undefined) this.#entries.set(to.id, entry);
  }

  #sizeOf(expr: Expr): CostRange | undefined {
    const known = this.#sizes.get(expr.id) ?? literalSize(expr);
    if (known !== undefined) return known;
    const estimated = this.size(this.#path(expr).names);
    if (estimated !== undefined) {
      this.#sizes.set(expr.id, estimated);
      return estimated;
    }
    if (isScalar(this.#type(expr))) return range(1);
    return expr.kind === 'ident' ? this.#local(expr.name)?.size : undefined;
  }

  #entryOf(expr: Expr): EntrySize | undefined {
    const known = this.#entries.get(expr.id);
    return known ?? (expr.kind === 'ident' ? this.#local(expr.name)?.entry : undefined);
  }
}

function uniteEntries(left: EntrySize | undefined, right: EntrySize | undefined): EntrySize | undefined {
  if (left === undefined || right === undefined) return undefined;
  return { container: left.container, key: unite(left.key, right.key), value: unite(left.value, right.value) };
}

function literalSize(expr: Expr): CostRange | undefined {
  if (expr.kind === 'list') return range(expr.elements.length);
  if (expr.kind === 'map') return range(expr.entries.length);
  return expr.kind === 'literal' ? range(constantSize(expr.value)) : undefined;
}

function constantSize(value: Constant): number {
  if (typeof value === 'string') return codePoints(value);
  return value instanceof Uint8Array && !(value instanceof Uint) ? value.length : 1;
}

function isScalar(type: Type): boolean {
  if (isOptional(type)) return isScalar(type.params[0] ?? types.dyn);
  return ['bool', 'double', 'duration', 'int', 'timestamp', 'uint'].includes(type.kind);
}
