/** The texts of upstream's converter, one a way in which a value does not fit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readExactJson, writeOrdered } from '../json/index.ts';
import { field, list, map, scalar, struct } from '../schema/build.ts';
import { checkUnstructured } from './from-unstructured.ts';
import { applyJsonPatch, applyMergePatch, parseJsonPatch } from './index.ts';

const inner = struct('v1.Inner', [field('name', scalar('string')), field('wide', scalar('int64'))]);
const type = struct('v1.Thing', [
  field('text', scalar('string')),
  field('yes', scalar('boolean')),
  field('count', scalar('int32')),
  field('data', scalar('bytes')),
  field('size', scalar('quantity')),
  field('labels', map(scalar('string'))),
  field('items', list(inner)),
  field('spec', inner),
]);

const cases: ReadonlyArray<readonly [document: Record<string, unknown>, text: string | undefined]> = [
  [{ text: 'a', yes: true, count: 1, labels: { a: 'b' }, items: [{ name: 'x' }], spec: null }, undefined],
  [{ text: 5 }, 'cannot convert int64 to string'],
  [{ text: 0.5 }, 'unrecognized type: string'],
  [{ text: {} }, 'unrecognized type: string'],
  [{ yes: 'true' }, 'unrecognized type: bool'],
  [{ count: '1' }, 'unrecognized type: int32'],
  [{ count: 1.5 }, 'cannot convert float64 to int32'],
  [{ data: 7 }, 'cannot restore slice from int64'],
  [{ size: 'x' }, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
  [{ labels: [] }, 'cannot restore map from slice'],
  [{ labels: { a: 1 } }, 'cannot convert int64 to string'],
  [{ items: {} }, 'cannot restore slice from map'],
  [{ items: ['x'] }, 'cannot restore struct from: string'],
  [{ spec: true }, 'cannot restore struct from: bool'],
];

test('values that do not fit their type', () => {
  for (const [document, text] of cases) {
    if (text === undefined) checkUnstructured(document, type);
    else assert.throws(() => checkUnstructured(document, type), { message: text }, JSON.stringify(document));
  }
});

test('integers that are too wide wrap, as Go converts them', () => {
  const document = { count: 2 ** 32 + 5 };
  checkUnstructured(document, type);
  assert.equal(document.count, 5);
});

test('numbers are converted as Go converts those that its unstructured objects hold', () => {
  const convert = (text: string): unknown => {
    const document = readExactJson(text) as Record<string, unknown>;
    checkUnstructured(document, type);
    return Object.values(document)[0];
  };
  const rows: readonly (readonly [text: string, value: unknown])[] = [
    ['{"count":1.0}', 1],
    ['{"count":1e3}', 1000],
    ['{"count":-0}', 0],
    ['{"count":9223372036854775807}', -1],
    ['{"count":9223372036854775808}', 0],
    ['{"spec":{"wide":1e30}}', { wide: -(2n ** 63n) }],
    ['{"size":1E0}', 1],
  ];
  for (const [text, value] of rows) assert.deepEqual(convert(text), value, text);
  assert.throws(() => convert('{"text":1.0}'), { message: 'unrecognized type: string' });
  assert.throws(() => convert('{"text":1}'), { message: 'cannot convert int64 to string' });
});

test('patches keep numbers as they were written, until their type reads them', () => {
  const patch = readExactJson('{"a":1.0,"b":[1e3,-0],"c":9007199254740993,"d":12,"e":"1.0"}');
  assert.equal(
    writeOrdered(applyMergePatch({ z: 1 }, patch as Record<string, unknown>)),
    '{"a":1.0,"b":[1e3,-0],"c":9007199254740993,"d":12,"e":"1.0","z":1}',
  );
  const { operations } = parseJsonPatch('[{"op":"test","path":"/n","value":1.0}]', true);
  assert.throws(() => applyJsonPatch({ n: 1 }, operations), { message: /test failed/ });
  assert.deepEqual(applyJsonPatch({ n: 1 }, parseJsonPatch('[{"op":"test","path":"/n","value":1}]', true).operations), {
    n: 1,
  });
});

test('what a patch touches has its members sorted, the rest keeps its order', () => {
  const document = { kind: 'K', apiVersion: 'v1', spec: { b: 1, a: 2 }, status: { z: 1, y: 2 } };
  assert.equal(
    JSON.stringify(applyMergePatch(document, { spec: { c: 3 } })),
    '{"apiVersion":"v1","kind":"K","spec":{"a":2,"b":1,"c":3},"status":{"z":1,"y":2}}',
  );
  assert.equal(
    JSON.stringify(applyJsonPatch(document, [{ op: 'add', path: '/spec/c', value: { y: 1, x: 2 } }])),
    '{"apiVersion":"v1","kind":"K","spec":{"a":2,"b":1,"c":{"y":1,"x":2}},"status":{"z":1,"y":2}}',
  );
});
