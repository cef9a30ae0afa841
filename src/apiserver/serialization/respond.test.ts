import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type StructNode, struct } from '#apimachinery';
import { encodeAs } from './respond.ts';

const free: StructNode = struct('', []);
const shown = (value: object, mediaType: 'application/json' | 'application/yaml', pretty = false): string =>
  Buffer.from(encodeAs(value, free, { mediaType, pretty })).toString();

test('what people read is indented and keeps its order', () => {
  assert.equal(shown({ b: [], a: { c: 1 } }, 'application/json', true), '{\n  "b": [],\n  "a": {\n    "c": 1\n  }\n}');
});

test('YAML has the keys in its own order', () => {
  assert.equal(shown({ '2': 'y', b: 'true', '10': 'x' }, 'application/yaml'), '"2": "y"\n"10": x\nb: "true"\n');
});

test('what YAML cannot hold is a failure of the server', () => {
  assert.throws(() => shown({ a: 'x\x7f' }, 'application/yaml'), {
    status: {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'yaml: control characters are not allowed',
      code: 500,
    },
  });
});
