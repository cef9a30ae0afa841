import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { Slabs, type Stored, viewOf } from './slabs.ts';

test('bytes stay right through moves and releases, and views of released ones too', () => {
  const random = seededRandom(5);
  const slabs = new Slabs();
  const live = new Map<Stored, number>();
  const views: Array<{ view: Uint8Array; fill: number }> = [];
  let expected = 0;
  for (let at = 0; at < 20_000; at++) {
    if (live.size > 0 && random.float() < 0.5) {
      const keys = [...live.keys()].slice(0, 50);
      const stored = keys[Math.floor(random.float() * keys.length)]!;
      if (views.length < 200) views.push({ view: viewOf(stored), fill: live.get(stored)! });
      live.delete(stored);
      expected -= stored.length;
      slabs.release(stored);
    } else {
      const length = random.float() < 0.001 ? 400_000 : Math.floor(random.float() * 3000);
      const fill = at % 251;
      live.set(slabs.put(new Uint8Array(length).fill(fill)), fill);
      expected += length;
    }
  }
  assert.equal(slabs.liveBytes, expected);
  for (const [stored, fill] of live) assert.ok(viewOf(stored).every(byte => byte === fill));
  for (const { view, fill } of views) assert.ok(view.every(byte => byte === fill));
  assert.ok(slabs.sizeBytes <= expected * 2 + (2 << 20), `${slabs.sizeBytes} for ${expected}`);
  for (const stored of live.keys()) slabs.release(stored);
  assert.equal(slabs.liveBytes, 0);
});
