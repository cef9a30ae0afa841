/**
 * Decides transactions against the head and writes a batch of them as one transaction of the file: all that waits
 * shares one sync. If the file refuses, the whole batch fails and the head goes back to what is on disk.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import type { Head } from './head.ts';
import {
  type AppliedChange,
  idsPerRevision,
  type OpMessage,
  type Outcome,
  type RowMessage,
  revisionOf,
  type TxnMessage,
} from './protocol.ts';

/** One message of transactions with its bytes. */
export interface Incoming {
  readonly txns: readonly TxnMessage[];
  readonly bytes: Uint8Array;
  /** Whether previous values are wanted. */
  readonly prev: boolean;
}

const pageBytes = 8192;

/** See the file header. Used by one thread only. */
export class Committer {
  readonly #head: Head;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  readonly #insert: StatementSync;
  readonly #valueAt: StatementSync;
  readonly #db: DatabaseSync;
  /** Bytes put into the write-ahead log since the last checkpoint, estimated. */
  walBytes = 0;

  constructor(db: DatabaseSync, head: Head) {
    this.#db = db;
    this.#head = head;
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
    this.#rollback = db.prepare('ROLLBACK');
    this.#insert = db.prepare(
      'INSERT INTO history (id, key, create_rev, prev, deleted, expires, sum, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#valueAt = db.prepare('SELECT value FROM history WHERE id = ?');
  }

  /** Outcomes in order, all durable; throws SQLite's error when none is. */
  run(batch: readonly Incoming[]): Outcome[] {
    const outcomes: Outcome[] = [];
    try {
      for (const message of batch) for (const txn of message.txns) outcomes.push(this.#decide(txn, message));
      if (this.#db.isTransaction) {
        this.#commit.run();
        this.walBytes += 2 * pageBytes;
      }
      this.#head.keep();
      return outcomes;
    } catch (error) {
      this.#head.rollBack();
      if (this.#db.isTransaction) this.#rollback.run();
      throw error;
    }
  }

  /** The newest state of a key as a row; null when it does not exist. */
  current(key: string): RowMessage | null {
    const entry = this.#head.get(key);
    if (!entry) return null;
    const { createRevision } = entry;
    return { key, createRevision, modRevision: revisionOf(entry.id), value: this.#value(entry.id) };
  }

  #decide(txn: TxnMessage, message: Incoming): Outcome {
    const head = this.#head;
    for (const { key, modRevision } of txn.preconditions) {
      if (head.modRevision(key) === modRevision) continue;
      const current = txn.preconditions.map(each => this.current(each.key));
      return { ok: false, revision: head.assigned, current };
    }
    const changes: AppliedChange[] = [];
    const revision = head.assigned + 1;
    txn.ops.forEach((op, at) => {
      if (op.at < 0 && !head.get(op.key)) return;
      changes.push(this.#apply(op, at, revision * idsPerRevision + changes.length, message));
    });
    if (changes.length > 0) head.assigned = revision;
    return { ok: true, revision: head.assigned, changes };
  }

  #apply(op: OpMessage, at: number, id: number, message: Incoming): AppliedChange {
    const { key } = op;
    const before = this.#head.get(key);
    const createRevision = before?.createRevision ?? revisionOf(id);
    const value = op.at < 0 ? new Uint8Array(0) : message.bytes.subarray(op.at, op.at + op.length);
    if (!this.#db.isTransaction) this.#begin.run();
    const deleted = op.at < 0 ? 1 : 0;
    this.#insert.run(id, key, createRevision, before?.id ?? 0, deleted, op.expiresMs, crc32(value), value);
    this.walBytes += value.length + 64;
    if (deleted) this.#head.delete(key, id);
    else this.#head.put({ key, id, createRevision });
    const prevValue = before && message.prev ? this.#value(before.id) : null;
    return { op: at, createRevision, prevRevision: before ? revisionOf(before.id) : 0, prevValue };
  }

  #value(id: number): Uint8Array {
    return this.#valueAt.get(id)!['value'] as Uint8Array;
  }
}
