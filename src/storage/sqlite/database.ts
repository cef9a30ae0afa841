/**
 * The store's file: how it is made, recognised, checked and opened. A file that is not ours, was written by a newer
 * program or is damaged is refused before anything could change it. A new store is made aside and renamed, so a
 * half-made one never stands under the name.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { StorageError } from '../contract.ts';

/** "KBNE" in the header's application id. */
const applicationId = 0x4b424e45;
const schemaVersion = 1;
const magic = 'SQLite format 3\0';
/** Eight thousand bytes hold three typical objects; a smaller page would waste half of itself. */
const pageSize = 8192;
/** How long to wait for someone who looks into the file with a tool of their own. */
const busyMs = 5000;
const walLimitBytes = 64 << 20;
/** Stores up to this size are checked whole when opened; larger ones by `verify` alone, rows by their checksums. */
const checkedBytes = 64 << 20;

const schema = `
  CREATE TABLE history (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    create_rev INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    value BLOB NOT NULL
  );
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO meta VALUES ('compacted', 0), ('swept', 0);
`;

/** SQLite's result codes that have a meaning here. */
export const sqliteFull = 13;
const sqliteBusy = 5;

/** The result code of an error of node:sqlite without its extended part; 0 for any other error. */
export function resultCode(error: unknown): number {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === 'number' ? code & 0xff : 0;
}

/**
 * Takes the lock that keeps a second server out. It is SQLite's own lock on a file beside the store, hence a lock of
 * the kernel: it goes with the process, however that ends.
 */
export function lockStore(path: string): DatabaseSync {
  checkWritable(dirname(path));
  const lock = new DatabaseSync(`${path}.lock`, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (cause) {
    lock.close();
    if (resultCode(cause) !== sqliteBusy) throw cause;
    throw new StorageError('locked', `${path} is in use by another process`, { cause });
  }
}

/** SQLite would say that it cannot open a file, and not why. */
function checkWritable(directory: string): void {
  try {
    accessSync(directory, constants.W_OK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reasons: Record<string, string> = { EROFS: 'its file system is read-only', ENOENT: 'it does not exist' };
    const why = reasons[code ?? ''] ?? 'permission denied';
    throw new StorageError('unavailable', `${directory} cannot be written: ${why}`, { cause });
  }
}

/** Opens an existing store or makes one, checked and ready for writing. The lock must be held. */
export function openDatabase(path: string, maxPages: number | undefined): DatabaseSync {
  if (existsSync(path)) checkFile(path);
  else createFile(path);
  const db = new DatabaseSync(path, { timeout: busyMs });
  db.exec(`PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = ${walLimitBytes}`);
  db.exec('PRAGMA cache_size = -16384');
  limitPages(db, maxPages);
  return db;
}

/** A second connection, for reads beside the writer. */
export function openReader(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: busyMs });
  db.exec('PRAGMA cache_size = -8192');
  return db;
}

/** Undefined lifts the limit. */
export function limitPages(db: DatabaseSync, maxPages: number | undefined): void {
  db.exec(`PRAGMA max_page_count = ${maxPages ?? 4294967294}`);
}

/** Throws `damaged` or `newer`; changes nothing. */
export function checkFile(path: string): void {
  const header = readHeader(path);
  if (header.toString('latin1', 0, 16) !== magic || header.readUInt32BE(68) !== applicationId)
    throw new StorageError('damaged', `${path} is not a Kobune store`);
  const version = header.readUInt32BE(60);
  if (version > schemaVersion) {
    const message = `${path} has format ${version}; this program knows formats up to ${schemaVersion}`;
    throw new StorageError('newer', message);
  }
  const problems = statSync(path).size <= checkedBytes ? checkPages(path) : [];
  if (problems.length > 0) throw new StorageError('damaged', `${path} is damaged: ${problems[0]}`);
}

/**
 * SQLite's own check of the whole file. A read-only connection neither recovers nor checkpoints; without a log beside
 * the store it is also told that nobody writes, so that it makes no files of its own.
 */
export function checkPages(path: string): string[] {
  const address = pathToFileURL(path);
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
  if (!log) address.searchParams.set('immutable', '1');
  try {
    const db = new DatabaseSync(address, { readOnly: true, timeout: 1000 });
    try {
      const rows = db.prepare('PRAGMA quick_check(20)').all();
      return rows.map(row => String(Object.values(row)[0])).filter(text => text !== 'ok');
    } finally {
      db.close();
    }
  } catch (error) {
    return [(error as Error).message];
  }
}

function readHeader(path: string): Buffer {
  const header = Buffer.alloc(100);
  const file = openSync(path, 'r');
  try {
    if (readSync(file, header, 0, 100, 0) < 100) throw new StorageError('damaged', `${path} is too short for a store`);
    return header;
  } finally {
    closeSync(file);
  }
}

function createFile(path: string): void {
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  const db = new DatabaseSync(draft);
  try {
    db.exec(`PRAGMA page_size = ${pageSize}; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL`);
    db.exec(
      `PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}; BEGIN; ${schema} COMMIT`,
    );
  } finally {
    db.close();
  }
  syncPath(draft);
  renameSync(draft, path);
  syncPath(dirname(path));
}

/** Makes a file's bytes, or a folder's names, durable. */
export function syncPath(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
