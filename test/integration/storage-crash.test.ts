/**
 * A writing process is killed with SIGKILL fifty times. After each death a model of what it had acknowledged is held
 * against the store: every acknowledged change is there under its revision, no revision was given twice, and a watch
 * resumes from where it was without gap or repeat.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom, systemClock } from '#base';
import { openSqliteStore, prefixEnd, type StorageEvent, type Store } from '#storage';

const kills = 50;
const child = join(import.meta.dirname, 'storage-crash-child.ts');

interface Ack {
  readonly revision: number;
  readonly key: string;
  readonly value: string;
}

/** Runs the writer until some while after its first acknowledgement, kills it, answers what it acknowledged. */
async function runAndKill(args: readonly string[], afterMs: number): Promise<Ack[]> {
  const writer = spawn(process.execPath, [child, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  const begun = Promise.withResolvers<void>();
  writer.stdout.setEncoding('utf8').on('data', chunk => {
    output += chunk;
    begun.resolve();
  });
  const closed = new Promise<void>(resolve => writer.on('close', () => resolve()));
  await Promise.race([begun.promise, closed]);
  await sleep(afterMs);
  writer.kill('SIGKILL');
  await closed;
  assert.equal(writer.signalCode, 'SIGKILL', 'the writer ended by itself');
  const whole = output.slice(0, output.lastIndexOf('\n'));
  return whole.split('\n').map(line => {
    const [revision, key, value] = line.split(' ');
    return { revision: Number(revision), key: key!, value: value! };
  });
}

async function eventsAfter(store: Store, revision: number): Promise<StorageEvent[]> {
  const events: StorageEvent[] = [];
  const until = await store.currentRevision();
  if (until === revision) return events;
  for await (const batch of store.watch({ start: '/crash/', end: prefixEnd('/crash/'), afterRevision: revision })) {
    events.push(...batch.events);
    if (batch.revision >= until) break;
  }
  return events;
}

const told = ({ kv }: StorageEvent): string => (kv ? new TextDecoder().decode(kv.value).split(' ')[0]! : '-');

test(`a store whose writer is killed ${kills} times has everything that was acknowledged`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kobune-crash-'));
  const path = join(folder, 'store.db');
  const random = seededRandom(7);
  let cursor = 1;
  let acknowledged = 0;
  try {
    for (let run = 0; run < kills; run++) {
      const acks = await runAndKill([path, `run${run}`, String(cursor)], random.float() * 150);
      const store = await openSqliteStore({ path, clock: systemClock });
      try {
        const events = await eventsAfter(store, cursor);
        const current = await store.currentRevision();
        assert.deepEqual(
          events.map(event => event.revision),
          Array.from({ length: current - cursor }, (_, at) => cursor + 1 + at),
          'a gap or a repeat in the resumed watch',
        );
        const byRevision = new Map(events.map(event => [event.revision, event]));
        const writes = acks.filter(ack => ack.value !== '-' || byRevision.get(ack.revision)?.type === 'delete');
        for (const { revision, key, value } of writes.filter(ack => ack.value !== '-')) {
          const event = byRevision.get(revision);
          assert.ok(event, `revision ${revision} was acknowledged and is lost`);
          assert.equal(`${event.key} ${told(event)}`, `${key} ${value}`, `revision ${revision} is another change`);
        }
        acknowledged += writes.length;
        cursor = current;
      } finally {
        await store.close();
      }
    }
    const store = await openSqliteStore({ path, clock: systemClock });
    assert.deepEqual(await store.verify(), []);
    await store.close();
    assert.ok(acknowledged > kills * 20, `only ${acknowledged} writes: the test is blind`);
  } finally {
    await rm(folder, { recursive: true });
  }
});
