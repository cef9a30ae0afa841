/**
 * Assignability of types with parameters: what is known of each parameter is a substitution, which grows while an
 * expression is checked. Upstream: cel-go checker/{types,mapping}.go.
 */
import { isDyn, isDynOrError, listOf, mapOf, sameType, Type, types } from './types.ts';

/** What parameters stand for, by name. */
export class Substitution {
  #bound: Map<string, Type>;

  constructor(bound: Map<string, Type> = new Map()) {
    this.#bound = bound;
  }

  find(type: Type): Type | undefined {
    return type.kind === 'param' ? this.#bound.get(type.name) : undefined;
  }

  bind(parameter: Type, type: Type): void {
    this.#bound.set(parameter.name, type);
  }

  /** Binds parameters so that `right` can be given where `left` is wanted; false, and nothing bound, if impossible. */
  assign(left: Type, right: Type): boolean {
    return this.assignAll([left], [right]);
  }

  /** As {@link assign}, pairwise. */
  assignAll(left: readonly Type[], right: readonly Type[]): boolean {
    const before = new Map(this.#bound);
    if (this.#listAssignable(left, right)) return true;
    this.#bound = before;
    return false;
  }

  /** The type with parameters replaced by what they stand for; free ones by dyn if told so. */
  apply(type: Type, freeToDyn: boolean): Type {
    const bound = this.find(type);
    if (bound !== undefined) return this.apply(bound, freeToDyn);
    if (type.kind === 'param') return freeToDyn ? types.dyn : type;
    if (type.params.length === 0) return type;
    const params = type.params.map(one => this.apply(one, freeToDyn));
    if (params.every((one, index) => one === type.params[index])) return type;
    if (type.kind === 'list') return listOf(params[0] as Type);
    if (type.kind === 'map') return mapOf(params[0] as Type, params[1] as Type);
    return new Type(type.kind, type.name, params);
  }

  #listAssignable(left: readonly Type[], right: readonly Type[]): boolean {
    return left.length === right.length && left.every((one, index) => this.#assignable(one, right[index] as Type));
  }

  #assignable(left: Type, right: Type): boolean {
    if (right.kind === 'param') {
      const found = this.#substitutable(left, right);
      if (found.valid) return true;
      if (found.bound) return false;
    }
    if (left.kind === 'param') return this.#substitutable(right, left).valid;
    if (isDynOrError(left) || isDynOrError(right)) return true;
    if (left.kind === 'null') return isNullable(right);
    if (right.kind === 'null') return isNullable(left);
    if (left.kind === 'type') return right.kind === 'type';
    if (left.kind === 'opaque' || left.kind === 'list' || left.kind === 'map') {
      return left.kind === right.kind && left.name === right.name && this.#listAssignable(left.params, right.params);
    }
    return left.kind === right.kind && left.name === right.name;
  }

  /** Whether `right`, a parameter, can stand for `left`, and whether it stood for something before. */
  #substitutable(left: Type, right: Type): { valid: boolean; bound: boolean } {
    if (left.kind === right.kind && sameType(left, right)) return { valid: true, bound: true };
    const bound = this.find(right);
    if (bound !== undefined) {
      if (sameType(left, bound)) return { valid: true, bound: true };
      if (!this.#assignable(left, bound)) return { valid: false, bound: true };
      const general = mostGeneral(left, bound);
      if (!this.#occursIn(right, general)) this.bind(right, general);
      return { valid: true, bound: true };
    }
    if (this.#occursIn(right, left)) return { valid: false, bound: false };
    this.bind(right, left);
    return { valid: true, bound: false };
  }

  #occursIn(parameter: Type, within: Type): boolean {
    if (sameType(parameter, within)) return true;
    if (within.kind === 'param') {
      const bound = this.find(within);
      return bound !== undefined && this.#occursIn(parameter, bound);
    }
    return within.params.some(one => this.#occursIn(parameter, one));
  }
}

const isNullable = (type: Type): boolean =>
  type.nullable || ['null', 'opaque', 'struct', 'any', 'duration', 'timestamp'].includes(type.kind);

/** The more general of two types that unify. */
export function mostGeneral(left: Type, right: Type): Type {
  return equalOrLessSpecific(left, right) ? left : right;
}

function equalOrLessSpecific(left: Type, right: Type): boolean {
  if (isDyn(left) || left.kind === 'param') return true;
  if (isDyn(right) || right.kind === 'param') return false;
  if (left.kind !== right.kind) return false;
  if (left.kind === 'type') return true;
  if (left.kind === 'opaque' || left.kind === 'list' || left.kind === 'map') {
    return (
      left.name === right.name &&
      left.params.length === right.params.length &&
      left.params.every((one, index) => equalOrLessSpecific(one, right.params[index] as Type))
    );
  }
  return sameType(left, right);
}
