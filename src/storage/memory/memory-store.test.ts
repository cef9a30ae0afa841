import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SteppedClock } from '#base';
import { create, put, reader, shown, under } from '../suite/help.ts';
import { storageSuite } from '../suite/suite.ts';
import { createMemoryStore, openMemoryStore } from './memory-store.ts';

storageSuite('memory', async () => {
  const clock = new SteppedClock();
  const store = createMemoryStore({ clock });
  return { store, clock, advance: ms => clock.advance(ms), dispose: () => store.close() };
});

test('memory: a fork has the same past and another future', async () => {
  const clock = new SteppedClock();
  const store = createMemoryStore({ clock });
  const first = await create(store, '/a', '1');
  await put(store, '/a', '2');
  const fork = store.fork();
  assert.equal(await put(fork, '/a', 'fork'), await put(store, '/a', 'origin'));
  assert.equal(shown((await fork.get('/a')).kv), `/a=fork@${first}/${first + 2}`);
  assert.equal(shown((await store.get('/a')).kv), `/a=origin@${first}/${first + 2}`);
  assert.equal(shown((await fork.range({ start: '/a', revision: first })).kvs[0]!), `/a=1@${first}/${first}`);
  assert.deepEqual(await fork.verify(), []);
});

test('memory: a refused commit changes nothing; a lost answer does', async () => {
  const fail = new Set<string>();
  const faults = {
    at(point: string): void {
      if (fail.delete(point)) throw new Error(`fault at ${point}`);
    },
  };
  const store = createMemoryStore({ clock: new SteppedClock(), faults });
  await using watch = reader(store, under('/'));
  fail.add('storage.beforeCommit');
  await assert.rejects(create(store, '/a', '1'), /fault at storage.beforeCommit/);
  assert.equal((await store.get('/a')).kv, null);
  fail.add('storage.afterCommit');
  await assert.rejects(create(store, '/a', '2'), /fault at storage.afterCommit/);
  assert.equal((await watch.take(1))[0]?.key, '/a');
  assert.ok((await store.get('/a')).kv);
});

test('memory: a delayed commit keeps its place', async () => {
  const gates: Array<() => void> = [];
  const faults = {
    at: (point: string) => (point === 'storage.beforeCommit' ? new Promise<void>(r => gates.push(r)) : undefined),
  };
  const store = createMemoryStore({ clock: new SteppedClock(), faults });
  const first = create(store, '/a', '1');
  const second = put(store, '/a', '2');
  gates.shift()!();
  const created = await first;
  gates.shift()!();
  assert.equal(await second, created + 1);
  assert.equal(shown((await store.get('/a')).kv), `/a=2@${created}/${created + 1}`);
});

test('memory: a snapshot opens as a store that ends what was to end', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kobune-memory-'));
  try {
    const clock = new SteppedClock();
    const store = createMemoryStore({ clock });
    const created = await create(store, '/a', '1');
    await create(store, '/t', '1', 60);
    const { revision } = await store.snapshot(join(folder, 'snap'));
    const opened = await openMemoryStore({ clock, snapshot: join(folder, 'snap') });
    assert.equal(await opened.currentRevision(), revision);
    assert.equal(shown((await opened.get('/a')).kv), `/a=1@${created}/${created}`);
    await clock.advance(60_000);
    assert.equal((await opened.get('/t')).kv, null);
  } finally {
    await rm(folder, { recursive: true });
  }
});
