import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HeapControl, returnSpareMemory } from './spare-memory.ts';
import { SteppedClock } from './stepped-clock.ts';

class Heap implements HeapControl {
  megabytes = 200;
  /** Cores in use; looked at every quarter of a second. */
  busy = 0;
  #spentMs = 0;
  favoured = false;
  /** How often the wish was uttered. */
  wishes = 0;
  usedMegabytes = 40;
  usedBytes(): number {
    return this.usedMegabytes << 20;
  }
  sizeBytes(): number {
    return this.megabytes << 20;
  }
  collections = 0;
  collect(): void {
    this.collections++;
  }
  processorMs(): number {
    this.#spentMs += this.busy * 250;
    return this.#spentMs;
  }
  favourMemory(wanted: boolean): void {
    this.favoured = wanted;
    if (wanted) this.wishes++;
  }
}

test('a rest after a burst is used, the wish is taken back, and repeated only when the heap has grown again', async () => {
  const [clock, heap] = [new SteppedClock(), new Heap()];
  using _ = returnSpareMemory(clock, heap);
  heap.busy = 0.9;
  await clock.advance(60_000);
  assert.equal(heap.favoured, false, 'not while there is work');
  heap.busy = 0.01;
  await clock.advance(2000);
  assert.equal(heap.favoured, false, 'not in a short pause');
  await clock.advance(1000);
  assert.equal(heap.favoured, true);
  heap.megabytes = 50;
  await clock.advance(16_000);
  assert.equal(heap.favoured, false);
  heap.megabytes = 60;
  await clock.advance(60_000);
  assert.equal(heap.wishes, 1, 'a little more than before is left alone');
  heap.megabytes = 90;
  await clock.advance(1000);
  assert.equal(heap.wishes, 2);
});

test('work ends the wish at once, and the next rest goes on', async () => {
  const [clock, heap] = [new SteppedClock(), new Heap()];
  using _ = returnSpareMemory(clock, heap);
  await clock.advance(3000);
  assert.equal(heap.favoured, true);
  heap.busy = 0.9;
  heap.usedMegabytes = 20;
  await clock.advance(1000);
  assert.equal(heap.favoured, true, 'giving back is work too');
  heap.usedMegabytes = 23;
  await clock.advance(250);
  assert.equal(heap.favoured, false);
  heap.busy = 0;
  await clock.advance(3000);
  assert.equal(heap.favoured, true);
});

test('a collector that does not look is waked once', async () => {
  const [clock, heap] = [new SteppedClock(), new Heap()];
  using _ = returnSpareMemory(clock, heap);
  await clock.advance(13_000);
  assert.equal(heap.collections, 1);
  await clock.advance(100_000);
  assert.deepEqual([heap.collections, heap.wishes, heap.favoured], [1, 1, false]);
});

test('disposing takes the wish back', async () => {
  const [clock, heap] = [new SteppedClock(), new Heap()];
  const watching = returnSpareMemory(clock, heap);
  await clock.advance(3000);
  watching[Symbol.dispose]();
  assert.equal(heap.favoured, false);
  await clock.advance(60_000);
  assert.equal(heap.wishes, 1);
});
