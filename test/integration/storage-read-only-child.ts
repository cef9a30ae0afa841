/**
 * A process with a file system of its own at the path that it is given: makes a store, remounts it read-only, tries
 * to open the store there, and says in JSON what came of it and what is there afterwards.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { systemClock, UserError } from '#base';
import { openSqliteStore, StorageError } from '#storage';

const folder = process.argv[2]!;
const path = join(folder, 'store.db');
const remount = (how: 'ro' | 'rw'): void => void execFileSync('mount', ['-o', `remount,${how}`, folder]);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const put = (text: string) => [{ type: 'put' as const, key: '/k', value: bytes(text) }];

const store = await openSqliteStore({ path, clock: systemClock, onFatal: () => {} });
await store.txn([], put('one'));
await store.close();

remount('ro');
const refusal = await openSqliteStore({ path, clock: systemClock, onFatal: () => {} })
  .then(
    opened => opened.txn([], put('two')).finally(() => opened.close()),
    error => error,
  )
  .catch(error => error);
remount('rw');

const again = await openSqliteStore({ path, clock: systemClock, onFatal: () => {} });
const read = new TextDecoder().decode((await again.get('/k')).kv!.value);
await again.txn([], put('three'));
const verified = await again.verify();
await again.close();
process.stdout.write(
  JSON.stringify({
    refused: refusal instanceof StorageError || refusal instanceof UserError,
    reason: refusal instanceof Error ? refusal.message : '',
    read,
    verified,
  }),
);
