/**
 * Reads as generators: each step takes a few milliseconds at most and hands out a piece, so that commits go on in
 * between. They run on the reader's connection, whose statement sees the file as it was when the read began.
 */
import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { StorageError } from '../contract.ts';
import { type Head, readMeta } from './head.ts';
import {
  type ChangeMessage,
  type ChangesMessage,
  lastIdOf,
  type RangeMessage,
  type RowMessage,
  revisionOf,
} from './protocol.ts';

/** A piece ends after so many rows or bytes, whichever comes first. */
const pieceRows = 500;
const pieceBytes = 256 << 10;

const noBytes = new Uint8Array(0);

export interface RangeDone {
  readonly revision: number;
  readonly count: number;
  readonly more: boolean;
}

interface Row {
  key: string;
  id: number;
  deleted: number;
  create_rev: number;
  sum: number;
  value: Uint8Array;
}

/** Throws `compacted` or `futureRevision` at the first step; `damaged` when a row's checksum does not hold. */
export function* readRange(db: DatabaseSync, head: Head, range: RangeMessage): Generator<RowMessage[], RangeDone> {
  const revision = range.revision ?? head.durable;
  assertReadable(db, head, revision);
  const isNow = revision === head.durable;
  const knownCount = isNow && range.count ? head.count(range.start, range.end) : undefined;
  if (range.countOnly && knownCount !== undefined) return { revision, count: knownCount, more: false };
  const values = !range.keysOnly && !range.countOnly;
  let rows: RowMessage[] = [];
  let bytes = 0;
  let count = 0;
  let more = false;
  for (const each of select(db, range, lastIdOf(revision), values)) {
    const row = each as unknown as Row;
    if (row.deleted) continue;
    count++;
    if (range.limit > 0 && count > range.limit) {
      more = true;
      if (!range.count || knownCount !== undefined) break;
      if (count % 10_000 === 0) yield [];
      continue;
    }
    if (range.countOnly) continue;
    rows.push({
      key: row.key,
      createRevision: row.create_rev,
      modRevision: revisionOf(row.id),
      value: values ? checked(row.key, row.sum, row.value) : noBytes,
    });
    bytes += values ? row.value.length : 0;
    if (rows.length < pieceRows && bytes < pieceBytes) continue;
    yield rows;
    rows = [];
    bytes = 0;
  }
  if (rows.length > 0) yield rows;
  return { revision, count: range.count ? (knownCount ?? count) : Math.min(count, range.limit || count), more };
}

function select(db: DatabaseSync, range: RangeMessage, lastId: number, values: boolean): Iterable<unknown> {
  const where = range.end === undefined ? 'key = ?' : 'key >= ? AND key < ?';
  const keys = range.end === undefined ? [range.start] : [range.start, range.end];
  // The bare columns are those of the row with the greatest id.
  const newest = `SELECT key, MAX(id) AS id, deleted, create_rev FROM history WHERE ${where} AND id <= ? GROUP BY key`;
  if (!values) return db.prepare(newest).iterate(...keys, lastId);
  const joined = `SELECT n.key, n.id, n.deleted, n.create_rev, h.sum, h.value FROM (${newest}) n JOIN history h ON h.id = n.id`;
  return db.prepare(joined).iterate(...keys, lastId);
}

/** Changes with `after < revision <= upTo`; a piece never ends inside a revision. */
export function* readChanges(db: DatabaseSync, head: Head, options: ChangesMessage): Generator<ChangeMessage[]> {
  assertReadable(db, head, options.after);
  const where = options.end === undefined ? 'h.key = ?' : 'h.key >= ? AND h.key < ?';
  const keys = options.end === undefined ? [options.start] : [options.start, options.end];
  const statement = db.prepare(
    `SELECT h.id, h.key, h.create_rev, h.deleted, h.sum, h.value, p.id AS prev, p.create_rev AS prev_create,
     p.sum AS prev_sum, p.value AS prev_value FROM history h LEFT JOIN history p ON p.id = h.prev
     WHERE h.id > ? AND h.id <= ? AND ${where} ORDER BY h.id`,
  );
  let changes: ChangeMessage[] = [];
  let bytes = 0;
  for (const each of statement.iterate(lastIdOf(options.after), lastIdOf(options.upTo), ...keys)) {
    const row = each as unknown as Row & {
      prev: number | null;
      prev_create: number;
      prev_sum: number;
      prev_value: Uint8Array;
    };
    const revision = revisionOf(row.id);
    if ((changes.length >= pieceRows || bytes >= pieceBytes) && changes.at(-1)!.revision < revision) {
      yield changes;
      changes = [];
      bytes = 0;
    }
    const prev =
      row.prev === null
        ? null
        : {
            key: row.key,
            createRevision: row.prev_create,
            modRevision: revisionOf(row.prev),
            value: checked(row.key, row.prev_sum, row.prev_value),
          };
    const value = row.deleted ? null : checked(row.key, row.sum, row.value);
    changes.push({ key: row.key, revision, createRevision: row.create_rev, value, prev });
    bytes += row.value.length + (prev?.value.length ?? 0);
  }
  if (changes.length > 0) yield changes;
}

function assertReadable(db: DatabaseSync, head: Head, revision: number): void {
  if (revision > head.durable)
    throw new StorageError('futureRevision', `revision ${revision} is newer than the store's ${head.durable}`);
  const { compacted } = readMeta(db);
  if (revision < compacted)
    throw new StorageError('compacted', `revision ${revision} is compacted; oldest is ${compacted}`);
}

function checked(key: string, sum: number, value: Uint8Array): Uint8Array {
  if (crc32(value) !== sum) throw new StorageError('damaged', `the value of ${key} does not match its checksum`);
  return value;
}
