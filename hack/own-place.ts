/**
 * A place of their own for the tests of one run: temporary files, and the sockets of the clusters that they start. At the
 * end nothing may stand there, nor anything of the machine be in use by what was started there.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface OwnPlace extends Disposable {
  /** To be added to the environment of what runs here. */
  readonly env: NodeJS.ProcessEnv;
  /**
   * One line a thing that is left, as `process 123 node …`; empty when all is as it was. Waits a little first: init takes
   * its time to reap.
   */
  remains(): Promise<string[]>;
}

/**
 * Disposing removes the directory and what is in it; processes and mounts are for people to look at. `kernelToo`: what
 * clusters make of the kernel's and no directory holds is looked for too; of others' clusters it cannot be told apart.
 */
export function ownPlace({ kernelToo }: { readonly kernelToo: boolean }): OwnPlace {
  // Short, for paths of sockets are limited.
  const directory = mkdtempSync(join(tmpdir(), 'kobune-tests-'));
  const run = join(directory, 'run');
  mkdirSync(run);
  // As /tmp: some tests run programs as nobody.
  for (const path of [directory, run]) chmodSync(path, 0o1777);
  const before = new Set(kernelToo ? kernelObjects() : []);
  const now = (): string[] => [
    ...[directory, run]
      .flatMap(path => readdirSync(path).map(name => `file ${join(path, name)}`))
      .filter(each => each !== `file ${run}`),
    ...processes(directory),
    ...mounts(directory),
    ...(kernelToo ? kernelObjects() : []).filter(each => !before.has(each)),
  ];
  return {
    env: { TMPDIR: directory, KOBUNE_RUN: run },
    async remains() {
      for (let waitedMs = 0; waitedMs < 3000 && now().length > 0; waitedMs += 100) await sleep(100);
      return now();
    },
    [Symbol.dispose]: () => {
      if (mounts(directory).length === 0) rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Those that were started from here: they have inherited the environment, or name the directory. */
function processes(directory: string): string[] {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc').flatMap(pid => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    const command = readProc(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    if (command === '') return [];
    const ours = command.includes(directory) || readProc(`/proc/${pid}/environ`).includes(`TMPDIR=${directory}\0`);
    return ours ? [`process ${pid} ${command.slice(0, 200)}`] : [];
  });
}

function mounts(directory: string): string[] {
  return readProc('/proc/self/mountinfo')
    .split('\n')
    .map(line => line.split(' ')[4] ?? '')
    .filter(path => path.startsWith(`${directory}/`))
    .map(path => `mount ${path}`);
}

/** Network namespaces, interfaces, nftables tables, cgroups. */
function kernelObjects(): string[] {
  const names = (path: string, kind: string, pattern: RegExp): string[] =>
    existsSync(path)
      ? readdirSync(path)
          .filter(name => pattern.test(name))
          .map(name => `${kind} ${join(path, name)}`)
      : [];
  const { stdout } = spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' });
  const tables = (stdout ?? '').split('\n').filter(line => / kobune\d+$/.test(line));
  const root = '/sys/fs/cgroup';
  const cgroups = ['', ...(existsSync(root) ? readdirSync(root) : [])].map(controller => join(root, controller));
  return [
    ...names('/run/netns', 'network namespace', /^kb-/),
    ...names('/sys/class/net', 'interface', /^kb\d+(node|p)/),
    ...tables.map(line => `nftables ${line}`),
    ...cgroups.flatMap(path => names(join(path, 'kobune'), 'cgroup', /./)),
  ];
}

/** Empty for what is gone meanwhile, or not ours to read. */
function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
