/** What the sqlite engine does when the world is not as it should be. */
import assert from 'node:assert/strict';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { SteppedClock } from '#base';
import type { StorageErrorCode } from '../contract.ts';
import { bytes, create, put, reader, rejectsWith, remove, shown, under } from '../suite/help.ts';
import { restoreSqliteStore } from './restore.ts';
import { openSqliteStore, type SqliteStore, type SqliteStoreOptions } from './sqlite-store.ts';

interface Place {
  readonly path: string;
  readonly clock: SteppedClock;
  open(options?: Partial<SqliteStoreOptions>): Promise<SqliteStore>;
}

async function place(t: TestContext): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'kobune-sqlite-'));
  const path = join(folder, 'store.db');
  const clock = new SteppedClock();
  const opened: SqliteStore[] = [];
  t.after(async () => {
    for (const store of opened) await store.close();
    await rm(folder, { recursive: true });
  });
  const open = async (options: Partial<SqliteStoreOptions> = {}) => {
    const store = await openSqliteStore({ path, clock, ...options });
    opened.push(store);
    return store;
  };
  return { path, clock, open };
}

test('sqlite: everything is there after closing and opening again', async t => {
  const { clock, open } = await place(t);
  let store = await open();
  const first = await create(store, '/a', '1');
  const second = await put(store, '/a', '2');
  await create(store, '/t', 'x', 60);
  await create(store, '/gone', 'x');
  const last = await remove(store, '/gone');
  await store.close();
  store = await open();
  assert.equal(await store.currentRevision(), last);
  assert.equal(shown((await store.get('/a')).kv), `/a=2@${first}/${second}`);
  assert.equal(shown((await store.range({ start: '/a', revision: first })).kvs[0]!), `/a=1@${first}/${first}`);
  await using watch = reader(store, { ...under('/'), afterRevision: second });
  await clock.advance(61_000);
  assert.deepEqual(
    (await watch.take(4)).map(event => `${event.type} ${event.key}`),
    ['put /t', 'put /gone', 'delete /gone', 'delete /t'],
  );
  await store.compact(last + 1);
  await store.close();
  store = await open();
  assert.equal(await store.currentRevision(), last + 1);
  assert.equal(await create(store, '/b', '1'), last + 2);
  assert.deepEqual(await store.verify(), []);
});

test('sqlite: a second server is kept out until the first is gone', async t => {
  const { open } = await place(t);
  const store = await open();
  await rejectsWith('locked', open());
  await create(store, '/a', '1');
  await store.close();
  assert.ok((await (await open()).get('/a')).kv);
});

test('sqlite: what is no sound store of ours is refused and left as it is', async t => {
  const { path, open } = await place(t);
  const store = await open();
  for (let at = 0; at < 200; at++) await put(store, `/a/${at}`, 'x'.repeat(500));
  await store.close();
  const sound = readFileSync(path);
  const refused = async (code: StorageErrorCode, content: Buffer): Promise<void> => {
    writeFileSync(path, content);
    await rejectsWith(code, open());
    assert.equal(Buffer.compare(readFileSync(path), content), 0, 'the file was changed');
  };
  const broken = Buffer.from(sound);
  broken.fill(0xa5, 8192 * 2, 8192 * 5);
  await refused('damaged', broken);
  await refused('damaged', sound.subarray(0, 8192 * 4));
  await refused('damaged', Buffer.from('not a database'));
  await refused('damaged', Buffer.alloc(0));
  const foreign = Buffer.from(sound);
  foreign.writeUInt32BE(1, 68);
  await refused('damaged', foreign);
  const newer = Buffer.from(sound);
  newer.writeUInt32BE(2, 60);
  await refused('newer', newer);
  writeFileSync(path, sound);
  assert.equal((await (await open()).range(under('/a/'))).count, 200);
});

test('sqlite: a value that was altered is told, not served', async t => {
  const { path, open } = await place(t);
  const store = await open();
  await create(store, '/a', '1');
  await create(store, '/b', '1');
  const raw = new DatabaseSync(path, { timeout: 1000 });
  raw.exec("UPDATE history SET value = x'00' WHERE key = '/a'");
  raw.close();
  await rejectsWith('damaged', store.range({ start: '/a' }));
  assert.ok((await store.range({ start: '/b' })).kvs[0]);
  assert.deepEqual(await store.verify(), ['/a at revision 2 does not match its checksum']);
});

