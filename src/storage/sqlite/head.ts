/**
 * What the worker knows without asking the file: the newest row of every key, and which rows were added since the last
 * compaction. Transactions are decided against the former; both together find the row of any key at any revision that
 * can still be read, so the file needs no index by key, which would double what a commit writes. Changes are remembered
 * until the batch is on disk, and undone when it is not.
 *
 * Worked example: keys a and b; row 1 put a, row 2 put b, row 3 put a (previous row 1). Newest: a → 3, b → 2. The state
 * after row 2 is the newest one, but for keys changed later: those have the `prev` of their first later change, so a → 1.
 */
import type { DatabaseSync } from 'node:sqlite';
import { compareKeys, OrderedMap } from '../ordered-map.ts';
import { inRange } from '../watch-hub.ts';
import { lastIdOf, revisionOf } from './protocol.ts';

/** A key that exists, and the row that holds it. */
export interface HeadEntry {
  readonly key: string;
  readonly id: number;
  readonly createRevision: number;
}

/** Where to find a key's state at some revision; createRevision only where it is known without the row. */
export interface RowRef {
  readonly key: string;
  readonly id: number;
  readonly createRevision?: number;
}

/** A row that was added: its key, and the row that held the key before; 0: none did. */
export interface RecentRow {
  readonly key: string;
  readonly id: number;
  readonly prev: number;
}

export interface Range {
  readonly start: string;
  readonly end?: string | undefined;
}

/** See the file header. */
export class Head {
  readonly #entries = new OrderedMap<HeadEntry>();
  /** By id; begins right after the compacted revision. */
  #recent: RecentRow[] = [];
  #undo: Array<{ key: string; before: HeadEntry | undefined }> = [];
  /** Newest revision on disk. */
  durable = 1;
  /** Newest revision ever given, including those of failed batches: these are not given again. */
  assigned = 1;
  /** Oldest revision that can be read. */
  compacted = 0;

  /** Reads what the file holds, once through. An empty store begins at revision 1. */
  static load(db: DatabaseSync): { head: Head; expiring: Map<string, { id: number; expiresMs: number }> } {
    const head = new Head();
    const expiring = new Map<string, { id: number; expiresMs: number }>();
    head.compacted = readMeta(db).compacted;
    const firstRecent = lastIdOf(head.compacted) + 1;
    let newest = 0;
    const statement = db.prepare('SELECT id, key, create_rev, prev, deleted, expires FROM history ORDER BY id');
    statement.setReturnArrays(true);
    for (const row of statement.iterate() as unknown as Iterable<[number, string, number, number, number, number]>) {
      const [id, key, createRevision, prev, deleted, expiresMs] = row;
      newest = id;
      if (deleted) head.#entries.delete(key);
      else head.#entries.set({ key, id, createRevision });
      if (id >= firstRecent) head.#recent.push({ key, id, prev });
      if (expiresMs > 0) expiring.set(key, { id, expiresMs });
      else expiring.delete(key);
    }
    head.durable = head.assigned = Math.max(1, revisionOf(newest), head.compacted);
    return { head, expiring };
  }

  get(key: string): HeadEntry | undefined {
    return this.#entries.get(key);
  }

  /** 0 when the key does not exist. */
  modRevision(key: string): number {
    const entry = this.#entries.get(key);
    return entry ? revisionOf(entry.id) : 0;
  }

  put(entry: HeadEntry): void {
    const before = this.#entries.set(entry);
    this.#undo.push({ key: entry.key, before });
    this.#recent.push({ key: entry.key, id: entry.id, prev: before?.id ?? 0 });
  }

  /** @param id of the row that says so. */
  delete(key: string, id: number): void {
    const before = this.#entries.delete(key);
    this.#undo.push({ key, before });
    this.#recent.push({ key, id, prev: before?.id ?? 0 });
  }

  /** The batch is on disk. */
  keep(): void {
    this.#undo = [];
    this.durable = this.assigned;
  }

  /** The batch is not on disk: back to what is. */
  rollBack(): void {
    this.#recent.length -= this.#undo.length;
    for (const { key, before } of this.#undo.reverse()) {
      if (before) this.#entries.set(before);
      else this.#entries.delete(key);
    }
    this.#undo = [];
  }

  /** The rows of a range at a readable revision, by key, at most `limit` (0: all), and how many the range has. */
  rowsAt(range: Range, revision: number, limit: number): { rows: RowRef[]; count: number } {
    const { start, end } = range;
    if (end === undefined) {
      const row = this.#rowAt(start, revision);
      return { rows: row ? [row] : [], count: row ? 1 : 0 };
    }
    const then = new Map<string, number>();
    for (let at = this.firstAfter(lastIdOf(revision)); at < this.#recent.length; at++) {
      const { key, prev } = this.#recent[at]!;
      if (inRange(key, { start, end }) && !then.has(key)) then.set(key, prev);
    }
    if (then.size === 0)
      return { rows: this.#entries.slice(start, end, limit), count: this.#entries.count(start, end) };
    let count = this.#entries.count(start, end);
    const moved: RowRef[] = [];
    for (const [key, id] of then) {
      if (this.#entries.get(key)) count--;
      if (id > 0) moved.push({ key, id });
    }
    moved.sort((a, b) => compareKeys(a.key, b.key));
    const unmoved = this.#entries.range(start, end);
    return { rows: merge(unmoved, key => then.has(key), moved, limit), count: count + moved.length };
  }

  /** Rows added after `id`, oldest first, from one position of them to the next. */
  firstAfter(id: number): number {
    let low = 0;
    let high = this.#recent.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#recent[middle]!.id <= id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  recentAt(position: number): RecentRow | undefined {
    return this.#recent[position];
  }

  /** Nothing below `revision` is asked for any more. */
  forget(revision: number): void {
    this.compacted = revision;
    this.#recent = this.#recent.slice(this.firstAfter(lastIdOf(revision)));
  }

  #rowAt(key: string, revision: number): RowRef | undefined {
    const last = lastIdOf(revision);
    const entry = this.#entries.get(key);
    if (entry && entry.id <= last) return entry;
    for (let at = this.firstAfter(last); at < this.#recent.length; at++) {
      const row = this.#recent[at]!;
      if (row.key === key) return row.prev > 0 ? { key, id: row.prev } : undefined;
    }
    return undefined;
  }
}

/** Two lists by key into one, without those of the first that are `left` out. */
function merge(
  first: Iterable<RowRef>,
  left: (key: string) => boolean,
  second: readonly RowRef[],
  limit: number,
): RowRef[] {
  const out: RowRef[] = [];
  let at = 0;
  const full = (): boolean => limit > 0 && out.length >= limit;
  for (const row of first) {
    if (full()) return out;
    if (left(row.key)) continue;
    while (at < second.length && !full() && compareKeys(second[at]!.key, row.key) < 0) out.push(second[at++]!);
    if (!full()) out.push(row);
  }
  while (at < second.length && !full()) out.push(second[at++]!);
  return out;
}

/** The file's two marks: the revision below which nothing may be read, and the id up to which rows were removed. */
export function readMeta(db: DatabaseSync): { compacted: number; swept: number } {
  const meta = { compacted: 0, swept: 0 };
  for (const { name, value } of db.prepare('SELECT name, value FROM meta').all()) {
    if (name === 'compacted' || name === 'swept') meta[name] = Number(value);
  }
  return meta;
}
