import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoredObject } from './stored-object.ts';

const sent = (text: string): string => new StoredObject('/a', Buffer.from(text), 7, 1).sent().toString();

test('the resourceVersion stands behind the uid', () => {
  const text = '{"kind":"A","apiVersion":"v1","metadata":{"name":"a","uid":"u","generation":1}}';
  assert.equal(sent(text), text.replace('"u"', '"u","resourceVersion":"7"'));
});

test('of an object that others stored without a uid it stands behind the names', () => {
  const text = '{"kind":"A","apiVersion":"v1","metadata":{"name":"a\\"","namespace":"b","labels":{"c":"d"}}}';
  assert.equal(sent(text), text.replace('"b"', '"b","resourceVersion":"7"'));
  assert.equal(sent('{"metadata":{"name":"a"}}'), '{"metadata":{"name":"a","resourceVersion":"7"}}');
});

test('integers that no double holds are decoded as they are', () => {
  const object = new StoredObject('/a', Buffer.from('{"metadata":{"name":"a"},"n":9007199254740993}'), 7, 1).decoded();
  assert.equal((object as unknown as { n: bigint }).n, 9007199254740993n);
});
