import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SteppedClock } from '#base';
import { DiskUsage } from './disk-usage.ts';

test('an answer is kept for its time, for ever when nothing can change, and nobody waits for a second walk', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'kb-usage-'));
  const clock = new SteppedClock();
  const usage = new DiskUsage(clock);
  writeFileSync(join(dir, 'one'), 'x'.repeat(10_000));
  const before = await usage.of(dir);
  const still = await usage.of(`${dir}/.`, { immutable: true });
  assert.equal(before.inodes, 1);
  assert.ok(before.bytes >= 10_000);
  writeFileSync(join(dir, 'two'), 'y');
  assert.deepEqual(await usage.of(dir), before);
  await clock.advance(11_000);
  assert.deepEqual(await usage.of(dir), before, 'the old answer while a walk is under way');
  while ((await usage.of(dir)).inodes === 1) await new Promise(resolve => setImmediate(resolve));
  await clock.advance(100_000_000);
  assert.deepEqual(await usage.of(`${dir}/.`, { immutable: true }), still);
  assert.deepEqual(await usage.of(join(dir, 'missing')), { bytes: 0, inodes: 0 });
  rmSync(dir, { recursive: true });
});
