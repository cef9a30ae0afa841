import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import jsonPatchOracle from 'fast-json-patch';
import { deepFreeze } from '../meta.ts';
import { field, list, map, scalar, struct } from '../schema/build.ts';
import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicPatch,
  type JsonPatchOperation,
  parseJsonPatch,
  parseMapPatch,
  parseMergePatch,
} from './index.ts';

const json = (document: unknown, ...operations: JsonPatchOperation[]): unknown =>
  applyJsonPatch(deepFreeze(document), operations);

test('JSON patch: results', () => {
  const rows: readonly [unknown, JsonPatchOperation[], unknown][] = [
    [{ a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
    [{ a: [1, 2] }, [{ op: 'add', path: '/a/1', value: 9 }], { a: [1, 9, 2] }],
    [{ a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
    [{ a: [1, 2] }, [{ op: 'remove', path: '/a/-1' }], { a: [1] }],
    [{ a: 1 }, [{ op: 'replace', path: '/b', value: 2 }], { a: 1, b: 2 }],
    [{ a: { b: 1 } }, [{ op: 'move', from: '/a/b', path: '/c' }], { a: {}, c: 1 }],
    [{ a: { b: 1 } }, [{ op: 'copy', from: '/a', path: '/c' }], { a: { b: 1 }, c: { b: 1 } }],
    [{ 'x/y': { '~': 1 } }, [{ op: 'test', path: '/x~1y/~0', value: 1 }], { 'x/y': { '~': 1 } }],
    [{ a: 1 }, [{ op: 'test', path: '/b' }], { a: 1 }],
    [{ a: 1 }, [{ op: 'replace', path: '', value: { z: 1 } }], { z: 1 }],
    [{ a: 1 }, [{ op: 'add', path: '/b' }], { a: 1, b: null }],
  ];
  for (const [document, operations, want] of rows) assert.deepEqual(json(document, ...operations), want);
});

test('JSON patch: refusals', () => {
  const rows: readonly [unknown, JsonPatchOperation][] = [
    [{}, { op: 'add', path: '/a/b', value: 1 }],
    [{}, { op: 'remove', path: '/a' }],
    [{ a: [] }, { op: 'replace', path: '/a/0', value: 1 }],
    [{ a: [] }, { op: 'add', path: '/a/x', value: 1 }],
    [{ a: 1 }, { op: 'test', path: '/a', value: 2 }],
    [{ a: 1 }, { op: 'merge', path: '/a', value: 2 }],
    [{ a: 1 }, { path: '/a', value: 2 }],
    [{ a: 1 }, { op: 'move', path: '/a' }],
    [{ a: 1 }, { op: 'replace', path: '', value: 1 }],
  ];
  for (const [document, operation] of rows) {
    assert.throws(() => json(document, operation), { code: 'patchRejected' }, JSON.stringify(operation));
  }
});

test('JSON patch: copies cannot grow or nest without end', () => {
  const wide = Array.from({ length: 30 }, () => ({ op: 'copy', from: '/a', path: '/a/-' }));
  assert.throws(() => json({ a: ['x'.repeat(1000)] }, ...wide), { code: 'patchRejected' });
  const deep = Array.from({ length: 10 }, (_, k) => ({ op: 'copy', from: '/a', path: `/a${'/x'.repeat(2 ** k)}` }));
  assert.throws(() => json({ a: {} }, ...deep, { op: 'add', path: '/b', value: 1 }), { code: 'patchRejected' });
});

test('JSON patch: bodies', () => {
  assert.deepEqual(parseJsonPatch('[{"op":"add","path":"/a","value":1,"extra":1,"op":"add"}]', true).strictErrors, [
    'json patch unknown field "[0].extra"',
    'json patch duplicate field "[0].op"',
  ]);
  assert.throws(() => parseJsonPatch('{"op":"add"}', true), {
    code: 'patch',
    message: 'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
  });
  assert.throws(() => parseJsonPatch('', true), { message: 'error decoding patch: unexpected end of JSON input' });
  assert.throws(() => parseJsonPatch('{}', false), {
    message: 'json: cannot unmarshal object into Go value of type jsonpatch.Patch',
  });
  assert.throws(() => parseJsonPatch(`[${Array(10001).fill('{}').join(',')}]`, true), {
    code: 'patchTooLarge',
    message: 'The allowed maximum operations in a JSON patch is 10000, got 10001',
  });
});

test('JSON patch: a diff of the oracle leads from one document to the other', () => {
  const clean = fc.jsonValue({ maxDepth: 4 }).map(value => JSON.parse(JSON.stringify({ v: value })));
  fc.assert(
    fc.property(clean, clean, (from, to) => {
      const operations = jsonPatchOracle.compare(from, to);
      assert.deepEqual(applyJsonPatch(from, operations), to);
    }),
    { numRuns: 300 },
  );
});

test('merge patch', () => {
  const rows: readonly [Record<string, unknown>, Record<string, unknown>, Record<string, unknown>][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 1, c: 2 } }, { a: { b: null, d: { e: null } } }, { a: { c: 2, d: {} } }],
    [{}, { a: [{ b: null }, null] }, { a: [{}, null] }],
  ];
  for (const [document, patch, want] of rows) assert.deepEqual(applyMergePatch(deepFreeze(document), patch), want);
  assert.throws(() => parseMergePatch('null'), { code: 'patch', message: 'Invalid JSON Patch' });
  assert.throws(() => parseMergePatch('"x"'), {
    message: 'error decoding patch: json: cannot unmarshal string into Go value of type map[string]interface {}',
  });
  assert.deepEqual(parseMergePatch('{"data":{"a":"2"},"data":{"a":"3","a":"4"}}'), {
    patch: { data: { a: '4' } },
    strictErrors: ['duplicate field "data"', 'duplicate field "data.a"'],
  });
  assert.deepEqual(Object.keys(applyMergePatch({}, parseMergePatch('{"__proto__":{"x":1}}').patch)), ['__proto__']);
});

const string = scalar('string');
const container = struct('io.k8s.api.core.v1.Container', [
  field('name', string),
  field('image', string),
  field('args', list(string)),
  field('ports', list(struct('io.k8s.api.core.v1.ContainerPort', [field('containerPort', scalar('int32'))])), {
    merge: { strategy: 'merge', key: 'containerPort' },
  }),
]);
const spec = struct('io.k8s.api.core.v1.PodSpec', [
  field('containers', list(container), { merge: { strategy: 'merge', key: 'name' } }),
  field('finalizers', list(string), { merge: { strategy: 'merge' } }),
  field('labels', map(string)),
  field('strategy', struct('io.k8s.api.apps.v1.Strategy', [field('type', string), field('max', string)]), {
    merge: { strategy: 'retainKeys' },
  }),
]);

const a = { name: 'a', image: '1', args: ['x'] };
const b = { name: 'b', image: '1' };
const c = { name: 'c', image: '1' };

test('strategic merge patch', () => {
  const rows: readonly [string, Record<string, unknown>, Record<string, unknown>, Record<string, unknown>][] = [
    [
      'merges by key',
      { containers: [a, b] },
      { containers: [{ name: 'b', image: '2' }] },
      { containers: [a, { ...b, image: '2' }] },
    ],
    ['puts what is new first', { containers: [a] }, { containers: [c] }, { containers: [c, a] }],
    [
      'replaces atomic lists',
      { containers: [a] },
      { containers: [{ name: 'a', args: [] }] },
      { containers: [{ ...a, args: [] }] },
    ],
    [
      'deletes an element',
      { containers: [a, b] },
      { containers: [{ name: 'a', $patch: 'delete' }] },
      { containers: [b] },
    ],
    ['replaces a list', { containers: [a, b] }, { containers: [c, { $patch: 'replace' }] }, { containers: [c] }],
    ['replaces a map', { labels: { x: '1' } }, { labels: { $patch: 'replace', y: '2' } }, { labels: { y: '2' } }],
    ['deletes a map', { labels: { x: '1' } }, { labels: { $patch: 'delete' } }, { labels: {} }],
    ['removes by null', { labels: { x: '1', y: '2' } }, { labels: { x: null, z: null } }, { labels: { y: '2' } }],
    [
      'retains keys',
      { strategy: { type: 'R', max: '1' } },
      { strategy: { $retainKeys: ['type'], type: 'X' } },
      { strategy: { type: 'X' } },
    ],
    ['merges scalars', { finalizers: ['a', 'b'] }, { finalizers: ['b', 'c'] }, { finalizers: ['a', 'b', 'c'] }],
    [
      'deletes scalars',
      { finalizers: ['a', 'b'] },
      { '$deleteFromPrimitiveList/finalizers': ['a'] },
      { finalizers: ['b'] },
    ],
    [
      'orders',
      { containers: [a, b] },
      { '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }, { name: 'a' }], containers: [c] },
      { containers: [c, b, a] },
    ],
    [
      'orders around what the patch does not know',
      { containers: [a, b, c] },
      { '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }] },
      { containers: [b, c, a] },
    ],
    [
      'orders scalars',
      { finalizers: ['a', 'b'] },
      { '$setElementOrder/finalizers': ['b', 'a'] },
      { finalizers: ['b', 'a'] },
    ],
    ['adds a list without directives', {}, { containers: [a, { name: 'b', $patch: 'delete' }] }, { containers: [a] }],
    ['drops nulls of what is new', {}, { labels: { x: null, y: '1' } }, { labels: { y: '1' } }],
  ];
  for (const [name, document, patch, want] of rows) {
    assert.deepEqual(applyStrategicPatch(deepFreeze(document), deepFreeze(patch), spec), want, name);
  }
  assert.equal(applyStrategicPatch(a, parseMapPatch('null').patch, spec), a);
});

test('strategic merge patch: refusals have upstream texts', () => {
  const rows: readonly [Record<string, unknown>, Record<string, unknown>, string, string][] = [
    [
      { containers: [a] },
      { containers: [{ image: 'new' }] },
      'patchFailed',
      'map: map[image:new] does not contain declared merge key: name',
    ],
    [
      { containers: [a] },
      { containers: [{ $patch: 'destroy', name: 'a' }] },
      'patchFailed',
      'unknown patch type: destroy in map: map[$patch:destroy name:a]',
    ],
    [
      { containers: [b] },
      { containers: ['a'] },
      'patchFailed',
      'list element types are not identical: [[map[image:1 name:b]] [a]]',
    ],
    [
      { strategy: { type: 'R' } },
      { strategy: { $retainKeys: ['type'], max: '1' } },
      'patch',
      'invalid patch format of retainKeys',
    ],
    [
      { containers: [a] },
      { '$setElementOrder/containers': [{ name: 'z' }], containers: [{ name: 'a', image: 'n' }] },
      'patchFailed',
      "The order in patch list:\n[map[image:n name:a]]\n doesn't match $setElementOrder list:\n[map[name:z]]\n",
    ],
  ];
  for (const [document, patch, code, message] of rows) {
    assert.throws(() => applyStrategicPatch(document, patch, spec), { code, message });
  }
});

test('strategic merge patch: any patch gives a document or an InputError', () => {
  const key = fc.constantFrom(
    'containers',
    'finalizers',
    'labels',
    '$patch',
    '$retainKeys',
    '$setElementOrder/containers',
    'name',
    '$deleteFromPrimitiveList/finalizers',
    '__proto__',
  );
  const { value } = fc.letrec<{ value: unknown }>(tie => ({
    value: fc.oneof(
      { depthSize: 'small', maxDepth: 4 },
      fc.constantFrom(null, 'a', 'b', 'delete', 'replace', 1, true),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    ),
  }));
  const object = fc.dictionary(key, value, { maxKeys: 4 });
  fc.assert(
    fc.property(object, object, (document, patch) => {
      try {
        applyStrategicPatch(deepFreeze(document), deepFreeze(patch), spec);
      } catch (error) {
        assert.equal((error as Error).name, 'InputError', String((error as Error).stack));
      }
      assert.equal(({} as { name?: string }).name, undefined);
    }),
    { numRuns: 1000 },
  );
});
