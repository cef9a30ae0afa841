/**
 * A store from a snapshot. Its revision is raised by a million and everything below counts as compacted, so that
 * clients which saw later revisions than the snapshot holds must list again. Upstream: etcdutl snapshot restore
 * with --bump-revision and --mark-compacted.
 */
import { copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StorageError } from '../contract.ts';
import { checkFile, checkPages, lockStore, syncPath } from './database.ts';
import { fileRevision } from './jobs.ts';

const raisedBy = 1_000_000;

/**
 * Makes `path`, which must not exist, from a file that `Store.snapshot` of a sqlite store wrote. Answers the store's
 * revision. Throws `damaged`, `newer`, `locked`.
 */
export function restoreSqliteStore(options: { readonly snapshot: string; readonly path: string }): number {
  const { snapshot, path } = options;
  checkFile(snapshot);
  const problem = checkPages(snapshot)[0];
  if (problem !== undefined) throw new StorageError('damaged', `${snapshot} is damaged: ${problem}`);
  const lock = lockStore(path);
  try {
    if (existsSync(path)) throw new StorageError('locked', `${path} exists; a restore does not overwrite it`);
    const draft = `${path}.new`;
    rmSync(draft, { force: true });
    copyFileSync(snapshot, draft);
    const revision = raise(draft);
    syncPath(draft);
    renameSync(draft, path);
    syncPath(dirname(path));
    return revision;
  } finally {
    lock.close();
  }
}

function raise(path: string): number {
  const db = new DatabaseSync(path);
  try {
    const revision = fileRevision(db) + raisedBy;
    db.prepare("UPDATE meta SET value = ? WHERE name = 'compacted'").run(revision);
    db.exec('PRAGMA journal_mode = WAL');
    return revision;
  } finally {
    db.close();
  }
}
