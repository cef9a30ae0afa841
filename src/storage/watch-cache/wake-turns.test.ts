import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WakeTurns } from './wake-turns.ts';

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

test('so many a turn, those of one connection together', async () => {
  const turns = new WakeTurns(2);
  const connections = { a: {}, b: {}, c: {} };
  const woken: string[] = [];
  for (const name of ['a1', 'b1', 'a2', 'c1', 'b2', 'a3'])
    turns.add(connections[name[0] as 'a'], () => woken.push(name));
  turns.run();
  assert.deepEqual(woken, ['a1', 'a2', 'a3']);
  turns.run();
  assert.deepEqual(woken, ['a1', 'a2', 'a3'], 'a further change does not bring the next turn forward');
  await nextTurn();
  assert.deepEqual(woken.slice(3), ['b1', 'b2']);
  await nextTurn();
  assert.deepEqual(woken.slice(5), ['c1']);
});

test('one connection with very many does not have one turn for them all', async () => {
  const turns = new WakeTurns(2);
  const connection = {};
  let woken = 0;
  for (let at = 0; at < 20; at++) turns.add(connection, () => woken++);
  turns.run();
  assert.equal(woken, 8);
  await nextTurn();
  assert.equal(woken, 16);
  await nextTurn();
  assert.equal(woken, 20);
});

test('who comes between two turns is waked too, once, and the next change finds the first turn free', async () => {
  const turns = new WakeTurns(1);
  const woken: string[] = [];
  turns.add({}, () => woken.push('first'));
  turns.add({}, () => woken.push('second'));
  turns.run();
  turns.add({}, () => woken.push('third'));
  await nextTurn();
  await nextTurn();
  assert.deepEqual(woken, ['first', 'second', 'third']);
  turns.add({}, () => woken.push('fourth'));
  turns.run();
  assert.equal(woken.length, 4);
});
