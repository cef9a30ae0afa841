/**
 * OCI runtimes by their command line (opencontainers/runtime-spec, runc's man pages): crun, runc, runsc and others, by
 * RuntimeClass handler. Probed once; a create goes through the monitor, which must be the container's parent.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CriError } from '#cri';
import type { Host } from '../host.ts';
import type { Launcher, Outcome } from '../monitor/launcher.ts';
import { explainRuntimeError } from './explain.ts';

/** A runtime that answered when asked for its version. */
export interface OciRuntime {
  readonly handler: string;
  readonly program: string;
  readonly version: string;
  /** Directory of its state. */
  readonly stateDir: string;
  /** True when it must not see the v2 hierarchy. */
  readonly hideUnified: boolean;
  /** True when a byte on `exec.fifo` in a container's state is all that its `start` does. */
  readonly startsByFifo: boolean;
  /** Arguments before the command; errors go to `logFile` as JSON lines. */
  globals(logFile: string): readonly string[];
}

/** Names tried for the default handler (the empty string), in this order. */
const defaultPrograms: readonly string[] = ['crun', 'runc'];

/** Handlers that a RuntimeClass may name without configuration. */
const knownHandlers: readonly string[] = ['crun', 'runc', 'runsc', 'youki', 'kata-runtime'];

/** Asks each program for its version; those that answer, by handler. The default one is also under the empty name. */
export async function probeRuntimes(
  launcher: Launcher,
  host: Host,
  programs: Readonly<Record<string, string>> = Object.fromEntries(knownHandlers.map(name => [name, name])),
): Promise<ReadonlyMap<string, OciRuntime>> {
  const found = new Map<string, OciRuntime>();
  await Promise.all(
    Object.entries(programs).map(async ([handler, program]) => {
      const { status, output } = await launcher.run(program, ['--version']);
      if (status === 0) found.set(handler, describe(host, handler, program, output));
    }),
  );
  const first = defaultPrograms.find(name => found.has(name)) ?? [...found.keys()][0];
  if (first !== undefined) found.set('', found.get(first)!);
  return found;
}

function describe(host: Host, handler: string, program: string, versionText: string): OciRuntime {
  const name = basename(program);
  const stateDir = join(host.runDir, 'runtime', handler);
  return {
    handler,
    program,
    version: /version\s+(\S+)/.exec(versionText)?.[1] ?? versionText.split('\n')[0]!.trim(),
    stateDir,
    hideUnified: name === 'crun' && host.unifiedHoldsControllers,
    startsByFifo: name === 'crun',
    globals: logFile => ['--root', stateDir, '--log', logFile, '--log-format', 'json'],
  };
}

/** The commands of a runtime that need no streams. */
export class RuntimeCommands {
  readonly #launcher: Launcher;

  constructor(launcher: Launcher) {
    this.#launcher = launcher;
  }

  /** Lets a created container run its process. Rejects with `startFailed`. */
  async start(runtime: OciRuntime, id: string, logFile: string): Promise<void> {
    if (runtime.startsByFifo && (await startByFifo(join(runtime.stateDir, id, 'exec.fifo')))) return;
    const outcome = await this.#run(runtime, logFile, ['start', id]);
    if (outcome.status !== 0) throw await startError(outcome, logFile, '');
  }

  /** True when the runtime says that the container has been started and lives. */
  async isRunning(runtime: OciRuntime, id: string, logFile: string): Promise<boolean> {
    const { status, output } = await this.#run(runtime, logFile, ['state', id]);
    return status === 0 && /"status"\s*:\s*"running"/.test(output);
  }

  /** Removes the container's state and cgroup, killing what runs; a container it does not know is no error. */
  async delete(runtime: OciRuntime, id: string, logFile: string): Promise<void> {
    await this.#run(runtime, logFile, ['delete', '--force', id]);
  }

  async update(runtime: OciRuntime, id: string, logFile: string, resourcesFile: string): Promise<void> {
    const outcome = await this.#run(runtime, logFile, ['update', '--resources', resourcesFile, id]);
    if (outcome.status !== 0) throw new CriError('invalid', await lastError(outcome.output, logFile));
  }

  #run(runtime: OciRuntime, logFile: string, args: readonly string[]): Promise<Outcome> {
    const all = [...runtime.globals(logFile), ...args];
    return runtime.hideUnified
      ? this.#launcher.runHidden(runtime.program, all)
      : this.#launcher.run(runtime.program, all);
  }
}

/**
 * Does what `crun start` does (crun src/libcrun/status.c, libcrun_status_write_exec_fifo) without the 5 ms of starting
 * it; false when nobody reads the FIFO, so that the runtime itself can say why.
 */
async function startByFifo(path: string): Promise<boolean> {
  let fifo: FileHandle | undefined;
  try {
    fifo = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
    await rm(path); // by this crun tells a running container from a created one
    await fifo.write(Buffer.alloc(1));
    return true;
  } catch {
    return false;
  } finally {
    await fifo?.close();
  }
}

/** What the runtime said when it refused to make or start a container, as an error fit for a container's state. */
export async function startError(outcome: Outcome, logFile: string, command: string): Promise<CriError> {
  return new CriError('startFailed', explainRuntimeError(await lastError(outcome.output, logFile), command));
}

async function lastError(output: string, logFile: string): Promise<string> {
  const lines = (await readFile(logFile, 'utf8').catch(() => '')).trim().split('\n');
  const logged = lines
    .map(line => {
      try {
        const { msg, level } = JSON.parse(line) as { msg?: string; level?: string };
        return level === 'warning' || level === 'info' || level === 'debug' ? undefined : msg;
      } catch {
        return undefined;
      }
    })
    .filter(msg => msg !== undefined);
  return logged.at(-1) ?? (output.trim() || 'the runtime failed without a word');
}
