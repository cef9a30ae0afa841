import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedPath } from './shared-path.ts';

test('paths that share room show what came last', () => {
  const item = SharedPath.of('self').append('list').append('@items');
  const first = item.append('a');
  assert.deepEqual(first.names, ['self', 'list', '@items', 'a']);
  const second = item.append('b');
  assert.deepEqual(second.names, ['self', 'list', '@items', 'b']);
  assert.deepEqual(first.names, second.names);
  assert.deepEqual(item.names, ['self', 'list', '@items']);
});

test('paths without room to share are apart', () => {
  const self = SharedPath.of('self');
  const [one, other] = [self.append('a'), self.append('b')];
  assert.deepEqual(
    [one.names, other.names],
    [
      ['self', 'a'],
      ['self', 'b'],
    ],
  );
});
