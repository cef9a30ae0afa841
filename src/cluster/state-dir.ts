/**
 * Where a cluster lives on disk: `<root>/<name>/{config.yaml, pki, store, node, logs}` and sockets in
 * `/run/kobune/<id>`, or `$KOBUNE_RUN/<id>`. One directory holds all state; `down --delete` removes it.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { UserError } from '#base';

/** Paths of one cluster. Nothing is created by asking for them. */
export interface StateDir {
  readonly root: string;
  readonly name: string;
  readonly path: string;
  readonly config: string;
  readonly pki: string;
  readonly store: string;
  readonly node: string;
  readonly logs: string;
  /** Short, because socket paths have a limit of 108 bytes. */
  readonly run: string;
  /** Written by a running server: process id and addresses. Among the sockets, so that a full disk is no hindrance. */
  readonly serverFile: string;
}

/** `/var/lib/kobune` for root, `~/.local/share/kobune` otherwise; `KOBUNE_ROOT` overrides. */
export function defaultRoot(env: NodeJS.ProcessEnv = process.env): string {
  if (env['KOBUNE_ROOT']) return resolve(env['KOBUNE_ROOT']);
  if (process.getuid?.() === 0) return '/var/lib/kobune';
  return join(env['XDG_DATA_HOME'] ?? join(env['HOME'] ?? homedir(), '.local', 'share'), 'kobune');
}

/** Paths of the cluster `name` under `root`. Throws a UserError for a name that is no DNS label. */
export function stateDir(root: string, name: string): StateDir {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) {
    throw new UserError(`"${name}" cannot be the name of a cluster.`, {
      remedy: 'Use lower-case letters, digits and dashes, at most 63.',
    });
  }
  const path = join(resolve(root), name);
  const id = createHash('sha256').update(path).digest('hex').slice(0, 10);
  const uid = process.getuid?.() ?? 0;
  const ownRunRoot = process.env['XDG_RUNTIME_DIR'] ? 'kobune' : `kobune-${uid}`;
  const ownPlace = uid === 0 ? '/run/kobune' : join(process.env['XDG_RUNTIME_DIR'] ?? tmpdir(), ownRunRoot);
  const runRoot = resolve(process.env['KOBUNE_RUN'] ?? ownPlace);
  return {
    root: resolve(root),
    name,
    path,
    config: join(path, 'config.yaml'),
    pki: join(path, 'pki'),
    store: join(path, 'store'),
    node: join(path, 'node'),
    logs: join(path, 'logs'),
    run: join(runRoot, id),
    serverFile: join(runRoot, id, 'server.json'),
  };
}

/** Names of the clusters under `root`, sorted. */
export function clusterNames(root: string): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter(name => statSync(join(root, name, 'config.yaml'), { throwIfNoEntry: false })?.isFile())
    .sort();
}

/** Makes the directories, readable by their owner alone. */
export function createStateDir(dir: StateDir): void {
  for (const path of [dir.root, dir.path, dir.pki, dir.store, dir.node, dir.logs, dir.run]) {
    mkdirSync(path, { recursive: true, mode: path === dir.root ? 0o755 : 0o700 });
  }
}

/** Writes a file so that a reader sees the old or the new content, never half of it. */
export function writeFileAtomically(path: string, content: string, mode = 0o600): void {
  const temporary = `${path}.tmp-${process.pid}`;
  writeFileSync(temporary, content, { mode });
  renameSync(temporary, path);
}

/** What a running server says about itself. */
export interface ServerFile {
  readonly pid: number;
  /** Start time of the process in clock ticks since boot, so that a reused pid is not mistaken for it. */
  readonly startTicks: string;
  readonly url: string;
  readonly nodeAddress?: string;
  readonly startedAt: string;
  /** How long it may take to stop, by its flags. */
  readonly stopsWithinMs?: number;
}

/** The running server of this directory; undefined when none runs. */
export function runningServer(dir: StateDir): ServerFile | undefined {
  if (!existsSync(dir.serverFile)) return undefined;
  let file: ServerFile;
  try {
    file = JSON.parse(readFileSync(dir.serverFile, 'utf8'));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    return undefined; // the store's lock tells whether a server runs
  }
  return processStartTicks(file.pid) === file.startTicks ? file : undefined;
}

/** Field 22 of /proc/<pid>/stat; elsewhere the empty string for a living process; undefined when there is none. */
export function processStartTicks(pid: number): string | undefined {
  if (existsSync('/proc/self/stat')) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? undefined : fields[19];
    } catch {
      return undefined;
    }
  }
  try {
    process.kill(pid, 0);
    return '';
  } catch {
    return undefined;
  }
}

/** Removes the cluster's directory and sockets, and what we made to hold the sockets of all. */
export function removeStateDir(dir: StateDir): void {
  rmSync(dir.path, { recursive: true, force: true });
  rmSync(dir.run, { recursive: true, force: true });
  if (process.env['KOBUNE_RUN'] === undefined) removeEmpty(dirname(dir.run));
}

/** Removes the directory of the cluster's sockets where a server leaves none behind: no container runs. */
export function removeEmptyRun(dir: StateDir): void {
  removeEmpty(dir.run);
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(code)) throw error;
  }
}

/** Bytes that a directory's files take, for `status`; 0 when it is not there. */
export function directorySizeBytes(path: string): number {
  if (!existsSync(path)) return 0;
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).reduce((sum, name) => {
    const stat = statSync(join(path, name), { throwIfNoEntry: false });
    return sum + (stat?.isFile() ? stat.size : 0);
  }, 0);
}
