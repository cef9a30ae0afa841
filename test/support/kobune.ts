/**
 * A whole Kobune, started as its users start it: `kobune up` in a state directory and kubeconfig of its own, removed
 * with everything when disposed. Also says why a machine cannot run one, and which kubectl binaries it has.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runningServer, stateDir } from '#cluster';
import { findProgram, freePort, launcher, type Output, type RunOptions, runCommand } from './program.ts';

export type { Output } from './program.ts';

/** Why containers cannot run here, or undefined when they can. */
export function whyNoContainers(): string | undefined {
  if (process.platform !== 'linux') return 'containers run on Linux only';
  if (process.getuid?.() !== 0) return 'containers need root';
  for (const program of [['crun', 'runc'], ['nft'], ['ip'], ['cc', 'gcc']]) {
    if (!program.some(name => findProgram(name))) return `${program.join(' or ')} is not installed`;
  }
  if (!readFileSync('/proc/filesystems', 'utf8').includes('overlay')) return 'the kernel has no overlayfs';
  return undefined;
}

/** The kubectl binaries of this machine by version (`1.33`), newest last. */
export function kubectls(): Map<string, string> {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter(directory => directory.startsWith('/'));
  const candidates = [...new Set([...onPath, '/usr/lib/google-cloud-sdk/bin', '/usr/local/bin', '/usr/bin'])]
    .filter(existsSync)
    .flatMap(directory =>
      readdirSync(directory)
        .filter(name => /^kubectl(\.1\.\d+)?$/.test(name))
        .map(name => join(directory, name)),
    );
  const found = new Map<string, string>();
  for (const path of candidates) {
    const result = spawnSync(path, ['version', '--client', '-o', 'json'], { encoding: 'utf8', timeout: 10_000 });
    if (result.status !== 0) continue;
    const { clientVersion } = JSON.parse(result.stdout) as { clientVersion: { major: string; minor: string } };
    const version = `${clientVersion.major}.${clientVersion.minor.replace(/\D/g, '')}`;
    if (!found.has(version)) found.set(version, path);
  }
  return new Map([...found].sort(([a], [b]) => Number(a.split('.')[1]) - Number(b.split('.')[1])));
}

/** Those that every promise is held with, where the machine has them: the oldest, the newest, one between; else one. */
export function promisedKubectls(): Array<[version: string, path: string]> {
  const all = [...kubectls()];
  const promised = all.filter(([version]) => ['1.20', '1.27', '1.30', '1.33'].includes(version));
  return promised.length > 0 ? promised : all.slice(-1);
}

export interface KubectlOptions extends RunOptions {
  readonly path?: string;
}

export interface Kobune extends AsyncDisposable {
  readonly directory: string;
  readonly kubeconfig: string;
  /** Milliseconds that `kobune up` took. */
  readonly upMs: number;
  /** Runs a command of ours. */
  cli(...args: string[]): Promise<Output>;
  /** Runs a kubectl (by default the newest); `input` goes to its standard input, `env` is added to its environment. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<Output>;
  /** Process id of the server. */
  pid(): number;
}

let counter = 0;

/** Starts one. `flags` are passed to `kobune up`. */
export async function startKobune(flags: readonly string[] = []): Promise<Kobune> {
  const directory = mkdtempSync(join(tmpdir(), 'kobune-e2e-'));
  const name = `e2e${process.pid}x${counter++}`;
  const kubeconfig = join(directory, 'kubeconfig');
  const env = { ...process.env, KOBUNE_ROOT: directory, KUBECONFIG: kubeconfig, HOME: directory };
  const cli = (...args: string[]): Promise<Output> =>
    runCommand(process.execPath, [launcher, ...args, '--name', name], { env });
  const port = await freePort();
  const begin = performance.now();
  const up = await cli('up', '--port', String(port), ...flags);
  const upMs = performance.now() - begin;
  const remove = async (): Promise<void> => {
    const { code, stderr } = await cli('down', '--delete');
    if (code !== 0 && existsSync(join(directory, name))) throw new Error(`kobune down --delete failed: ${stderr}`);
    rmSync(directory, { recursive: true, force: true });
  };
  if (up.code !== 0) {
    const log = join(directory, name, 'logs', 'server.log');
    const tail = existsSync(log) ? readFileSync(log, 'utf8').slice(-2000) : '';
    await remove();
    throw new Error(`kobune up failed: ${up.stderr}${up.stdout}\n${tail}`);
  }
  const newest = [...kubectls().values()].at(-1) ?? 'kubectl';
  return {
    directory,
    kubeconfig,
    upMs,
    cli,
    kubectl: (args, { path = newest, ...options } = {}) =>
      runCommand(path, args, { ...options, env: { ...env, ...options.env } }),
    pid: () => runningServer(stateDir(directory, name))!.pid,
    [Symbol.asyncDispose]: remove,
  };
}

/** Repeats `check` until it answers something other than undefined; throws `what` after `timeoutMs`. */
export async function eventually<T>(what: string, check: () => Promise<T | undefined>, timeoutMs = 30_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const result = await check();
    if (result !== undefined) return result;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`);
    await new Promise(resolveWait => setTimeout(resolveWait, 100));
  }
}
