import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fifo } from './fifo.ts';

test('a queue answers what an array would', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer())), steps => {
      const queue = new Fifo<number>();
      const model: number[] = [];
      for (const step of steps) {
        if (step === null) assert.equal(queue.shift(), model.shift());
        else {
          queue.push(step);
          model.push(step);
        }
        assert.equal(queue.length, model.length);
      }
      queue.clear();
      assert.deepEqual([queue.length, queue.shift()], [0, undefined]);
    }),
  );
});
