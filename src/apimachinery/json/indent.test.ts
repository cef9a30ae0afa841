import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { indentJson } from './index.ts';

test('members stand in lines of their own, in their order, with their numbers and escapes', () => {
  assert.equal(
    indentJson('{"b":"\\u003c\\"{","10":[],"2":{"x":12345678901234567890,"y":[1,{}]}}'),
    '{\n  "b": "\\u003c\\"{",\n  "10": [],\n  "2": {\n    "x": 12345678901234567890,\n    "y": [\n      1,\n      {}\n    ]\n  }\n}',
  );
});

test('it is what JSON.stringify makes of values that JavaScript holds', () => {
  fc.assert(
    fc.property(fc.jsonValue(), value => {
      assert.equal(indentJson(JSON.stringify(value)), JSON.stringify(value, null, 2));
    }),
  );
});
