/**
 * Containers from create to remove. The low-level runtime is asked to create, start and delete; everything else is read
 * from files and done with signals, because each of its commands costs 5 ms. A container's parent is its monitor, so it
 * lives on without the engine and is adopted by the next one. Upstream: containerd internal/cri/server/container_*.go.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock, Logger, Timer } from '#base';
import { type ContainerConfig, type ContainerEvent, CriError, type LinuxResources, type PodSandboxConfig } from '#cri';
import type { DiskUsage } from '../disk-usage.ts';
import type { EventHub } from '../event-hub.ts';
import type { ImageStore } from '../images/image-store.ts';
import { readJson, writeJson } from '../json-file.ts';
import type { OciRuntime, RuntimeCommands } from '../low-level-runtime/oci-runtime.ts';
import { ociResources } from '../oci-spec/resources.ts';
import { identify, isAlive, signal } from '../process-identity.ts';
import { newId, type SandboxRecord } from '../sandboxes/sandboxes.ts';
import { mountRootfs, unmountRootfs } from '../snapshots/overlay.ts';
import type { ContainerRecord, ExitRecord } from './container-record.ts';
import { ExitWatch } from './exit-watch.ts';
import { containerSpec, type LaunchDeps, launchMonitor } from './launch.ts';
import { signalNumber } from './signals.ts';

export interface ContainerDeps extends LaunchDeps {
  readonly commands: RuntimeCommands;
  readonly runtimes: ReadonlyMap<string, OciRuntime>;
  readonly images: ImageStore;
  readonly events: EventHub<ContainerEvent>;
  readonly diskUsage: DiskUsage;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Exit code and reason of a container whose end nobody saw. Upstream: containerd's unknownExitCode. */
const unknownEnd = { exitCode: 255, signal: 0, oomKilled: false, reason: 'Unknown' } as const;
const startFailureCode = 128;
const killWaitMs = 10_000;
const lookAgainMs = 500;
const orphanCheckMs = 10_000;

/** A container in memory: its record, its end when known, and who waits for it. */
interface Entry {
  record: ContainerRecord;
  exit: ExitRecord | undefined;
  readonly ended: PromiseWithResolvers<void>;
  /** While the runtime starts it; its end is told after that. */
  starting: Promise<void> | undefined;
}

/** See the file header. Callers serialise changes of one id. */
export class Containers {
  readonly #deps: ContainerDeps;
  readonly #exits: ExitWatch;
  readonly #entries = new Map<string, Entry>();
  #ticker: Timer | undefined;

  constructor(deps: ContainerDeps) {
    this.#deps = deps;
    this.#exits = new ExitWatch(join(deps.host.nodeDir, 'exits'));
  }

