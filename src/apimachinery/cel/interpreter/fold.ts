/**
 * Folds: what all, exists, map and the other macros become. Upstream: cel-go interpreter/interpretable.go (evalFold).
 */
import { type ComprehensionExpr, isBinding } from '../syntax/ast.ts';
import { goTypeOf } from '../values/describe.ts';
import {
  ArrayList,
  CelError,
  EntryMap,
  GrowingList,
  GrowingMap,
  ListValue,
  MapValue,
  type Value,
} from '../values/value.ts';
import type { Evaluate } from './attributes.ts';
import type { Frame } from './frame.ts';
import type { Planner } from './plan.ts';

interface Steps {
  readonly condition: Evaluate;
  readonly step: Evaluate;
  readonly accumulator: number;
}

/** The closure of a fold. */
export function planFold(planner: Planner, expr: ComprehensionExpr): Evaluate {
  const init = planner.evaluator(expr.init);
  if (isBinding(expr)) return planBinding(planner, expr, init);
  const range = planner.evaluator(expr.range);
  const { variable, variable2 } = expr;
  return planner.withLocal(expr.accumulator, accumulator => {
    const result = planner.evaluator(expr.result);
    return planner.withLocal(variable, first =>
      planner.withLocal(variable2 ?? '', second => {
        const steps = { condition: planner.evaluator(expr.condition), step: planner.evaluator(expr.step), accumulator };
        const run = variable2 === undefined ? foldOne(steps, first) : foldTwo(steps, first, second);
        return frame => {
          const over = range(frame);
          if (over instanceof CelError) return over;
          frame.slots[accumulator] = growing(init(frame));
          const ended = run(frame, over);
          return ended ?? settled(result(frame));
        };
      }),
    );
  });
}

/** A fold over nothing: a name for a value, which is computed when it is first used. */
function planBinding(planner: Planner, expr: ComprehensionExpr, init: Evaluate): Evaluate {
  const bound = (slot: number): Evaluate => {
    const result = planner.evaluator(expr.result);
    return frame => {
      frame.slots[slot] = undefined;
      return result(frame);
    };
  };
  return planner.withLocal(expr.accumulator, bound, init);
}

/** An empty list or map that may grow in place. */
function growing(value: Value): Value {
  if (value instanceof ListValue && value.size === 0) return new GrowingList();
  return value instanceof MapValue && value.size === 0 ? new GrowingMap() : value;
}

function settled(value: Value): Value {
  if (value instanceof GrowingList) return new ArrayList(value.items);
  if (!(value instanceof GrowingMap)) return value;
  return new EntryMap([...value.keys()].map(key => [key, value.find(key) as Value]));
}

/** Runs a fold; gives a value only when that ends the fold early with an error. */
type Run = (frame: Frame, range: Value) => Value | undefined;

/** One step; false ends the fold. */
function advance(frame: Frame, steps: Steps): boolean {
  if (steps.condition(frame) === false) return false;
  frame.slots[steps.accumulator] = steps.step(frame);
  return true;
}

const interrupted: CelError = new CelError('operation interrupted');

function foldOne(steps: Steps, slot: number): Run {
  return (frame, range) => {
    const isList = range instanceof ListValue;
    if (!isList && !(range instanceof MapValue)) {
      return new CelError(`got '${goTypeOf(range)}', expected iterable type`);
    }
    for (const item of isList ? range : range.keys()) {
      frame.slots[slot] = item;
      if (!advance(frame, steps)) return undefined;
      if (frame.stopped()) return interrupted;
    }
    return undefined;
  };
}

function foldTwo(steps: Steps, first: number, second: number): Run {
  return (frame, range) => {
    for (const [key, value] of pairs(range)) {
      frame.slots[first] = key;
      frame.slots[second] = value;
      if (!advance(frame, steps)) return undefined;
      if (frame.stopped()) return interrupted;
    }
    const known = range instanceof ListValue || range instanceof MapValue;
    return known ? undefined : new CelError(`unsupported comprehension range type: ${goTypeOf(range)}`);
  };
}

function* pairs(range: Value): Iterable<[Value, Value]> {
  if (range instanceof ListValue) {
    let index = 0n;
    for (const item of range) yield [index++, item];
  } else if (range instanceof MapValue) {
    for (const key of range.keys()) yield [key, range.find(key) as Value];
  }
}
