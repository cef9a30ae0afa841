import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base';
import { DroppedRequests } from './dropped-requests.ts';
import { InFlight } from './in-flight.ts';

describe('refused requests', () => {
  it('are sent away for longer while a level goes on refusing, and for less when it does not', async () => {
    const clock = new SteppedClock();
    const dropped = new DroppedRequests(clock);
    assert.equal(dropped.record('a'), 1);
    const seen: number[] = [];
    for (let second = 0; second < 40; second++) {
      let last = 0;
      for (let request = 0; request < 10; request++) last = dropped.record('a');
      seen.push(last);
      await clock.advance(1000);
    }
    assert.deepEqual([...new Set(seen)], [1, 2, 4, 8, 16, 32]);
    assert.equal(dropped.record('b'), 1);
    const calm: number[] = [];
    for (let step = 0; step < 5; step++) {
      await clock.advance(100_000);
      calm.push(dropped.record('a'));
    }
    assert.deepEqual(calm, [31, 30, 29, 28, 27]);
  });
});

describe('requests in flight', () => {
  it('are shown as their most within the last full second', async () => {
    const clock = new SteppedClock();
    const inFlight = new InFlight(clock);
    for (const delta of [1, 1, 1, -1, -1]) inFlight.add(delta);
    assert.deepEqual([inFlight.count, inFlight.most()], [1, 0]);
    await clock.advance(1000);
    assert.equal(inFlight.most(), 3);
    inFlight.add(1);
    await clock.advance(1000);
    assert.equal(inFlight.most(), 2);
    await clock.advance(5000);
    assert.equal(inFlight.most(), 0);
  });
});
