/**
 * The conformance suite of the language (cel-spec), as the package @bufbuild/cel-spec carries it. Kubernetes uses CEL
 * without protobuf messages, enums and containers; tests that need them are skipped, and counted by reason.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { wrapper } from './check/types.ts';
import {
  type DeclType,
  type Duration,
  Environment,
  type Evaluation,
  listOf,
  mapOf,
  optionalOf,
  type Timestamp,
  Type,
  types,
  Uint,
  type Value,
} from './index.ts';
import { listsExtension } from './library/lists.ts';
import { optionalLibrary } from './library/optional.ts';
import { standardLibrary } from './library/standard.ts';
import { stringsLibrary } from './library/strings.ts';
import { equal } from './values/equality.ts';
import { parseDuration, parseTimestamp } from './values/time.ts';
import { ArrayList, EntryMap } from './values/value.ts';

interface Case {
  readonly name: string;
  readonly expr: string;
  readonly value?: Json;
  readonly typeEnv?: readonly {
    readonly name: string;
    readonly ident?: { readonly type: Json };
    readonly function?: Json;
  }[];
  readonly bindings?: Readonly<Record<string, { readonly value?: Json }>>;
  readonly disableCheck?: boolean;
  readonly evalError?: Json;
  readonly container?: string;
  readonly checkOnly?: boolean;
  readonly typedResult?: { readonly result?: Json; readonly deducedType?: Json };
}
type Json = Readonly<Record<string, any>>;
interface Suite {
  readonly name: string;
  readonly suites?: readonly Suite[];
  readonly tests?: readonly { readonly original: Case }[];
}

const { tests } = createRequire(import.meta.url)('@bufbuild/cel-spec/testdata/conformance.js') as { tests: Suite };

/** What a test needs that Kubernetes does not have. */
class Unsupported extends Error {}

const messages = 'protobuf messages, wrappers and enums: Kubernetes has none';

/** Suites that are left out whole. */
const suitesOut: Readonly<Record<string, string>> = {
  enums: messages,
  proto2: messages,
  proto3: messages,
  proto2_ext: messages,
  wrappers: messages,
  dynamic: messages,
  math_ext: 'the math extension: Kubernetes does not enable it',
  encoders_ext: 'the encoders extension: Kubernetes does not enable it',
  block_ext: 'cel.block: made by optimizers that Kubernetes does not use',
};

