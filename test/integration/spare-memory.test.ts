/** What V8 does when it is told that a burst is over: the real collector, in a process of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommand } from '../support/program.ts';

/** Fills the heap with what is soon garbage, rests, and prints the heap's size in MB after the burst and at the end. */
const program = `
  import { processHeap, returnSpareMemory, systemClock } from '#base';
  const heap = processHeap();
  let recent = [];
  for (let at = 0; at < 4_000_000; at++) {
    recent.push({ at, list: [at] });
    if (recent.length > 400_000) recent = recent.slice(350_000);
  }
  recent = [];
  const after = heap.sizeBytes();
  using _ = returnSpareMemory(systemClock, heap);
  for (let waited = 0; waited < 60 && heap.sizeBytes() > after / 3; waited++)
    await new Promise(resolve => setTimeout(resolve, 1000));
  console.log(JSON.stringify([after >> 20, heap.sizeBytes() >> 20]));
`;

test('the heap of a process that rests after a burst shrinks by itself', async () => {
  const { stdout, stderr } = await runCommand(process.execPath, ['--input-type=module', '-e', program], {
    timeoutMs: 90_000,
  });
  assert.equal(stderr, '');
  const [after = 0, atLast = 0] = JSON.parse(stdout) as number[];
  assert.ok(after > 60, `a burst that takes ${after} MB tells nothing`);
  assert.ok(atLast < after / 3, `${after} MB, then ${atLast} MB`);
});
