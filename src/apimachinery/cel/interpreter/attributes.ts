/**
 * Variables and whatever is selected or indexed from them. Each step costs 1; a variable behind a condition, or used
 * as an index, is free. Upstream: cel-go interpreter/attributes.go, and runtimecost.go for who pays for what.
 */
import { describeValue } from '../values/describe.ts';
import { Uint } from '../values/uint.ts';
import { CelError, ListValue, MapValue, ObjectValue, Optional, typeOfValue, type Value } from '../values/value.ts';
import type { Frame } from './frame.ts';

export type Evaluate = (frame: Frame) => Value;

/** One step from a value to a part of it. */
export interface Qualifier {
  /** The key: fixed, or evaluated each time. */
  readonly key: Value | Evaluate;
  readonly optional: boolean;
  /** The last step of has(). */
  readonly testOnly: boolean;
}

type Root =
  | { readonly kind: 'value'; readonly evaluate: Evaluate }
  | { readonly kind: 'condition'; readonly condition: Evaluate; readonly yes: Attribute; readonly no: Attribute };

/** A root and the steps from it. Immutable. */
export class Attribute {
  readonly #root: Root;
  readonly #qualifiers: readonly Qualifier[];

  /** The whole of it is the argument of a has(). */
  readonly isTest: boolean;

  constructor(root: Root, qualifiers: readonly Qualifier[] = [], isTest = false) {
    this.#root = root;
    this.#qualifiers = qualifiers;
    this.isTest = isTest;
  }

  get isCondition(): boolean {
    return this.#root.kind === 'condition';
  }

  /** The attribute with one step more. */
  step(qualifier: Qualifier): Attribute {
    const root = this.#root;
    if (root.kind === 'condition') {
      const branches = { yes: root.yes.step(qualifier), no: root.no.step(qualifier) };
      return new Attribute({ ...root, ...branches }, [], qualifier.testOnly);
    }
    return new Attribute(root, [...this.#qualifiers, qualifier], qualifier.testOnly);
  }

  /** Evaluates without a charge for the variable itself. */
  resolver(): Evaluate {
    const root = this.#root;
    if (root.kind === 'condition') {
      const { condition } = root;
      const [yes, no] = [root.yes.resolver(), root.no.resolver()];
      return frame => {
        const chosen = condition(frame);
        if (chosen === true) return yes(frame);
        if (chosen === false) return no(frame);
        return chosen instanceof CelError ? chosen : new CelError('no such overload');
      };
    }
    const { evaluate } = root;
    const qualifiers = this.#qualifiers;
    if (qualifiers.length === 0) return evaluate;
    return frame => {
      const start = evaluate(frame);
      return start instanceof CelError ? start : follow(frame, start, qualifiers);
    };
  }

  /** Evaluates as an expression of its own. */
  evaluator(): Evaluate {
    const resolve = this.resolver();
    const charge = this.isCondition ? 0 : 1;
    const refund = this.isTest ? 1 : 0;
    if (charge === refund) return resolve;
    return frame => {
      const value = resolve(frame);
      frame.charge(charge - refund);
      return value;
    };
  }
}

function follow(frame: Frame, start: Value, qualifiers: readonly Qualifier[]): Value {
  let value = start;
  let optional = false;
  if (value instanceof Optional) {
    if (value.value === undefined) return qualifiers.at(-1)?.testOnly ? false : value;
    optional = true;
    value = value.value;
  }
  for (const qualifier of qualifiers) {
    optional ||= qualifier.optional;
    const key = typeof qualifier.key === 'function' ? qualifier.key(frame) : qualifier.key;
    const found = step(value, key, qualifier.testOnly);
    if (found instanceof CelError) {
      frame.charge(1);
      return found;
    }
    if (found === undefined && optional) return qualifiers.at(-1)?.testOnly ? false : Optional.none;
    frame.charge(1);
    if (qualifier.testOnly) return found !== undefined;
    if (found === undefined) return missing(value, key);
    value = found;
  }
  return optional ? new Optional(value) : value;
}

/** A part of a value; undefined if it has no such part. */
function step(value: Value, key: Value, testOnly: boolean): Value | undefined {
  if (value instanceof CelError) return value;
  if (key instanceof CelError) return key;
  if (value instanceof MapValue) return value.find(key);
  if (value instanceof ListValue) return element(value, key);
  if (value instanceof ObjectValue && typeof key === 'string') {
    if (!testOnly) return value.field(key) ?? new CelError(`no such field '${key}'`);
    return value.hasField(key) ? true : undefined;
  }
  return undefined;
}

function element(list: ListValue, key: Value): Value | undefined {
  const index = listIndex(key);
  if (index instanceof CelError) return index;
  return index >= 0 && index < list.size ? list.at(index) : undefined;
}

/** A list's index from a value: any number that is whole. */
function listIndex(key: Value): number | CelError {
  if (typeof key === 'bigint') return Number(key);
  if (key instanceof Uint) return Number(key.value);
  if (typeof key === 'number') {
    return Number.isInteger(key) ? key : new CelError(`unsupported index value ${describeValue(key)} in list`);
  }
  return new CelError(`unsupported index type '${typeOfValue(key).name}' in list`);
}

function missing(value: Value, key: Value): CelError {
  const what = value instanceof ListValue ? 'index out of bounds' : 'no such key';
  return new CelError(`${what}: ${describeValue(key)}`);
}
