import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '#api/types';
import { createActivity, SteppedClock } from '#base';
import type { Plugin } from './framework.ts';
import { PodInfo } from './node-info.ts';
import { SchedulingQueue } from './queue.ts';

const pod = (name: string, priority = 0): Pod =>
  ({ metadata: { name, namespace: 'ns', uid: name }, spec: { priority, containers: [] } }) as unknown as Pod;

function world(plugins: readonly Plugin[] = []): {
  queue: SchedulingQueue;
  clock: SteppedClock;
  take: () => Promise<string>;
} {
  const activity = createActivity();
  const clock = new SteppedClock();
  const queue = new SchedulingQueue({ clock, activity }, plugins);
  return { queue, clock, take: async () => (await queue.next())!.info.pod.metadata.name! };
}

test('the highest priority goes first, then who came first', async () => {
  const { queue, take } = world();
  for (const [name, priority] of [
    ['a', 0],
    ['b', 5],
    ['c', 5],
    ['d', -1],
  ] as const)
    queue.set(pod(name, priority));
  assert.deepEqual([await take(), await take(), await take(), await take()], ['b', 'c', 'a', 'd']);
  queue.close();
});

test('a refused pod waits for an event that may help the plugin that refused it, and for its backoff', async () => {
  const { queue, clock, take } = world([{ name: 'picky', mayHelp: event => event.type === 'podDeleted' }]);
  queue.set(pod('a'));
  const entry = (await queue.next())!;
  queue.refused(entry, new Set(['picky']), queue.moveCount);
  queue.changed({ type: 'podAdded', pod: new PodInfo(pod('x')) });
  await clock.advance(5000);
  assert.equal(queue.length, 1);
  queue.changed({ type: 'podDeleted', pod: new PodInfo(pod('x')) });
  assert.equal(await take(), 'a');
  queue.refused(entry, new Set(['picky']), queue.moveCount);
  queue.changed({ type: 'podDeleted', pod: new PodInfo(pod('x')) });
  let taken = false;
  void take().then(() => (taken = true));
  await clock.advance(1900);
  assert.equal(taken, false);
  await clock.advance(200);
  await new Promise(resolve => setImmediate(resolve));
  assert.equal(taken, true);
  queue.close();
});

test('what changed while a pod was being tried is not missed', async () => {
  const { queue, clock, take } = world();
  queue.set(pod('a'));
  const entry = (await queue.next())!;
  const since = queue.moveCount;
  queue.changed({ type: 'other' });
  queue.refused(entry, new Set(['any']), since);
  const next = take();
  await clock.advance(1000);
  assert.equal(await next, 'a');
  queue.close();
});

test('a pod that is gone is not given out, and an old one is tried again whatever happened', async () => {
  const { queue, clock, take } = world([{ name: 'never', mayHelp: () => false }]);
  queue.set(pod('a'));
  queue.set(pod('b'));
  queue.delete('a');
  const entry = (await queue.next())!;
  assert.equal(entry.info.pod.metadata.name, 'b');
  queue.refused(entry, new Set(['never']), queue.moveCount);
  const next = take();
  await clock.advance(6 * 60 * 1000);
  assert.equal(await next, 'b');
  queue.close();
});
