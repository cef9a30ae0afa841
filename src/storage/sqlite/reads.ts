/**
 * Reads as generators: each step takes a few milliseconds at most and hands out a piece, so that commits go on in
 * between. Which rows a read needs is known from the head when it begins; rows never change, so it is consistent, and
 * if compaction overtakes it, it says so.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { StorageError } from '../contract.ts';
import { inRange } from '../watch-hub.ts';
import type { Head, RecentRow } from './head.ts';
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
/** Rows passed over in one step. */
const scanRows = 20_000;

const noBytes = new Uint8Array(0);

export interface RangeDone {
  readonly revision: number;
  readonly count: number;
  readonly more: boolean;
}

interface Row {
  readonly createRevision: number;
  readonly deleted: boolean;
  readonly value: Uint8Array;
}

/** Rows by id on a connection of their own. */
export class RowReader {
  readonly #whole: StatementSync;
  readonly #createRevision: StatementSync;

  constructor(db: DatabaseSync) {
    this.#whole = db.prepare('SELECT create_rev, deleted, sum, value FROM history WHERE id = ?');
    this.#whole.setReturnArrays(true);
    this.#createRevision = db.prepare('SELECT create_rev FROM history WHERE id = ?');
    this.#createRevision.setReturnArrays(true);
  }

  /** Undefined when compaction removed it. Throws `damaged` when its checksum does not hold. */
  row(key: string, id: number): Row | undefined {
    const found = this.#whole.get(id) as unknown as [number, number, number, Uint8Array] | undefined;
    if (!found) return undefined;
    const [createRevision, deleted, sum, value] = found;
    if (crc32(value) !== sum) throw new StorageError('damaged', `the value of ${key} does not match its checksum`);
    return { createRevision, deleted: deleted === 1, value };
  }

  createRevision(id: number): number | undefined {
    return (this.#createRevision.get(id) as unknown as [number] | undefined)?.[0];
  }
}

/** Throws `compacted` or `futureRevision`; `damaged` when a row's checksum does not hold. */
export function* readRange(reader: RowReader, head: Head, range: RangeMessage): Generator<RowMessage[], RangeDone> {
  const revision = range.revision ?? head.durable;
  assertReadable(head, revision);
  const { rows, count } = head.rowsAt(range, revision, range.countOnly ? 1 : range.limit);
  if (range.countOnly) return { revision, count, more: false };
  let piece: RowMessage[] = [];
  let bytes = 0;
  for (const { key, id, createRevision } of rows) {
    const modRevision = revisionOf(id);
    if (range.keysOnly) {
      const known = createRevision ?? reader.createRevision(id);
      if (known === undefined) throw overtaken(revision, head);
      piece.push({ key, createRevision: known, modRevision, value: noBytes });
    } else {
      const row = reader.row(key, id);
      if (!row) throw overtaken(revision, head);
      piece.push({ key, createRevision: row.createRevision, modRevision, value: row.value });
      bytes += row.value.length;
    }
    if (piece.length < pieceRows && bytes < pieceBytes) continue;
    yield piece;
    piece = [];
    bytes = 0;
  }
  if (piece.length > 0) yield piece;
  return { revision, count, more: rows.length < count };
}

/** Changes with `after < revision <= upTo`; a piece never ends inside a revision. */
export function* readChanges(reader: RowReader, head: Head, options: ChangesMessage): Generator<ChangeMessage[]> {
  const range = options.end === undefined ? { start: options.start } : { start: options.start, end: options.end };
  const last = lastIdOf(options.upTo);
  let done = lastIdOf(options.after);
  while (done < last) {
    assertReadable(head, revisionOf(done));
    const changes: ChangeMessage[] = [];
    let bytes = 0;
    const first = head.firstAfter(done);
    for (let at = first; ; at++) {
      const row = head.recentAt(at);
      if (!row || row.id > last) {
        done = last;
        break;
      }
      const full = changes.length >= pieceRows || bytes >= pieceBytes || at - first >= scanRows;
      if (full && revisionOf(row.id) > revisionOf(done)) break;
      done = row.id;
      if (!inRange(row.key, range)) continue;
      const change = changeOf(reader, head, row);
      changes.push(change);
      bytes += (change.value?.length ?? 0) + (change.prev?.value.length ?? 0);
    }
    yield changes;
  }
}

function changeOf(reader: RowReader, head: Head, { key, id, prev }: RecentRow): ChangeMessage {
  const revision = revisionOf(id);
  const row = reader.row(key, id);
  if (!row) throw overtaken(revision, head);
  const before = prev > 0 ? reader.row(key, prev) : undefined;
  return {
    key,
    revision,
    createRevision: row.createRevision,
    value: row.deleted ? null : row.value,
    prev: before
      ? { key, createRevision: before.createRevision, modRevision: revisionOf(prev), value: before.value }
      : null,
  };
}

function assertReadable(head: Head, revision: number): void {
  if (revision > head.durable)
    throw new StorageError('futureRevision', `revision ${revision} is newer than the store's ${head.durable}`);
  if (revision < head.compacted) throw overtaken(revision, head);
}

function overtaken(revision: number, head: Head): StorageError {
  return new StorageError('compacted', `revision ${revision} is compacted; oldest is ${head.compacted}`);
}