  /** Adopts what runs, counts what ended meanwhile, clears away what was never finished. */
  async load(): Promise<void> {
    this.#exits.start((id, exit) => void this.#onExit(id, exit));
    const root = join(this.#deps.host.nodeDir, 'containers');
    await mkdir(root, { recursive: true });
    for (const id of await readdir(root)) {
      const record = await readJson<ContainerRecord>(join(root, id, 'container.json'));
      if (!record) await this.#discard(id);
      else if (record.unfinished) await this.#removeUnfinished(record);
      else await this.#adopt(record);
    }
    this.#ticker = this.#deps.clock.setTicker(() => void this.#lookAtOrphans(), orphanCheckMs);
  }

  /** The engine died while the runtime made it. */
  async #removeUnfinished(record: ContainerRecord): Promise<void> {
    const pid = Number(await readFile(join(this.#dir(record.id), 'pid'), 'utf8').catch(() => ''));
    const process = pid > 0 && record.bootId === this.#deps.host.bootId ? identify(pid) : undefined;
    this.#enter({ ...record, ...(process ? { process } : {}) });
    await this.remove(record.id);
  }

  /** Containers whose monitor was killed have nobody to write down their end. */
  async #lookAtOrphans(): Promise<void> {
    for (const entry of this.#entries.values()) {
      const { monitor } = entry.record;
      if (!entry.exit && monitor && !isAlive(monitor)) await this.#look(entry);
    }
  }

  async #adopt(record: ContainerRecord): Promise<void> {
    const { host, clock, logger } = this.#deps;
    const entry = this.#enter(record);
    const exit = await this.#exits.read(record.id);
    const lives = record.bootId === host.bootId && record.process !== undefined && isAlive(record.process);
    if (exit) this.#settle(entry, exit);
    else if (record.refusal !== undefined && record.startedAtMs > 0) this.#settle(entry, refusalExit(record));
    else if (!lives && record.process) {
      logger.info('container ended while nobody watched', { container: record.id });
      const end: ExitRecord = { ...unknownEnd, finishedAtMs: clock.now() };
      await writeJson(this.#exits.path(record.id), end);
      this.#settle(entry, end);
    } else if (lives && record.startedAtMs === 0) await this.#adoptStart(entry);
  }

  /** The engine may have died between starting a container and writing it down: the runtime knows. */
  async #adoptStart(entry: Entry): Promise<void> {
    const { commands, runtimes, clock } = this.#deps;
    const { id, handler } = entry.record;
    const runtime = runtimes.get(handler);
    if (!runtime || !(await commands.isRunning(runtime, id, join(this.#dir(id), 'runtime.log')))) return;
    await this.#update(entry, { startedAtMs: clock.now() });
  }

  list(): ReadonlyArray<{ readonly record: ContainerRecord; readonly exit: ExitRecord | undefined }> {
    return [...this.#entries.values()];
  }

  get(id: string): { readonly record: ContainerRecord; readonly exit: ExitRecord | undefined } {
    return this.#entry(id);
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** The socket of the container's monitor. */
  socketPath(id: string): string {
    return join(this.#deps.host.runDir, 'm', id.slice(0, 16));
  }

  /**
   * Root file system, spec, monitor and the runtime's create. A command that cannot run is not told here but by
   * {@link start}, as containerd does.
   */
  async create(
    sandbox: SandboxRecord,
    config: ContainerConfig,
    sandboxConfig: PodSandboxConfig,
  ): Promise<ContainerRecord> {
    const { images, clock, host, launcher, cgroups } = this.#deps;
    const image = images.find(config.image);
    if (!image) throw new CriError('notFound', `image "${config.image}" not found`);
    const runtime = this.#runtime(sandbox.runtimeHandler);
    const id = newId();
    const dir = this.#dir(id);
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 }); // the spec holds what the pod keeps secret
      const logPath = config.logPath === '' ? '' : join(sandboxConfig.logDirectory, config.logPath);
      const [spec] = await Promise.all([
        mountRootfs(host, launcher, join('containers', id), images.layerDirs(image)).then(() =>
          containerSpec(this.#deps, { id, sandbox, config, image, targetPid: this.#targetPid(config) }),
        ),
        logPath === '' ? undefined : mkdir(dirname(logPath), { recursive: true, mode: 0o755 }),
      ]);
      await writeFile(join(dir, 'config.json'), JSON.stringify(spec));
      const cgroupPath = cgroups.path(sandbox.config.cgroupParent, id);
      const plain: ContainerRecord = {
        id,
        sandboxId: sandbox.id,
        config,
        handler: sandbox.runtimeHandler,
        image: image.repoTags[0] ?? image.repoDigests[0] ?? image.id,
        imageRef: image.repoDigests[0] ?? image.id,
        stopSignal: config.stopSignal ?? image.config.config?.StopSignal ?? '',
        cgroupPath,
        logPath,
        createdAtMs: clock.now(),
        startedAtMs: 0,
        bootId: host.bootId,
        spec: spec.process,
      };
      await this.#save({ ...plain, unfinished: true });
      const paths = { dir, exitFile: this.#exits.path(id), socket: this.socketPath(id) };
      const record = { ...plain, ...(await launchMonitor(this.#deps, runtime, plain, paths)) };
      await this.#save(record);
      this.#enter(record);
      this.#tell('CREATED', record);
      return record;
    } catch (cause) {
      await this.#discard(id);
      throw cause;
    }
  }

  /** Lets the created container run. Rejects with `startFailed`; the container has then ended with 128, StartError. */
  async start(id: string): Promise<void> {
    const entry = this.#entry(id);
    const { record } = entry;
    if (record.startedAtMs > 0 || entry.exit) {
      throw new CriError('invalid', `container "${id}" is ${entry.exit ? 'exited' : 'running'}, not created`);
    }
    if (record.refusal !== undefined) await this.#refuse(entry, record.refusal);
    const begun = this.#begin(entry);
    entry.starting = begun.catch(() => {});
    try {
      await begun;
    } finally {
      entry.starting = undefined;
    }
  }

  async #begin(entry: Entry): Promise<void> {
    const { commands, clock } = this.#deps;
    const { record } = entry;
    try {
      await commands.start(this.#runtime(record.handler), record.id, join(this.#dir(record.id), 'runtime.log'));
    } catch (cause) {
      await this.#refuse(entry, (cause as Error).message);
    }
    await this.#update(entry, { startedAtMs: clock.now() });
    this.#tell('STARTED', record);
  }

  async #refuse(entry: Entry, refusal: string): Promise<never> {
    await this.#update(entry, { refusal, startedAtMs: this.#deps.clock.now() });
    if (entry.record.process) signal(entry.record.process, 'SIGKILL');
    const exit = refusalExit(entry.record);
    await writeJson(this.#exits.path(entry.record.id), exit);
    this.#settle(entry, exit);
    this.#tell('STOPPED', entry.record);
    throw new CriError('startFailed', refusal);
  }

  /** Stop signal, then SIGKILL after `timeoutMs`; resolves when it has ended. */
  async stop(id: string, timeoutMs: number): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry || entry.exit) return;
    const { process, stopSignal, startedAtMs } = entry.record;
    if (!process) {
      this.#settle(entry, { ...unknownEnd, finishedAtMs: this.#deps.clock.now() });
      return;
    }
    if (timeoutMs > 0 && startedAtMs > 0) {
      signal(process, signalNumber(stopSignal));
      if (await this.#ends(entry, timeoutMs)) return;
    }
    this.#kill(entry);
    if (!(await this.#ends(entry, killWaitMs))) {
      throw new CriError('timeout', `container "${id}" did not end ${killWaitMs / 1000} s after SIGKILL`);
    }
  }

  /** Kills if need be and forgets. */
  async remove(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry) return;
    await this.stop(id, 0);
    const { record } = entry;
    const { commands, cgroups, runtimes } = this.#deps;
    if (record.config.securityContext.namespaces.pid !== 'CONTAINER') cgroups.killAll(record.cgroupPath);
    const runtime = runtimes.get(record.handler);
    if (runtime && record.bootId === this.#deps.host.bootId) {
      await commands.delete(runtime, id, join(this.#dir(id), 'runtime.log'));
    }
    cgroups.remove(record.cgroupPath);
    await this.#discard(id);
    this.#deps.diskUsage.prune(path => !path.startsWith(this.#dir(id)));
    this.#entries.delete(id);
    this.#tell('DELETED', record);
  }

  async updateResources(id: string, resources: LinuxResources): Promise<void> {
    const entry = this.#entry(id);
    const { commands, host } = this.#deps;
    const dir = this.#dir(id);
    const file = join(dir, 'resources.json');
    await writeFile(file, JSON.stringify(ociResources(resources, host.cgroupMode)));
    await commands.update(this.#runtime(entry.record.handler), id, join(dir, 'runtime.log'), file);
    const merged = { ...entry.record.config, resources: { ...entry.record.config.resources, ...resources } };
    await this.#update(entry, { config: merged });
  }

  close(): void {
    this.#ticker?.cancel();
    this.#exits.close();
  }

  #kill(entry: Entry): void {
    const { process, config, cgroupPath } = entry.record;
    if (process) signal(process, 'SIGKILL');
    // The first process takes a namespace of its own down with it; a shared one goes by the cgroup.
    if (config.securityContext.namespaces.pid !== 'CONTAINER') this.#deps.cgroups.killAll(cgroupPath);
  }

  /** Waits for the end; looks by itself now and then, should the monitor have died or a notice been lost. */
  async #ends(entry: Entry, timeoutMs: number): Promise<boolean> {
    const { clock } = this.#deps;
    const deadline = clock.monotonicMs() + timeoutMs;
    while (!entry.exit) {
      const left = deadline - clock.monotonicMs();
      if (left <= 0) return false;
      const timer = new AbortController();
      await Promise.race([entry.ended.promise, clock.sleep(Math.min(left, lookAgainMs), timer.signal).catch(() => {})]);
      timer.abort();
      if (!entry.exit) await this.#look(entry);
    }
    return true;
  }

  async #look(entry: Entry): Promise<void> {
    const { record } = entry;
    const exit = await this.#exits.read(record.id);
    if (exit) return this.#onExit(record.id, exit);
    if ((record.monitor && isAlive(record.monitor)) || (record.process && isAlive(record.process))) return;
    const end: ExitRecord = { ...unknownEnd, finishedAtMs: this.#deps.clock.now() };
    await writeJson(this.#exits.path(record.id), end);
    await this.#onExit(record.id, end);
  }

  async #onExit(id: string, exit: ExitRecord): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry || entry.exit) return;
    await entry.starting;
    if (entry.exit) return;
    this.#settle(entry, exit);
    this.#tell('STOPPED', entry.record);
  }

  #settle(entry: Entry, exit: ExitRecord): void {
    entry.exit = exit;
    entry.ended.resolve();
  }

  #enter(record: ContainerRecord): Entry {
    const entry: Entry = { record, exit: undefined, ended: Promise.withResolvers<void>(), starting: undefined };
    this.#entries.set(record.id, entry);
    return entry;
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (!entry) throw new CriError('notFound', `container "${id}" not found`);
    return entry;
  }

  /** The process whose pid namespace the container is to join, for `pid: TARGET`. */
  #targetPid(config: ContainerConfig): number | undefined {
    const { targetId } = config.securityContext.namespaces;
    return targetId === undefined ? undefined : this.#entry(targetId).record.process?.pid;
  }

  #runtime(handler: string): OciRuntime {
    const runtime = this.#deps.runtimes.get(handler);
    if (!runtime) throw new CriError('unavailable', `no runtime for "${handler}" is configured`);
    return runtime;
  }

  async #update(entry: Entry, change: Partial<ContainerRecord>): Promise<void> {
    entry.record = { ...entry.record, ...change };
    await this.#save(entry.record);
  }

  #save(record: ContainerRecord): Promise<void> {
    return writeJson(join(this.#dir(record.id), 'container.json'), record);
  }

  async #discard(id: string): Promise<void> {
    const { host, launcher } = this.#deps;
    await unmountRootfs(host, launcher, join('containers', id));
    await Promise.all([rm(this.#dir(id), { recursive: true, force: true }), this.#exits.forget(id)]);
    await rm(this.socketPath(id), { force: true });
  }

  #dir(id: string): string {
    return join(this.#deps.host.nodeDir, 'containers', id);
  }

  #tell(type: ContainerEvent['type'], record: ContainerRecord): void {
    const { events, clock, sandboxes } = this.#deps;
    const podUid = sandboxes.has(record.sandboxId) ? sandboxes.get(record.sandboxId).config.metadata.uid : '';
    events.emit({ type, podSandboxId: record.sandboxId, containerId: record.id, podUid, atMs: clock.now() });
  }
}

function refusalExit(record: ContainerRecord): ExitRecord {
  return {
    exitCode: startFailureCode,
    signal: 0,
    oomKilled: false,
    finishedAtMs: record.startedAtMs,
    reason: 'StartError',
    message: record.refusal ?? '',
  };
}
