/**
 * The newest state of every key, without values: what transactions are decided against. Changes are remembered until
 * the batch is on disk, and undone when it is not. Also counts, which the file could only give by walking.
 */
import type { DatabaseSync } from 'node:sqlite';
import { OrderedMap } from '../ordered-map.ts';
import { revisionOf } from './protocol.ts';

/** A key that exists. */
export interface HeadEntry {
  readonly key: string;
  /** Of the row that holds it. */
  readonly id: number;
  readonly createRevision: number;
}

/** See the file header. */
export class Head {
  readonly #entries = new OrderedMap<HeadEntry>();
  #undo: Array<{ key: string; before: HeadEntry | undefined }> = [];
  /** Newest revision on disk. */
  durable: number;
  /** Newest revision ever given, including those of failed batches: these are not given again. */
  assigned: number;

  constructor(revision: number) {
    this.durable = revision;
    this.assigned = revision;
  }

  /** Reads what the file holds. An empty store begins at revision 1. */
  static load(db: DatabaseSync): Head {
    const newest = db.prepare('SELECT COALESCE(MAX(id), 0) AS id FROM history').get()!['id'] as number;
    const { compacted } = readMeta(db);
    const head = new Head(Math.max(1, revisionOf(newest), compacted));
    const rows = db.prepare('SELECT key, MAX(id) AS id, deleted, create_rev FROM history GROUP BY key').iterate();
    for (const row of rows) {
      const { key, id, deleted, create_rev } = row as { key: string; id: number; deleted: number; create_rev: number };
      if (!deleted) head.#entries.set({ key, id, createRevision: create_rev });
    }
    return head;
  }

  get(key: string): HeadEntry | undefined {
    return this.#entries.get(key);
  }

  /** 0 when the key does not exist. */
  modRevision(key: string): number {
    const entry = this.#entries.get(key);
    return entry ? revisionOf(entry.id) : 0;
  }

  set(entry: HeadEntry): void {
    this.#undo.push({ key: entry.key, before: this.#entries.set(entry) });
  }

  delete(key: string): void {
    this.#undo.push({ key, before: this.#entries.delete(key) });
  }

  count(start: string, end: string | undefined): number {
    if (end === undefined) return this.#entries.get(start) ? 1 : 0;
    return this.#entries.count(start, end);
  }

  /** The batch is on disk. */
  keep(): void {
    this.#undo = [];
    this.durable = this.assigned;
  }

  /** The batch is not on disk: back to what is. */
  rollBack(): void {
    for (const { key, before } of this.#undo.reverse()) {
      if (before) this.#entries.set(before);
      else this.#entries.delete(key);
    }
    this.#undo = [];
  }
}

/** The file's two marks: the revision below which nothing may be read, and the id up to which rows were removed. */
export function readMeta(db: DatabaseSync): { compacted: number; swept: number } {
  const meta = { compacted: 0, swept: 0 };
  for (const { name, value } of db.prepare('SELECT name, value FROM meta').all()) {
    if (name === 'compacted' || name === 'swept') meta[name] = Number(value);
  }
  return meta;
}
