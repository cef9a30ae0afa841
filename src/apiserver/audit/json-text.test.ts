import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compactJson, withoutManagedFields } from './json-text.ts';

test('JSON is made compact without touching what it says', () => {
  assert.equal(compactJson('{ "a" : [1.0, 2e3,\n "x \\" <y> &"] }'), '{"a":[1.0,2e3,"x \\" \\u003cy\\u003e \\u0026"]}');
  assert.equal(compactJson('{"a": '), undefined);
  assert.equal(compactJson('a: b'), undefined);
});

const owned = { name: 'a', managedFields: [{ manager: 'x', fieldsV1: { 'f:a]}"': { '.': {} } } }], uid: 'u' };
const bare = { name: 'a', uid: 'u' };

test('field owners are left out of objects, lists and tables, and of nothing else', () => {
  const table: ReadonlyArray<readonly [object, object]> = [
    [
      { kind: 'Pod', metadata: owned, spec: { metadata: owned } },
      { kind: 'Pod', metadata: bare, spec: { metadata: owned } },
    ],
    [{ metadata: { managedFields: [] } }, { metadata: {} }],
    [
      { kind: 'PodList', metadata: {}, items: [{ metadata: owned, n: 1 }, { metadata: owned }] },
      { kind: 'PodList', metadata: {}, items: [{ metadata: bare, n: 1 }, { metadata: bare }] },
    ],
    [
      { kind: 'Table', metadata: {}, rows: [{ cells: ['"', null, -1.5], object: { metadata: owned } }] },
      { kind: 'Table', metadata: {}, rows: [{ cells: ['"', null, -1.5], object: { metadata: bare } }] },
    ],
    [{ data: { managedFields: 'x' } }, { data: { managedFields: 'x' } }],
  ];
  for (const [before, after] of table)
    assert.equal(withoutManagedFields(JSON.stringify(before)), JSON.stringify(after));
});
