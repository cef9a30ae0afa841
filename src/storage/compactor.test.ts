import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SteppedClock, silentLogger } from '#base';
import { startCompactor } from './compactor.ts';
import { createMemoryStore } from './memory/memory-store.ts';
import { put } from './suite/help.ts';

test('history is kept for between one and two intervals, whoever of two servers compacts', async () => {
  const clock = new SteppedClock();
  const store = createMemoryStore({ clock });
  using first = startCompactor({ store, clock, logger: silentLogger });
  using second = startCompactor({ store, clock, logger: silentLogger });
  assert.ok(first && second);
  const written: number[] = [];
  for (let minute = 0; minute < 30; minute++) {
    written.push(await put(store, '/a', String(minute)));
    await clock.advance(60_000);
    await new Promise(resolve => setImmediate(resolve));
    const oldest = await store.compactedRevision();
    const age = written.filter(revision => revision >= oldest).length;
    if (minute > 12) assert.ok(age >= 5 && age <= 11, `${age} minutes of history at minute ${minute}`);
    else assert.ok(age >= Math.min(minute, 5));
  }
  assert.deepEqual(await store.verify(), []);
});