/** Tests that the version in Kubernetes v1.36 answers otherwise, by suite, group and name. */
const otherwise: readonly (readonly [place: RegExp, reason: string])[] = [
  [/^string_ext\/(?:format|format_errors|value_errors)\//, 'format() of strings version 4: Kubernetes has version 2'],
  [/\/map_key_(?:float|null)$|\/map_value_repeat_key/, 'keys of maps: cel-go takes doubles, null and repeated keys'],
  [/\/map_null_entry_no_such_key$|\/map_present_key_invalid_field$/, 'presence in plain values: Kubernetes says no'],
  [/duration_converters\/get_milliseconds$/, 'milliseconds of a duration: cel-go counts all of them'],
  [/\/null_assignable_to_abstract_parameter_candidate$/, 'null beside an optional: cel-go takes the type of null'],
];

const mentionsMessages =
  /TestAllTypes|google\.protobuf\.(?!Timestamp|Duration)|NestedEnum|GlobalEnum|proto[23]\.|[A-Z]\w*\{/;

function plainType(type: Json): Type {
  if (type.primitive !== undefined) {
    const byName: Readonly<Record<string, Type>> = {
      BOOL: types.bool,
      INT64: types.int,
      UINT64: types.uint,
      DOUBLE: types.double,
      STRING: types.string,
      BYTES: types.bytes,
    };
    return byName[type.primitive] as Type;
  }
  if (type.listType !== undefined) return listOf(plainType(type.listType.elemType ?? { dyn: {} }));
  if (type.mapType !== undefined) {
    return mapOf(plainType(type.mapType.keyType ?? { dyn: {} }), plainType(type.mapType.valueType ?? { dyn: {} }));
  }
  if (type.wellKnown === 'TIMESTAMP') return types.timestamp;
  if (type.wellKnown === 'DURATION') return types.duration;
  if (type.wrapper !== undefined) return wrapper(plainType({ primitive: type.wrapper }));
  if (type.messageType === 'google.protobuf.Timestamp') return types.timestamp;
  if (type.messageType === 'google.protobuf.Duration') return types.duration;
  if (type.abstractType?.name === 'optional_type') return optionalOf(plainType(type.abstractType.parameterTypes[0]));
  if (type.dyn !== undefined) return types.dyn;
  if (type.null !== undefined) return types.null;
  if (type.type !== undefined) return types.type;
  throw new Unsupported(messages);
}

function plainValue(json: Json): Value {
  const [kind, value] = (Object.entries(json)[0] ?? ['nullValue', null]) as [string, any];
  switch (kind) {
    case 'int64Value':
      return BigInt(value);
    case 'uint64Value':
      return new Uint(BigInt(value));
    case 'bytesValue':
      return new Uint8Array(Buffer.from(value, 'base64'));
    case 'doubleValue':
      return Number(value);
    case 'nullValue':
      return null;
    case 'listValue':
      return new ArrayList((value.values ?? []).map(plainValue));
    case 'mapValue':
      return new EntryMap((value.entries ?? []).map((entry: Json) => [plainValue(entry.key), plainValue(entry.value)]));
    case 'objectValue':
      return timeValue(value);
    case 'stringValue':
    case 'boolValue':
      return value;
    default:
      throw new Unsupported(messages);
  }
}

function timeValue(value: Json): Value {
  const type = String(value['@type']).split('/').at(-1);
  if (type === 'google.protobuf.Duration') return parseDuration(value.value) as Duration;
  if (type === 'google.protobuf.Timestamp') return parseTimestamp(value.value) as Timestamp;
  throw new Unsupported(messages);
}

const declare = (type: Type): DeclType => ({ type, maxElements: 0, minSerializedSize: 0 });

function environmentOf(one: Case): Environment {
  const variables: Record<string, DeclType> = {};
  for (const { name, ident, function: declared } of one.typeEnv ?? []) {
    if (declared !== undefined || ident === undefined) throw new Unsupported('functions that a test declares');
    if (name.includes('.')) throw new Unsupported('containers and dotted variables: Kubernetes has none');
    variables[name] = declare(plainType(ident.type));
  }
  return new Environment({
    variables,
    libraries: [standardLibrary, optionalLibrary, stringsLibrary, listsExtension],
    escapedIdentifiers: true,
    mixedLiterals: true,
    validateLiterals: false,
    bindings: true,
  });
}

/** Runs one test; throws Unsupported, or an assertion. */
function run(one: Case): void {
  if (mentionsMessages.test(one.expr)) throw new Unsupported(messages);
  const environment = environmentOf(one);
  const bindings: Record<string, Value> = {};
  for (const [name, { value }] of Object.entries(one.bindings ?? {})) bindings[name] = plainValue(value ?? {});
  const compiled = environment.compile(one.expr);
  if (compiled.issues !== undefined) {
    if (one.evalError !== undefined) return;
    if (one.disableCheck) throw new Unsupported('evaluation without a check: Kubernetes always checks');
    assert.fail(compiled.issues);
  }
  const deduced = one.typedResult?.deducedType;
  if (deduced !== undefined) {
    assert.equal(String(compiled.resultType), String(plainType(deduced)));
  }
  if (one.checkOnly) return;
  verify(one, compiled.program.evaluate(bindings));
}

function verify(one: Case, evaluation: Evaluation): void {
  if (one.evalError !== undefined) {
    assert.notEqual(evaluation.error, undefined, `no error, but ${String(evaluation.value)}`);
    return;
  }
  assert.equal(evaluation.error, undefined);
  const value = evaluation.value as Value;
  const json = one.value ?? one.typedResult?.result ?? { boolValue: true };
  if (json.typeValue !== undefined) {
    assert.ok(value instanceof Type && value.name === json.typeValue, `expected the type ${json.typeValue}`);
    return;
  }
  const expected = plainValue(json);
  const same = typeof value === typeof expected && (equal(value, expected) === true || bothNaN(value, expected));
  assert.ok(same, `expected ${String(expected)}, but ${String(value)}`);
}

const bothNaN = (left: Value, right: Value): boolean => Number.isNaN(left) && Number.isNaN(right);

test('the conformance suite of CEL', context => {
  const skipped = new Map<string, number>();
  const failures: string[] = [];
  let passed = 0;
  const skip = (reason: string): void => void skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
  const visit = (suite: Suite, place: string): void => {
    for (const inner of suite.suites ?? []) visit(inner, `${place}${inner.name}/`);
    for (const { original } of suite.tests ?? []) {
      const name = `${place}${original.name}`;
      const out = suitesOut[name.split('/')[0] as string] ?? otherwise.find(([pattern]) => pattern.test(name))?.[1];
      if (out !== undefined) {
        skip(out);
        continue;
      }
      try {
        run(original);
        passed++;
      } catch (error) {
        if (error instanceof Unsupported) skip(error.message);
        else failures.push(`${name}: ${original.expr}\n  ${(error as Error).message}`);
      }
    }
  };
  visit(tests, '');
  context.diagnostic(`${passed} tests passed`);
  for (const [reason, count] of skipped) context.diagnostic(`${count} skipped: ${reason}`);
  assert.deepEqual(failures, []);
});
