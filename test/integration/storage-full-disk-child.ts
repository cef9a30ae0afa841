/**
 * Fills the disk that it is given through the store, frees some space, and writes again. Prints what happened as JSON.
 * Arguments: folder, with a file `ballast` in it.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '#base';
import { openSqliteStore, type StorageError } from '#storage';

const folder = process.argv[2]!;
const options = { path: join(folder, 'store.db'), clock: systemClock };
const value = new Uint8Array(20_000).fill(1);
let store = await openSqliteStore(options);
let acknowledged = 0;
const codes: string[] = [];
while (codes.length < 50) {
  try {
    await store.txn([], [{ type: 'put', key: `/full/${acknowledged}`, value }]);
    acknowledged++;
  } catch (error) {
    codes.push((error as StorageError).code);
  }
}
const range = { start: '/full/', end: '/full0', countOnly: true };
const readable = (await store.range(range)).count;
const reason = store.readOnlyReason;
rmSync(join(folder, 'ballast'));
await sleep(1100);
const after = await store.txn([], [{ type: 'put', key: '/after', value }]);
const reasonAfter = store.readOnlyReason;
await store.close();
store = await openSqliteStore(options);
const stored = (await store.range(range)).count;
const problems = await store.verify();
await store.close();
const firsts = [...new Set(codes)];
console.log(JSON.stringify({ acknowledged, firsts, readable, reason, after: after.ok, reasonAfter, stored, problems }));