test('sqlite: a full disk fails the batch, then refuses writes with a reason until there is space', async t => {
  const { clock, open } = await place(t);
  const store = await open();
  const first = await create(store, '/a', 'x'.repeat(2000));
  await store.limitPages(8);
  const value = bytes('x'.repeat(60_000));
  await using watch = reader(store, { ...under('/'), afterRevision: first });
  const batch = [
    store.txn([{ key: '/b', modRevision: 0 }], [{ type: 'put', key: '/b', value: bytes('1') }]),
    store.txn([{ key: '/b', modRevision: first + 1 }], [{ type: 'put', key: '/b', value }]),
    store.txn([{ key: '/b', modRevision: first + 2 }], [{ type: 'put', key: '/b', value }]),
  ];
  for (const each of batch) await rejectsWith('noSpace', each);
  assert.equal(store.readOnlyReason, 'the disk is full');
  await rejectsWith('readOnly', put(store, '/c', '1'));
  assert.deepEqual(await store.get('/b'), { kv: null, revision: first });
  assert.ok((await store.get('/a')).kv);
  await clock.advance(2000);
  await rejectsWith('noSpace', put(store, '/c', 'x'.repeat(60_000)));
  await store.limitPages(undefined);
  await rejectsWith('readOnly', put(store, '/c', '1'));
  await clock.advance(2000);
  const next = await create(store, '/b', '1');
  assert.ok(next > first + 1, 'a revision was given twice');
  assert.equal(store.readOnlyReason, null);
  assert.deepEqual(
    (await watch.take(1)).map(event => [event.key, event.revision]),
    [['/b', next]],
  );
  assert.deepEqual(await store.verify(), []);
});

test('sqlite: a fault before the commit changes nothing; one after it loses the answer only', async t => {
  const { open } = await place(t);
  const fail = new Set<string>();
  const at = (point: string): void => {
    if (fail.delete(point)) throw new Error(`fault at ${point}`);
  };
  const store = await open({ faults: { at } });
  fail.add('storage.beforeCommit');
  await assert.rejects(create(store, '/a', '1'), /fault at storage.beforeCommit/);
  assert.equal((await store.get('/a')).kv, null);
  fail.add('storage.afterCommit');
  await assert.rejects(create(store, '/a', '1'), /fault at storage.afterCommit/);
  assert.ok((await store.get('/a')).kv);
});

test('sqlite: a worker that cannot go on is fatal; nothing hangs', async t => {
  const { path, open } = await place(t);
  const fatal = Promise.withResolvers<Error>();
  const store = await open({ onFatal: fatal.resolve });
  const iterator = store.watch(under('/'))[Symbol.asyncIterator]();
  const pending = iterator.next();
  const raw = new DatabaseSync(path, { timeout: 1000 });
  raw.exec('ALTER TABLE history RENAME TO elsewhere');
  raw.close();
  await rejectsWith('unavailable', put(store, '/a', '1'));
  assert.match((await fatal.promise).message, /worker ended/);
  assert.equal((await pending).done, true);
  await rejectsWith('closed', put(store, '/a', '1'));
  await rejectsWith('closed', store.get('/a'));
});

test('sqlite: compaction removes rows in steps and goes on after a restart', async t => {
  const { path, open } = await place(t);
  let store = await open();
  for (let round = 0; round < 3; round++)
    await Promise.all(Array.from({ length: 400 }, (_, at) => put(store, `/a/${at}`, `${round}`)));
  const last = await remove(store, '/a/0');
  await store.compact(last);
  await store.close();
  store = await open();
  await create(store, '/b', '1');
  const rows = (): unknown => {
    const raw = new DatabaseSync(path, { readOnly: true });
    const { n } = raw.prepare('SELECT COUNT(*) AS n FROM history').get()!;
    raw.close();
    return n;
  };
  for (let turn = 0; rows() !== 400 && turn < 1000; turn++) await store.get('/b');
  assert.equal(rows(), 400);
  assert.equal((await store.range(under('/a/'))).count, 399);
  assert.deepEqual(await store.verify(), []);
});

test('sqlite: a snapshot is restored with its revision raised and its past forgotten', async t => {
  const { path, open } = await place(t);
  const store = await open();
  const first = await create(store, '/a', '1');
  const { revision } = await store.snapshot(`${path}.snapshot`);
  assert.equal(revision, first);
  await put(store, '/a', '2');
  await store.close();
  assert.throws(() => restoreSqliteStore({ snapshot: `${path}.snapshot`, path }), { code: 'locked' });
  assert.throws(() => restoreSqliteStore({ snapshot: `${path}.lock`, path: `${path}.2` }), { code: 'damaged' });
  const raised = restoreSqliteStore({ snapshot: `${path}.snapshot`, path: `${path}.2` });
  assert.equal(raised, first + 1_000_000);
  const restored = await open({ path: `${path}.2` });
  assert.equal(await restored.currentRevision(), raised);
  assert.equal(shown((await restored.get('/a')).kv), `/a=1@${first}/${first}`);
  await using watch = reader(restored, { ...under('/'), afterRevision: first });
  await rejectsWith('compacted', watch.next());
  assert.equal(await create(restored, '/b', '1'), raised + 1);
  assert.deepEqual(await restored.verify(), []);
});

test('sqlite: a half-made store beside the name is no store', async t => {
  const { path, open } = await place(t);
  writeFileSync(`${path}.new`, 'half');
  const store = await open();
  await create(store, '/a', '1');
  await store.close();
  truncateSync(path, 50);
  await rejectsWith('damaged', open());
});
