import assert from 'node:assert/strict';
import { it } from 'node:test';
import { AdmissionCompiler, type MadeStruct, resultTypes } from '#api/expressions';
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
