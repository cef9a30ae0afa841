import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdmissionCompiler, compileDeviceSelector, resultTypes } from './index.ts';

test('selectors of devices are compiled and priced', () => {
  const rows: readonly [string, string | undefined][] = [
    ['device.driver == "a"', undefined],
    ['device.attributes["a.example"].flag', undefined],
    ['device.capacity["a.example"].memory.compareTo(quantity("1Gi")) >= 0', undefined],
    ['cel.bind(d, device.attributes["a.example"], d.x == "y" && d.z)', undefined],
    ['device.driver', 'must evaluate to bool or the unknown type, not string'],
  ];
  for (const [text, error] of rows) {
    const compiled = compileDeviceSelector(text);
    assert.equal(compiled.error, error, text);
    if (error === undefined) assert.ok(compiled.maxCost! > 0 && compiled.maxCost! < 1_000_000, text);
  }
});

test('expressions of policies see the variables before them', () => {
  const variables = { params: false, authorizer: true };
  const policy = new AdmissionCompiler(true);
  assert.match(policy.compile('variables.a', variables, []).error!, /undefined field 'a'/);
  assert.equal(policy.addVariable('a', '"x"', variables).error, undefined);
  assert.equal(policy.compile('variables.a == "x"', variables, resultTypes.condition).error, undefined);
  const rows: readonly [string, readonly string[], string][] = [
    ['variables.a', resultTypes.condition, 'must evaluate to bool but got string'],
    ['1', resultTypes.auditAnnotation, 'must evaluate to one of [string null_type] but got int'],
    ['object.spec', resultTypes.condition, 'must evaluate to bool but got dyn'],
  ];
  for (const [text, wanted, error] of rows) assert.equal(policy.compile(text, variables, wanted).error, error);
  assert.match(new AdmissionCompiler(false).compile('variables.a', variables, []).error!, /undeclared reference/);
});

test('mutations make objects and patches', () => {
  const policy = new AdmissionCompiler(true);
  const variables = { params: false, authorizer: true, patchTypes: true };
  const object = 'Object{spec: Object.spec{replicas: 3}}';
  assert.equal(policy.compile(object, variables, resultTypes.applyConfiguration).error, undefined);
  const patch = '[JSONPatch{op: "add", path: "/a/" + jsonpatch.escapeKey("b/c"), value: object.x}]';
  assert.equal(policy.compile(patch, variables, resultTypes.jsonPatch).error, undefined);
  assert.ok(policy.compile(object, { ...variables, patchTypes: false }, []).error);
});
