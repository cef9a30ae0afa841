import assert from 'node:assert/strict';
import { it } from 'node:test';
import { AdmissionCompiler, resultTypes } from '#api/expressions';
import { jsonOf } from './made-json.ts';

it('null in what a mutation makes stays null in patches and is a number in configurations', () => {
  const variables = { params: false, authorizer: false, patchTypes: true };
  const text = 'Object{data: {"a": dyn(null), "b": dyn("x")}, list: [dyn(null), dyn(1)]}';
  const { program } = new AdmissionCompiler(false).compile(text, variables, resultTypes.applyConfiguration);
  const { value } = program!.evaluate(() => undefined);
  assert.deepEqual(jsonOf(value!), { data: { a: null, b: 'x' }, list: [null, 1] });
  assert.deepEqual(jsonOf(value!, 0), { data: { a: 0, b: 'x' }, list: [0, 1] });
});
