/**
 * The sqlite engine on files that a crash of the machine left torn, on a log with flipped bits, and on a file system that
 * takes no writes: what opens is a beginning of what was written, whole and in order, and goes on from there; what cannot
 * be written is refused with a reason. What was flushed stays, so nothing acknowledged is lost by a process that dies
 * (storage-crash); a disk that forgets what it said was safe can take the end away, never the middle.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom, systemClock } from '#base';
import { openSqliteStore, prefixEnd } from '#storage';
import { noOwnDisk, onOwnDisk } from '../support/own-disk.ts';

const child = join(import.meta.dirname, 'storage-crash-child.ts');
const writableChild = join(import.meta.dirname, 'storage-read-only-child.ts');
const random = seededRandom(11);

/** By revision: `key value` as it was acknowledged. */
async function writeAndKill(path: string): Promise<Map<number, string>> {
  const writer = spawn(process.execPath, [child, path, 'damage', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  writer.stdout.setEncoding('utf8').on('data', text => (output += text));
  const closed = new Promise<void>(resolve => writer.on('close', () => resolve()));
  while (output.split('\n').length < 600) await pause(20);
  writer.kill('SIGKILL');
  await closed;
  const acknowledged = new Map<number, string>();
  for (const line of output.slice(0, output.lastIndexOf('\n')).split('\n')) {
    const [revision, key, value] = line.split(' ');
    // A delete of what is not there changes nothing, and is answered with a revision of something else.
    if (value !== '-') acknowledged.set(Number(revision), `${key} ${value}`);
  }
  return acknowledged;
}

describe('a store whose files were damaged', () => {
  let folder: string;
  let original: string;
  let acknowledged: Map<number, string>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kobune-damage-'));
    original = join(folder, 'original');
    execFileSync('mkdir', [original]);
    acknowledged = await writeAndKill(join(original, 'store.db'));
    assert.ok(statSync(join(original, 'store.db-wal')).size > 100_000, 'the log holds what was written last');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Opens what is there, holds it against what was acknowledged, and writes on. Answers the last revision found. */
  async function opensAsBeginning(path: string): Promise<number> {
    const store = await openSqliteStore({ path, clock: systemClock });
    try {
      const last = await store.currentRevision();
      const found: number[] = [];
      if (last > 1) {
        const range = { start: '/crash/', end: prefixEnd('/crash/') };
        for await (const { events, revision } of store.watch({ ...range, afterRevision: 1 })) {
          for (const { key, kv, revision: at } of events) {
            found.push(at);
            const value = kv ? new TextDecoder().decode(kv.value).split(' ')[0] : '-';
            const expected = acknowledged.get(at);
            if (expected) assert.equal(`${key} ${value}`, expected);
          }
          if (revision >= last) break;
        }
      }
      assert.deepEqual(
        found,
        Array.from({ length: last - 1 }, (_, at) => at + 2),
        'something is missing in the middle',
      );
      assert.deepEqual(await store.verify(), []);
      const written = await store.txn([], [{ type: 'put', key: '/crash/after', value: new Uint8Array([1]) }]);
      assert.ok(written.revision > last);
      return last;
    } finally {
      await store.close();
    }
  }

  it('a log that was torn anywhere opens as what was written before', async () => {
    const size = statSync(join(original, 'store.db-wal')).size;
    const lasts: number[] = [];
    for (const at of [0, 1, 31, 32, 33, 4096, ...Array.from({ length: 14 }, () => Math.floor(random.float() * size))]) {
      const copy = join(folder, `torn-${at}`);
      await cp(original, copy, { recursive: true });
      truncateSync(join(copy, 'store.db-wal'), at);
      await rm(join(copy, 'store.db-shm'), { force: true });
      lasts.push(await opensAsBeginning(join(copy, 'store.db')));
      await rm(copy, { recursive: true });
    }
    assert.ok(new Set(lasts).size > 5, `the cuts made no difference: ${lasts}`);
  });

  it('a log with a flipped bit opens as what was written before it', async () => {
    const bytes = readFileSync(join(original, 'store.db-wal'));
    const lasts: number[] = [];
    for (let turn = 0; turn < 12; turn++) {
      const copy = join(folder, `flipped-${turn}`);
      await cp(original, copy, { recursive: true });
      const at = Math.floor(random.float() * bytes.length);
      const file = openSync(join(copy, 'store.db-wal'), 'r+');
      writeSync(file, Buffer.from([bytes[at]! ^ (1 << (turn % 8))]), 0, 1, at);
      closeSync(file);
      await rm(join(copy, 'store.db-shm'), { force: true });
      lasts.push(await opensAsBeginning(join(copy, 'store.db')));
      await rm(copy, { recursive: true });
    }
    assert.ok(new Set(lasts).size > 3, `the bits made no difference: ${lasts}`);
  });

  it('a flipped bit in the file itself is found by verify or refused, and never served as something else', async () => {
    const path = join(folder, 'settled', 'store.db');
    await cp(original, join(folder, 'settled'), { recursive: true });
    await opensAsBeginning(path);
    const bytes = readFileSync(path);
    const range = { start: '/crash/', end: prefixEnd('/crash/') };
    let told = 0;
    for (let turn = 0; turn < 20; turn++) {
      const damaged = Buffer.from(bytes);
      const at = 4096 + Math.floor(random.float() * (bytes.length - 4096));
      damaged[at]! ^= 1 << (turn % 8);
      const copy = join(folder, `bit-${turn}.db`);
      writeFileSync(copy, damaged);
      try {
        const store = await openSqliteStore({ path: copy, clock: systemClock, onFatal: () => {} });
        const problems = await store.verify();
        try {
          const { kvs } = await store.range(range);
          for (const { key, value, modRevision } of kvs) {
            const expected = acknowledged.get(modRevision);
            const is = `${key} ${new TextDecoder().decode(value).split(' ')[0]}`;
            if (expected && is !== expected) assert.fail(`${is} is served for ${expected}`);
          }
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error;
          told++;
        }
        if (problems.length > 0) told++;
        await store.close().catch(() => {});
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        told++;
      }
    }
    assert.ok(told > 0, 'no damage was ever told');
  });
});

describe('a file system that takes no writes', { skip: noOwnDisk() }, () => {
  it('is no place for a store: it is refused with the reason, and everything is there when it can be written again', async () => {
    const told = (await onOwnDisk(writableChild)) as Record<string, unknown>;
    const { refused, reason, read, verified } = told;
    assert.equal(refused, true, String(reason));
    assert.match(String(reason), /read-?only/);
    assert.deepEqual([read, verified], ['one', []]);
  });
});
