/**
 * Writes a set of files so that readers see all of the old or all of the new: files stand in a timestamped directory,
 * `..data` links to it and is swapped by rename, visible names link through `..data`.
 * Upstream: pkg/volume/util/atomic_writer.go.
 */
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface PayloadFile {
  readonly data: Buffer;
  readonly mode: number;
  /** Owner, where it is not root. */
  readonly uid?: number;
}

/** By path relative to the volume. */
export type Payload = ReadonlyMap<string, PayloadFile>;

const dataLink = '..data';
const newDataLink = '..data_tmp';

/** Throws for a path that leaves the volume or that its users must not see. */
function validatePayloadPath(path: string): void {
  if (path === '') throw new Error('invalid path: must not be empty');
  if (path.startsWith('/')) throw new Error(`invalid path: must be relative path: ${path}`);
  const parts = path.split('/');
  if (parts.includes('..')) throw new Error(`invalid path: must not contain '..': ${path}`);
  if (path.startsWith('..')) throw new Error(`invalid path: must not start with '..': ${path}`);
}

/**
 * Makes `directory` hold exactly `payload`; answers whether anything changed. `nowMs` names the new directory.
 * `own` sets owners and modes of a finished directory before it becomes visible.
 */
export async function writeAtomically(
  directory: string,
  payload: Payload,
  nowMs: number,
  own: (path: string) => Promise<void>,
): Promise<boolean> {
  for (const path of payload.keys()) validatePayloadPath(path);
  const oldName = await readlink(join(directory, dataLink)).catch(() => undefined);
  const old = oldName === undefined ? undefined : join(directory, oldName);
  if (old && (await sameContent(old, payload))) {
    await linkNames(directory, payload);
    return false;
  }
  const stamp = new Date(nowMs).toISOString().replace(/[-:T]/g, '_').slice(0, 19);
  const fresh = await mkdtemp(join(directory, `..${stamp}.`));
  await chmod(fresh, 0o755);
  for (const [path, file] of payload) await writeOne(join(fresh, path), file);
  await own(fresh);
  const temporary = join(directory, newDataLink);
  await rm(temporary, { force: true });
  await symlink(fresh.slice(directory.length + 1), temporary);
  await rename(temporary, join(directory, dataLink));
  await linkNames(directory, payload);
  if (old) await rm(old, { recursive: true, force: true });
  return true;
}

async function writeOne(path: string, { data, mode, uid }: PayloadFile): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await writeFile(path, data);
  await chmod(path, mode);
  if (uid !== undefined) await chown(path, uid, 0);
}

async function sameContent(directory: string, payload: Payload): Promise<boolean> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter(entry => entry.isFile());
  if (files.length !== payload.size) return false;
  for (const [path, { data, mode }] of payload) {
    const full = join(directory, path);
    const stat = await lstat(full).catch(() => undefined);
    // Group bits may have been added for an fsGroup.
    if (!stat?.isFile() || (stat.mode & 0o777 & ~0o440) !== (mode & 0o777 & ~0o440)) return false;
    if (stat.size !== data.length || !(await readFile(full)).equals(data)) return false;
  }
  return true;
}

/** Top-level names as links through `..data`, and no others. */
async function linkNames(directory: string, payload: Payload): Promise<void> {
  const names = new Set([...payload.keys()].map(path => path.split('/')[0]!));
  for (const entry of await readdir(directory)) {
    if (!entry.startsWith('..') && !names.delete(entry)) await rm(join(directory, entry), { recursive: true });
  }
  for (const name of names) await symlink(join(dataLink, name), join(directory, name));
}
