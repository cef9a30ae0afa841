import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SteppedClock } from '#base';
import { storageSuite } from '../suite/suite.ts';
import { openSqliteStore } from './sqlite-store.ts';

storageSuite('sqlite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kobune-sqlite-'));
  const clock = new SteppedClock();
  const store = await openSqliteStore({ path: join(folder, 'store.db'), clock });
  const dispose = async () => {
    await store.close();
    await rm(folder, { recursive: true });
  };
  const advance = async (ms: number) => {
    await clock.advance(ms);
    await store.get('/'); // what expired was sent before this, and is decided before it
  };
  return { store, clock, advance, dispose };
});
