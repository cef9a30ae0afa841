import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SteppedClock, silentLogger } from '#base';
import { createFakeEngine } from '#cri/fake';
import { ImageCollector } from './image-gc.ts';

test('unused images go when the disk is full, the longest unused first, and never young ones', async () => {
  const clock = new SteppedClock();
  await using engine = createFakeEngine({ clock, images: ['a:1', 'b:1', 'c:1'] });
  const disk = { capacityBytes: 10_000, availableBytes: 5000 };
  const settings = { highPercent: 85, lowPercent: 80, minimumAgeMs: 1000, maximumAgeMs: 0 };
  const collector = new ImageCollector({ engine, clock, logger: silentLogger, disk: async () => disk }, settings);
  assert.equal(await collector.collect(), 0);
  disk.availableBytes = 1200;
  assert.equal(await collector.collect(), 0);
  await clock.advance(2000);
  assert.equal(await collector.collect(), 1000);
  assert.equal((await engine.images.listImages()).length, 2);
});

test('images unused for too long go in any case', async () => {
  const clock = new SteppedClock();
  await using engine = createFakeEngine({ clock, images: ['a:1'] });
  const disk = async () => ({ capacityBytes: 100, availableBytes: 90 });
  const settings = { highPercent: 85, lowPercent: 80, minimumAgeMs: 0, maximumAgeMs: 5000 };
  const collector = new ImageCollector({ engine, clock, logger: silentLogger, disk }, settings);
  await collector.collect();
  await clock.advance(6000);
  await collector.collect();
  assert.deepEqual(await engine.images.listImages(), []);
});
