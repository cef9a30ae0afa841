import assert from 'node:assert/strict';
import { it } from 'node:test';
import { AdmissionCompiler, type MadeStruct, resultTypes } from '#api/expressions';
import { GoNative } from '#apimachinery';
import { jsonOf } from './made-json.ts';

it('null in what a mutation makes stays null in patches and is a number in configurations', () => {
  const variables = { params: false, authorizer: false, patchTypes: true };
  const text = 'Object{data: {"a": dyn(null), "b": dyn("x")}, list: [dyn(null), dyn(1)]}';
  const { program } = new AdmissionCompiler(false).compile(text, variables, resultTypes.applyConfiguration);
  const { value } = program!.evaluate(() => undefined);
  assert.deepEqual(jsonOf(value!), { data: { a: null, b: 'x' }, list: [null, 1] });
  assert.deepEqual(jsonOf(value!, 0), { data: { a: 0, b: 'x' }, list: [0, 1] });
});

it('times, durations and large numbers are strings in patches; values of libraries have no JSON', () => {
  const variables = { params: false, authorizer: false, patchTypes: true };
  const made = (value: string): unknown => {
    const text = `[JSONPatch{op: "add", path: "/a", value: ${value}}]`;
    const { program } = new AdmissionCompiler(false).compile(text, variables, resultTypes.jsonPatch);
    const [operation] = program!.evaluate(() => undefined).value as Iterable<MadeStruct>;
    return jsonOf(operation!.fields.get('value')!);
  };
  assert.equal(made('duration("90s")'), '90s');
  assert.equal(made('timestamp("2026-01-01T00:00:00Z")'), '2026-01-01T00:00:00Z');
  assert.equal(made('9007199254740993'), '9007199254740993');
  assert.equal(made('5u'), 5);
  assert.equal(made('optional.of(1)'), 1);
  assert.throws(() => made('optional.none()'), /optional.none\(\) dereference/);
  assert.throws(() => made('quantity("1")'), /type conversion error from 'Quantity' to '\*structpb.Value'/);
  assert.throws(() => made('ip("::1")'), /from 'IP' to/);
});

it('configurations hold what Go has, which no schema takes', () => {
  const variables = { params: false, authorizer: false, patchTypes: true };
  const text = 'Object{a: b"abc", b: timestamp("2026-01-01T00:00:00Z"), c: duration("1s")}';
  const { program } = new AdmissionCompiler(false).compile(text, variables, resultTypes.applyConfiguration);
  assert.deepEqual(jsonOf(program!.evaluate(() => undefined).value!, 0), {
    a: new GoNative('[]uint8{0x61, 0x62, 0x63}'),
    b: new GoNative('time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)'),
    c: 1_000_000_000,
  });
});
