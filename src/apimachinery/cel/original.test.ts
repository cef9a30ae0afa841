/**
 * Expressions and what the original makes of them: issues, types, estimates, values, errors and costs. original.gen.json
 * holds what cel-go v0.26.0 answered in the environment of k8s.io/apiserver v0.36.3 for one schema and one object; some
 * of its expressions are made at random, some of those broken at random.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { goQuote } from '../field.ts';
import {
  authorizerType,
  type DeclType,
  Duration,
  declTypeOf,
  dynType,
  dynValue,
  ListValue,
  MapValue,
  newBaseEnvironment,
  Optional,
  schemaValue,
  sizesOf,
  Timestamp,
  Type,
  Uint,
  type Value,
} from './index.ts';
import { formatDouble } from './values/describe.ts';

interface Answer {
  readonly expr: string;
  readonly issues?: string;
  readonly type?: string;
  readonly min?: number;
  readonly max?: number;
  readonly cost?: number;
  readonly value?: string;
  readonly error?: string;
}

const recorded = JSON.parse(readFileSync(new URL('original.gen.json', import.meta.url), 'utf8')) as {
  readonly schema: Parameters<typeof schemaValue>[1];
  readonly self: unknown;
  readonly object: unknown;
  readonly answers: readonly Answer[];
};

/** A value in the notation of the recording. */
function show(value: Value): string {
  switch (typeof value) {
    case 'bigint':
      return `i${value}`;
    case 'number':
      return `d${formatDouble(value)}`;
    case 'string':
      return `s${goQuote(value)}`;
    case 'boolean':
      return String(value);
    default:
      return showObject(value as Exclude<Value, bigint | number | string | boolean>);
  }
}

function showObject(value: Exclude<Value, bigint | number | string | boolean>): string {
  if (value === null) return 'null';
  if (value instanceof Uint) return `u${value.value}`;
  if (value instanceof Uint8Array) return `b${Buffer.from(value).toString('hex')}`;
  if (value instanceof Optional) return value.value === undefined ? 'none' : `opt(${show(value.value)})`;
  if (value instanceof ListValue) return `[${[...value].map(show).join(',')}]`;
  if (value instanceof MapValue) {
    const entries = [...value.keys()].map(key => [key, value.find(key)] as const);
    const shown = entries.flatMap(([key, item]) => (item === undefined ? [] : [`${show(key)}:${show(item)}`]));
    return `{${shown.sort().join(',')}}`;
  }
  if (value instanceof Duration || value instanceof Timestamp) return value.toString();
  return value instanceof Type ? `type:${value.name}` : (value as { type: Type }).type.name;
}

const self = declTypeOf(recorded.schema, false, 'selfType') as DeclType;
const authorizer: DeclType = { type: authorizerType, maxElements: 0, minSerializedSize: 0 };
const environment = newBaseEnvironment().extend({ self, object: dynType, authorizer });
const variables = { self: schemaValue(recorded.self, recorded.schema), object: dynValue(recorded.object) };

function answer(expr: string): Omit<Answer, 'expr'> {
  const { program, issues, resultType } = environment.compile(expr);
  if (program === undefined) return { issues };
  const { min, max } = program.staticCost(sizesOf(self));
  const evaluation = program.evaluate(variables);
  const outcome = evaluation.error === undefined ? { value: show(evaluation.value) } : { error: evaluation.error };
  return { type: String(resultType), min, max, cost: evaluation.cost, ...outcome };
}

const goNames = (type: string): string =>
  type
    .replaceAll('google.protobuf.Timestamp', 'timestamp')
    .replaceAll('google.protobuf.Duration', 'duration')
    .replaceAll('null_type', 'null');

test('the answers of the original', () => {
  for (const { expr, ...expected } of recorded.answers) {
    const { type } = expected;
    const wanted = type === undefined ? expected : { ...expected, type: goNames(type) };
    assert.deepEqual(answer(expr), wanted, expr);
  }
});
