import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { SteppedClock } from '#base';
import { StorageError } from '../contract.ts';
import { storageSuite } from '../suite/suite.ts';
import { openSqliteStore, type SqliteStore } from './sqlite-store.ts';

/** A store with its worker takes a while to start, so the cases share one, emptied in between, until one closes it. */
interface Shared {
  readonly store: SqliteStore;
  readonly clock: SteppedClock;
  readonly folder: string;
}

let shared: Shared | undefined;

async function open(): Promise<Shared> {
  const folder = await mkdtemp(join(tmpdir(), 'kobune-sqlite-'));
  const clock = new SteppedClock();
  return { store: await openSqliteStore({ path: join(folder, 'store.db'), clock }), clock, folder };
}

async function close({ store, folder }: Shared): Promise<void> {
  await store.close();
  await rm(folder, { recursive: true });
}

/** False when the case closed the store. */
async function wipe(store: SqliteStore): Promise<boolean> {
  try {
    const { kvs } = await store.range({ start: '\x01', end: '\uffff', keysOnly: true });
    for (let at = 0; at < kvs.length; at += 500)
      await store.txn(
        [],
        kvs.slice(at, at + 500).map(({ key }) => ({ type: 'delete', key })),
      );
    return true;
  } catch (error) {
    if (error instanceof StorageError && error.code === 'closed') return false;
    throw error;
  }
}

storageSuite('sqlite', async () => {
  const mine = (shared ??= await open());
  const { store, clock } = mine;
  const advance = async (ms: number) => {
    await clock.advance(ms);
    await store.range({ start: '/' }); // what expired was sent before this, and is decided before it
  };
  const dispose = async () => {
    if (await wipe(store)) return;
    shared = undefined;
    await close(mine);
  };
  return { store, clock, advance, dispose };
});

after(() => shared && close(shared));
