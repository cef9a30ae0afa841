import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base';
import { BulkTurns, inTurns } from './bulk-turns.ts';

const loopTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

/** Lists of `count` bits each, which note themselves in `done`. */
async function lists(turns: BulkTurns, names: readonly string[], count: number, done: string[]): Promise<void> {
  await Promise.all(
    names.map(async name => {
      for (let at = 0; at < count; at++) {
        await turns.next();
        done.push(name);
      }
    }),
  );
}

describe('turns of long answers', () => {
  it('go round, one bit a turn of the loop', async () => {
    const turns = new BulkTurns(new SteppedClock());
    const done: string[] = [];
    const all = lists(turns, ['a', 'b', 'c'], 6, done);
    await loopTurn();
    const before = done.length;
    await loopTurn();
    assert.equal(done.length - before <= 1, true);
    await all;
    assert.equal(new Set(done.slice(-3)).size, 3);
  });

  it('rest while a short request is being answered, but not for ever', async () => {
    const clock = new SteppedClock();
    const turns = new BulkTurns(clock);
    const done: string[] = [];
    await lists(turns, ['a'], 1, done);
    turns.shortBegan();
    const all = lists(turns, ['a'], 2, done);
    for (let turn = 0; turn < 5; turn++) await loopTurn();
    assert.equal(done.length, 1);
    await clock.advance(1);
    await loopTurn();
    await loopTurn();
    assert.equal(done.length, 2);
    turns.shortEnded();
    await all;
    assert.equal(done.length, 3);
  });

  it('rest by what a bit took until the loop came round, which is more than its making', async () => {
    const clock = new SteppedClock();
    const turns = new BulkTurns(clock);
    turns.shortBegan();
    const done: string[] = [];
    const all = lists(turns, ['a'], 2, done);
    await loopTurn();
    assert.equal(done.length, 1);
    await clock.advance(3);
    for (let turn = 0; turn < 3; turn++) await loopTurn();
    await clock.advance(11);
    for (let turn = 0; turn < 3; turn++) await loopTurn();
    assert.equal(done.length, 1);
    await clock.advance(1);
    for (let turn = 0; turn < 3; turn++) await loopTurn();
    assert.equal(done.length, 2);
    turns.shortEnded();
    await all;
  });

  it('do not wait for a list that waits for something else', async () => {
    const turns = new BulkTurns(new SteppedClock());
    const done: string[] = [];
    await turns.next();
    await lists(turns, ['b'], 10, done);
    assert.equal(done.length, 10);
  });

  it('keep the bytes, and tell the end once however it comes', async () => {
    const turns = new BulkTurns(new SteppedClock());
    const bytes = Buffer.alloc(300_000, 'x');
    let ends = 0;
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 200_000);
      yield bytes.subarray(200_000);
    }
    const parts: Uint8Array[] = [];
    for await (const part of inTurns(chunks(), turns, () => ends++)) parts.push(part);
    assert.equal(Buffer.concat(parts).equals(bytes), true);
    assert.equal(Math.max(...parts.map(part => part.length)), 96 * 1024);
    assert.equal(ends, 1);
    await inTurns(chunks(), turns, () => ends++).return!();
    assert.equal(ends, 2);
  });
});
