import assert from 'node:assert/strict';
import { it } from 'node:test';
import { applyJsonPatch } from './json-patch.ts';

it('what does not apply is told in the words of the library that upstream uses', () => {
  const rows: ReadonlyArray<readonly [operation: object, message: string]> = [
    [{ op: 'add', path: '/x/y' }, 'add operation does not apply: doc is missing path: "/x/y": missing value'],
    [{ op: 'remove', path: '/x/y' }, 'remove operation does not apply: doc is missing path: "/x/y": missing value'],
    [
      { op: 'remove', path: '/a/y' },
      "error in remove for path: '/a/y': Unable to remove nonexistent key: y: missing value",
    ],
    [{ op: 'replace', path: '/x/y' }, 'replace operation does not apply: doc is missing path: /x/y: missing value'],
    [{ op: 'replace', path: '/l/9' }, 'replace operation does not apply: doc is missing key: /l/9: missing value'],
    [
      { op: 'move', from: '/x/y', path: '/z' },
      'move operation does not apply: doc is missing from path: /x/y: missing value',
    ],
    [
      { op: 'copy', from: '/a', path: '/x/y' },
      'copy operation does not apply: doc is missing destination path: /x/y: missing value',
    ],
    [{ op: 'test', path: '/x/y', value: 1 }, 'test operation does not apply: is missing path: /x/y: missing value'],
    [{ op: 'test', path: '/a/b', value: 1 }, 'testing value /a/b failed: test failed'],
    [
      { op: 'add', path: '/l/z', value: 1 },
      `error in add for path: '/l/z': value was not a proper array index: 'z': strconv.Atoi: parsing "z": invalid syntax`,
    ],
    [
      { op: 'add', path: '/l/9', value: 1 },
      "error in add for path: '/l/9': Unable to access invalid index: 9: invalid index referenced",
    ],
    [{ op: 'zip', path: '/a' }, 'Unexpected kind: zip'],
  ];
  for (const [operation, message] of rows) {
    assert.throws(() => applyJsonPatch({ a: { b: 2 }, l: [1] }, [operation]), { message }, message);
  }
});
