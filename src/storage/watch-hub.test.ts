import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StorageEvent } from './contract.ts';
import { WatchHub } from './watch-hub.ts';

const event = (revision: number, key = '/a'): StorageEvent => ({ type: 'delete', key, revision, kv: null, prev: null });

test('a watch that is aborted, left, or never read holds nothing', async () => {
  const hub = new WatchHub({ changes: () => assert.fail('no history is needed') }, 1);
  const abort = new AbortController();
  const aborted = hub.watch({ start: '/', end: '0', signal: abort.signal })[Symbol.asyncIterator]();
  const pending = aborted.next();
  hub.publish(2, [event(2)]);
  assert.equal((await pending).value.revision, 2);
  const left = hub.watch({ start: '/', end: '0' });
  const unread = hub.watch({ start: '/', end: '0' })[Symbol.asyncIterator]();
  assert.equal(hub.size, 3);
  abort.abort();
  assert.equal(hub.size, 2);
  hub.publish(3, [event(3)]);
  for await (const batch of left) {
    assert.deepEqual(batch, { revision: 3, events: [event(3)] });
    break;
  }
  await unread.return?.();
  assert.equal(hub.size, 0);
  assert.equal((await aborted.next()).done, true);
});

test('whoever reads late gets one batch of all that waits, without what is out of its range', async () => {
  const hub = new WatchHub({ changes: () => assert.fail('no history is needed') }, 1);
  const iterator = hub.watch({ start: '/a' })[Symbol.asyncIterator]();
  for (let revision = 2; revision < 6; revision++) hub.publish(revision, [event(revision, revision % 2 ? '/a' : '/b')]);
  assert.deepEqual((await iterator.next()).value, { revision: 5, events: [event(3), event(5)] });
  hub.close();
  assert.equal((await iterator.next()).done, true);
});
