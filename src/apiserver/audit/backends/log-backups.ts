/** The older parts of a log file: removed and compressed. Upstream: lumberjack.v2 millRunOnce. */
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, chown, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

export interface BackupOptions {
  /** Of the log file itself. */
  readonly path: string;
  readonly maxBackups: number;
  readonly maxAgeDays: number;
  readonly compress: boolean;
  readonly nowMs: () => number;
}

interface Backup {
  readonly file: string;
  readonly timeMs: number;
}

const dayMs = 86_400_000;
const compressed = '.gz';

export async function tidyBackups(options: BackupOptions): Promise<void> {
  const { path, maxBackups, maxAgeDays, compress } = options;
  let backups = await backupsOf(path);
  const remove: Backup[] = [];
  const keep = (isKept: (backup: Backup) => boolean): void => {
    remove.push(...backups.filter(each => !isKept(each)));
    backups = backups.filter(isKept);
  };
  if (maxBackups > 0) {
    // One that is there both plain and compressed counts once.
    const newest = new Set([...new Set(backups.map(plainName))].slice(0, maxBackups));
    keep(each => newest.has(plainName(each)));
  }
  if (maxAgeDays > 0) {
    const cutoff = options.nowMs() - maxAgeDays * dayMs;
    keep(each => each.timeMs >= cutoff);
  }
  for (const { file } of remove) await rm(join(dirname(path), file), { force: true });
  if (!compress) return;
  for (const { file } of backups) if (!file.endsWith(compressed)) await compressFile(join(dirname(path), file));
}

const plainName = ({ file }: Backup): string => (file.endsWith(compressed) ? file.slice(0, -3) : file);

/** The newest first. */
async function backupsOf(path: string): Promise<Backup[]> {
  const extension = extname(path);
  const prefix = `${basename(path, extension)}-`;
  const entries = await readdir(dirname(path), { withFileTypes: true });
  return entries
    .filter(entry => !entry.isDirectory() && entry.name.startsWith(prefix))
    .flatMap(({ name: file }) => {
      const plain = file.endsWith(compressed) ? file.slice(0, -compressed.length) : file;
      if (!plain.endsWith(extension)) return [];
      const timeMs = timeOf(plain.slice(prefix.length, plain.length - extension.length));
      return timeMs === undefined ? [] : [{ file, timeMs }];
    })
    .sort((a, b) => b.timeMs - a.timeMs);
}

function timeOf(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(text);
  const ms = match ? Date.parse(`${match[1]}T${match[2]}:${match[3]}:${match[4]}Z`) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

/** With the mode and owner of the plain one, which goes when its compressed form is whole. */
async function compressFile(path: string): Promise<void> {
  const to = path + compressed;
  try {
    const { mode, uid, gid } = await stat(path);
    await pipeline(createReadStream(path), createGzip(), createWriteStream(to, { mode: mode & 0o7777 }));
    await chmod(to, mode & 0o7777);
    await chown(to, uid, gid);
  } catch (error) {
    await rm(to, { force: true });
    throw error;
  }
  await rm(path);
}
