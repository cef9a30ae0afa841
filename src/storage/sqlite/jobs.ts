/**
 * Long jobs that run in a worker of their own on a read-only connection, so that the store serves on meanwhile:
 * a consistent copy, and the check of the store's soundness.
 */
import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { MessagePort } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { checkPages, openReader, syncPath } from './database.ts';
import { readMeta } from './head.ts';
import { type FromWorker, type JobSettings, revisionOf } from './protocol.ts';

/** Runs the job and answers once; the worker then ends by itself. */
export function runJob(port: MessagePort, settings: JobSettings): void {
  let answer: FromWorker;
  try {
    const made = settings.job === 'snapshot' ? snapshot(settings) : { revision: 0, problems: verify(settings.path) };
    answer = { type: 'done', id: 0, count: 0, more: false, ...made };
  } catch (error) {
    answer = { type: 'error', id: 0, code: 'unavailable', message: (error as Error).message };
  }
  port.postMessage(answer);
  port.close();
}

/** The newest revision that a file holds. */
export function fileRevision(db: DatabaseSync): number {
  const newest = db.prepare('SELECT COALESCE(MAX(id), 0) AS id FROM history').get()!['id'] as number;
  return Math.max(1, revisionOf(newest), readMeta(db).compacted);
}

function snapshot({ path, to }: JobSettings): { revision: number; problems: string[] } {
  rmSync(to, { force: true });
  const db = openReader(path);
  try {
    db.prepare('VACUUM INTO ?').run(to);
  } finally {
    db.close();
  }
  syncPath(to);
  const copy = new DatabaseSync(to, { readOnly: true });
  try {
    return { revision: fileRevision(copy), problems: [] };
  } finally {
    copy.close();
  }
}

/** SQLite's check, then what this store promises beyond it. At most a hundred problems are told. */
function verify(path: string): string[] {
  const problems = checkPages(path);
  if (problems.length > 0) return problems;
  const db = openReader(path);
  try {
    const say = (problem: string): void => void (problems.length < 100 && problems.push(problem));
    const before = new Map<string, { id: number; deleted: number }>();
    const { compacted } = readMeta(db);
    for (const each of db.prepare('SELECT * FROM history ORDER BY id').iterate()) {
      const row = each as {
        id: number;
        key: string;
        create_rev: number;
        prev: number;
        deleted: number;
        sum: number;
        value: Uint8Array;
      };
      const at = `${row.key} at revision ${revisionOf(row.id)}`;
      if (crc32(row.value) !== row.sum) say(`${at} does not match its checksum`);
      const last = before.get(row.key);
      const expected = last && !last.deleted ? last.id : 0;
      if (row.prev !== expected && !(expected === 0 && revisionOf(row.prev) <= compacted))
        say(`${at} names row ${row.prev} as the state before, which is ${expected}`);
      if (row.prev === 0 && !row.deleted && row.create_rev !== revisionOf(row.id))
        say(`${at} has a wrong createRevision`);
      before.set(row.key, { id: row.id, deleted: row.deleted });
    }
    return problems;
  } finally {
    db.close();
  }
}
