/** What a cluster has on this machine: processes, mounts, namespaces, tables, interfaces, cgroups, files. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { load } from 'js-yaml';
import { stateDir } from '#cluster';

/** Says what there is of a cluster, by the names that it was known under; taken while it still exists. */
export interface Traces {
  /** One line a thing, as `mount /var/lib/…`; empty when nothing is left. */
  now(): string[];
  /** Resolves when nothing is left; throws what still is after two seconds, which init may take to reap a process. */
  gone(): Promise<void>;
}

/** `root` and `name` as given to `kobune up`; the cluster must exist. */
export function tracesOf(root: string, name: string): Traces {
  const dir = stateDir(root, name);
  const { index } = load(readFileSync(dir.config, 'utf8')) as { index: number };
  const id = dir.run.split('/').at(-1)!;
  const sandboxes = existsSync(join(dir.node, 'sandboxes')) ? readdirSync(join(dir.node, 'sandboxes')) : [];
  const now = (): string[] => {
    return [
      ...processes([dir.path, dir.run]).map(each => `process ${each}`),
      ...mounts([dir.path, dir.run]).map(each => `mount ${each}`),
      ...networkNamespaces(sandboxes, dir.run).map(each => `namespace ${each}`),
      ...tables(`kobune${index}`).map(each => `table ${each}`),
      ...readdirSync('/sys/class/net')
        .filter(each => new RegExp(`^kb${index}(node|p)`).test(each))
        .map(each => `interface ${each}`),
      ...cgroups(id).map(each => `cgroup ${each}`),
      ...[dir.path, dir.run].filter(each => existsSync(each)).map(each => `directory ${each}`),
    ];
  };
  return {
    now,
    async gone() {
      for (let waitedMs = 0; waitedMs < 2000 && now().length > 0; waitedMs += 50) await sleep(50);
      assert.deepEqual(now(), []);
    },
  };
}

function processes(paths: readonly string[]): string[] {
  return readdirSync('/proc')
    .filter(pid => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap(pid => {
      const command = readProc(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
      const cgroup = readProc(`/proc/${pid}/cgroup`);
      const id = paths.at(-1)!.split('/').at(-1)!;
      const ours = paths.some(path => command.includes(path)) || cgroup.includes(`/kobune/${id}`);
      return ours ? [`${pid} ${command.slice(0, 200)}`] : [];
    });
}

function mounts(paths: readonly string[]): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map(line => line.split(' ')[4] ?? '')
    .filter(path => paths.some(each => path === each || path.startsWith(`${each}/`)));
}

function networkNamespaces(sandboxes: readonly string[], run: string): string[] {
  const names = new Set(sandboxes.map(id => `kb-${id.slice(0, 16)}`));
  const pinned = existsSync('/run/netns') ? readdirSync('/run/netns').filter(each => names.has(each)) : [];
  const own = join(run, 'ns');
  return [...pinned, ...(existsSync(own) ? readdirSync(own) : [])];
}

function tables(name: string): string[] {
  const { stdout = '' } = spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' });
  return stdout.split('\n').filter(line => line.split(' ').at(-1) === name);
}

function cgroups(id: string): string[] {
  const root = '/sys/fs/cgroup';
  return ['', ...readdirSync(root)].map(each => join(root, each, 'kobune', id)).filter(each => existsSync(each));
}

/** Empty for what is gone meanwhile. */
function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
