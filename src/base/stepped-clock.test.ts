import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createActivity } from './activity.ts';
import { SteppedClock } from './stepped-clock.ts';

test('timers fire in order of time, then of setting, and see their own instant', async () => {
  const clock = new SteppedClock({ startMs: 0 });
  const fired: string[] = [];
  clock.setTimer(() => fired.push(`b@${clock.now()}`), 20);
  clock.setTimer(() => fired.push(`a@${clock.now()}`), 10);
  clock.setTimer(() => fired.push(`c@${clock.now()}`), 20);
  clock.setTimer(() => fired.push('never'), 15).cancel();
  await clock.advance(19);
  assert.deepEqual(fired, ['a@10']);
  await clock.advance(1);
  assert.deepEqual(fired, ['a@10', 'b@20', 'c@20']);
});

test('a ticker fires every period; a sleep ends on abort', async () => {
  const clock = new SteppedClock();
  let ticks = 0;
  const ticker = clock.setTicker(() => ticks++, 10);
  await clock.advance(35);
  assert.equal(ticks, 3);
  ticker.cancel();
  await clock.advance(100);
  assert.equal(ticks, 3);
  const abort = new AbortController();
  const sleep = clock.sleep(1000, abort.signal);
  abort.abort(new Error('enough'));
  await assert.rejects(sleep, /enough/);
});

test('advance waits for the activity of one instant before the next', async () => {
  const activity = createActivity();
  const clock = new SteppedClock({ activity });
  const order: string[] = [];
  clock.setTimer(() => {
    const end = activity.begin();
    setImmediate(() =>
      setImmediate(() => {
        order.push('work of the first');
        end();
      }),
    );
  }, 1);
  clock.setTimer(() => order.push('second'), 2);
  await clock.advance(5);
  assert.deepEqual(order, ['work of the first', 'second']);
});
