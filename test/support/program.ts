/**
 * The program as its users run it, in a state directory, home and kubeconfig of the test's own. Nothing is started
 * that the test does not ask for; `forget` takes away what a failing test left.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '..', '..');
const run = promisify(execFile);

/** The launcher that npm installs as `kobune`. */
export const launcher: string = join(root, 'bin', 'kobune.cjs');

/** What a command printed, whether it failed or not. */
export interface Output {
  /** -1 when it was ended by a signal. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a command; `input` goes to its standard input. */
export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly cwd?: string;
}

/** Runs a command to its end. */
export async function runCommand(file: string, args: readonly string[], options: RunOptions = {}): Promise<Output> {
  const { env = process.env, input = '', timeoutMs = 60_000, cwd } = options;
  const child = run(file, [...args], { env, timeout: timeoutMs, maxBuffer: 1 << 26, ...(cwd && { cwd }) });
  child.child.stdin?.on('error', () => {}); // it may end before it has read everything
  child.child.stdin?.end(input);
  try {
    return { code: 0, ...(await child) };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string };
    return { code: typeof code === 'number' ? code : -1, stdout, stderr };
  }
}

/** A place for one program's state. */
export interface Place extends AsyncDisposable {
  readonly directory: string;
  /** `KOBUNE_ROOT`. */
  readonly root: string;
  readonly kubeconfig: string;
  readonly env: NodeJS.ProcessEnv;
  /** Runs `kobune` here; `through` is put before the program, as `['setpriv', '--reuid=65534']`. */
  kobune(args: readonly string[], options?: RunOptions & { readonly through?: readonly string[] }): Promise<Output>;
}

/** Makes a place; disposing removes every cluster that was made in it. */
export function createPlace(): Place {
  const directory = mkdtempSync(join(tmpdir(), 'kobune-place-'));
  const stateRoot = join(directory, 'root');
  const kubeconfig = join(directory, 'kubeconfig');
  mkdirSync(stateRoot);
  const { XDG_RUNTIME_DIR: _, ...inherited } = process.env;
  const env = { ...inherited, KOBUNE_ROOT: stateRoot, KUBECONFIG: kubeconfig, HOME: directory };
  const kobune: Place['kobune'] = (args, { through = [], ...options } = {}) => {
    const [file, ...rest] = [...through, process.execPath, launcher, ...args];
    return runCommand(file!, rest, { env, ...options });
  };
  return {
    directory,
    root: stateRoot,
    kubeconfig,
    env,
    kobune,
    async [Symbol.asyncDispose]() {
      const { stdout } = await kobune(['status', '-o', 'json']);
      for (const { name } of JSON.parse(stdout || '[]') as Array<{ name: string }>) {
        await kobune(['down', '--delete', '--name', name]);
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Asserts that a command failed with one sentence (and what to do about it) that matches, and no stack. */
export function assertSentence({ code, stderr, stdout }: Output, expected: RegExp): void {
  assert.equal(code, 1, `${stdout}\n${stderr}`);
  assert.doesNotMatch(stderr, /^\s+at /m, 'a stack');
  assert.equal(stderr.trim().split('\n').length, 1, `more than one line: ${stderr}`);
  assert.match(stderr, expected);
}

/** Ports of loopback that nobody listens on now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<Server>((resolveServer, reject) => {
          const server = createServer().once('error', reject);
          server.listen(0, '127.0.0.1', () => resolveServer(server));
        }),
    ),
  );
  const ports = servers.map(server => (server.address() as { port: number }).port);
  await Promise.all(servers.map(server => new Promise(closed => server.close(closed))));
  return ports;
}

/** One of them. */
export async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!;
}

/** Path of a program of this machine, or undefined. */
export function findProgram(name: string): string | undefined {
  const directories = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`.split(':');
  return directories.map(directory => join(directory, name)).find(path => existsSync(path));
}
