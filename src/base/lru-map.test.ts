import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LruMap } from './lru-map.ts';

test('what was not used for longest goes first', () => {
  const map = new LruMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  assert.equal(map.get('a'), 1);
  map.set('c', 3);
  assert.deepEqual([map.get('a'), map.get('b'), map.get('c')], [1, undefined, 3]);
  map.set('c', 4);
  assert.deepEqual([map.get('a'), map.get('c')], [1, 4], 'what is there already drives nothing out');
  map.delete('a');
  assert.equal(map.get('a'), undefined);
});
