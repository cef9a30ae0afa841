/**
 * Compaction in small steps. The mark is set first, so that nobody reads what is going; then the rows that were
 * superseded at or before it are removed a few hundred at a time, each step its own transaction that also notes how
 * far it came. A crash costs nothing: the rest is swept after the next start.
 */
import type { DatabaseSync } from 'node:sqlite';
import { StorageError } from '../contract.ts';
import { type Head, readMeta } from './head.ts';
import { lastIdOf } from './protocol.ts';

const stepRows = 200;
const vacuumPages = 64;
/** Free pages up to this share of the file are left for later rows. */
const keptFreeShare = 0.25;

/** Sets the mark; false when it already stood there or later. */
export function markCompacted(db: DatabaseSync, head: Head, revision: number): boolean {
  if (revision > head.durable)
    throw new StorageError('futureRevision', `revision ${revision} is newer than the store's ${head.durable}`);
  if (revision <= head.compacted) return false;
  db.prepare("UPDATE meta SET value = ? WHERE name = 'compacted'").run(revision);
  head.forget(revision);
  return true;
}

/** Removes rows up to the mark, a step at each call of `next`; answers how many were removed. */
export function* sweep(db: DatabaseSync): Generator<void, number> {
  let removed = 0;
  const rows = db.prepare('SELECT id, prev, deleted FROM history WHERE id > ? AND id <= ? ORDER BY id LIMIT ?');
  const remove = db.prepare('DELETE FROM history WHERE id = ?');
  const note = db.prepare("UPDATE meta SET value = ? WHERE name = 'swept'");
  for (;;) {
    const { compacted, swept } = readMeta(db);
    const last = lastIdOf(compacted);
    if (compacted === 0 || swept >= last) break;
    const found = rows.all(swept, last, stepRows) as unknown as Array<{
      id: number;
      prev: number;
      deleted: number;
    }>;
    db.exec('BEGIN IMMEDIATE');
    try {
      for (const { id, prev, deleted } of found) {
        if (prev > 0) removed += Number(remove.run(prev).changes);
        if (deleted) removed += Number(remove.run(id).changes);
      }
      note.run(found.length < stepRows ? last : found.at(-1)!.id);
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
    yield;
  }
  yield* shrink(db);
  return removed;
}

/** Gives free pages back to the disk when there are many. */
function* shrink(db: DatabaseSync): Generator<void> {
  const pragma = (name: string): number => Number(Object.values(db.prepare(`PRAGMA ${name}`).get()!)[0]);
  while (pragma('freelist_count') > Math.max(256, pragma('page_count') * keptFreeShare)) {
    db.prepare(`PRAGMA incremental_vacuum(${vacuumPages})`).all();
    yield;
  }
}
