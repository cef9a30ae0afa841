/**
 * Exec, attach, port-forward: streams into containers and pods through monitors.
 * Upstream: containerd internal/cri/server/container_exec*.go, sandbox_portforward_linux.go.
 */
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Clock } from '#base';
import { CriError, type StreamRequest, type StreamSession } from '#cri';
import type { Host } from '../host.ts';
import { explainExecError } from '../low-level-runtime/explain.ts';
import type { OciRuntime } from '../low-level-runtime/oci-runtime.ts';
import type { Launcher } from '../monitor/launcher.ts';
import { openSession } from '../monitor/session.ts';
import type { Sandboxes, SandboxRecord } from '../sandboxes/sandboxes.ts';
import type { Containers } from './containers.ts';

export interface SessionDeps {
  readonly host: Host;
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly containers: Containers;
  readonly sandboxes: Sandboxes;
  readonly runtimes: ReadonlyMap<string, OciRuntime>;
  readonly monitorCgroupFiles: readonly string[];
}

const maxCollectedBytes = 16 * 1024 * 1024;

/** See the file header. */
export class Sessions {
  readonly #deps: SessionDeps;

  constructor(deps: SessionDeps) {
    this.#deps = deps;
  }

  async exec(request: StreamRequest & { readonly command: readonly string[] }): Promise<StreamSession> {
    const { runtimes, launcher, host, monitorCgroupFiles } = this.#deps;
    const { record } = this.#running(request.containerId);
    const runtime = runtimes.get(record.handler);
    if (!runtime) throw new CriError('unavailable', `no runtime for "${record.handler}" is configured`);
    const name = randomBytes(8).toString('hex');
    const path = (suffix: string): string => join(host.runDir, 'x', `${name}${suffix}`);
    const env = request.tty && !record.spec.env.some(each => each.startsWith('TERM=')) ? ['TERM=xterm'] : [];
    const process = { ...record.spec, terminal: request.tty, args: request.command, env: [...record.spec.env, ...env] };
    await writeFile(path('.json'), JSON.stringify(process));
    const forget = (): Promise<unknown> => Promise.all(['.json', '.log'].map(each => rm(path(each), { force: true })));
    try {
      const { output } = await launcher.self('exec', [
        ...['--id', record.id, '--runtime', runtime.program],
        ...runtime.globals(path('.log')).flatMap(argument => ['--global', argument]),
        ...['--process', path('.json'), '--socket', path(''), '--pid-file', path('.pid')],
        ...['--tty', request.tty ? '1' : '0', '--stdin', request.stdin ? '1' : '0'],
        ...['--hide-unified', runtime.hideUnified ? '1' : '0'],
        ...monitorCgroupFiles.flatMap(file => ['--cgroup-procs', file]),
      ]);
      if (!output.startsWith('ok')) throw new CriError('unavailable', output.trim());
      const session = await openSession(path(''), request, text =>
        explainExecError(text, request.command[0] ?? '', name),
      );
      void session.exit.then(forget, forget);
      return session;
    } catch (cause) {
      await forget();
      throw cause;
    }
  }

  /** Runs to the end, both outputs collected. Rejects with `timeout` when it takes longer (0: no limit). */
  async execSync(
    id: string,
    command: readonly string[],
    timeoutMs: number,
  ): Promise<{ stdout: Buffer; stderr: Buffer; exitCode: number }> {
    const session = await this.exec({ containerId: id, command, stdin: false, stdout: true, stderr: true, tty: false });
    let timedOut = false;
    const timer =
      timeoutMs > 0
        ? this.#deps.clock.setTimer(() => {
            timedOut = true;
            session.close();
          }, timeoutMs)
        : undefined;
    try {
      const [stdout, stderr, exitCode] = await Promise.all([
        collect(session.stdout!),
        collect(session.stderr!),
        session.exit,
      ]);
      return { stdout, stderr, exitCode };
    } catch (cause) {
      if (timedOut) throw new CriError('timeout', `command ${JSON.stringify(command.join(' '))} timed out`, { cause });
      throw cause;
    } finally {
      timer?.cancel();
    }
  }

  attach(request: StreamRequest): Promise<StreamSession> {
    const { record } = this.#running(request.containerId);
    const streams = { ...request, tty: record.config.tty };
    return openSession(this.#deps.containers.socketPath(record.id), streams, text => text);
  }

  /** A connection made inside the pod's network, so that servers on its loopback are reached too. */
  async portForward(sandbox: SandboxRecord, port: number): Promise<Duplex> {
    const { launcher, host, sandboxes } = this.#deps;
    if (!sandboxes.isReady(sandbox)) throw new CriError('invalid', `sandbox "${sandbox.id}" is not running`);
    const path = join(host.runDir, 'x', randomBytes(8).toString('hex'));
    const { status, output } = await launcher.self('dial', [sandbox.netns ?? '-', String(port), path]);
    if (status !== 0) {
      const why = output
        .trim()
        .replace(/^connect: /, '')
        .toLowerCase();
      const where = `failed to connect to localhost:${port} inside namespace "${sandbox.id}"`;
      throw new CriError('unavailable', `${where}: dial tcp 127.0.0.1:${port}: connect: ${why}`);
    }
    return new Promise((resolve, reject) => {
      const socket = connect({ path, allowHalfOpen: true }, () => resolve(socket));
      socket.once('error', reject);
    });
  }

  #running(id: string): ReturnType<Containers['get']> {
    const entry = this.#deps.containers.get(id);
    if (entry.exit || entry.record.startedAtMs === 0) {
      const state = entry.exit ? 'CONTAINER_EXITED' : 'CONTAINER_CREATED';
      throw new CriError('invalid', `container is in ${state} state`);
    }
    return entry;
  }
}

/** Reads to the end; what is beyond the limit is dropped. */
async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    if (size < maxCollectedBytes) chunks.push(chunk);
    size += chunk.length;
  }
  return Buffer.concat(chunks).subarray(0, maxCollectedBytes);
}
