/**
 * The engine put together: launcher, images, sandboxes, containers, sessions, behind the CRI contract. Everything it
 * keeps is under the host value's two directories; a new engine on them adopts what the last one left running.
 */
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type Logger, UserError } from '#base';
import type { Cni } from '#cni';
import type { ContainerEngine, ContainerEvent } from '#cri';
import { Cgroups } from './cgroups/cgroups.ts';
import { DiskUsage } from './disk-usage.ts';
import { EventHub } from './event-hub.ts';
import { detectHost, type Host } from './host.ts';
import { createImageService } from './image-service.ts';
import { createImageAdmin, type ImageAdmin } from './images/admin.ts';
import { ContentStore } from './images/content-store.ts';
import { ImageStore } from './images/image-store.ts';
import { createPuller } from './images/pull.ts';
import { probeRuntimes, RuntimeCommands } from './low-level-runtime/oci-runtime.ts';
import { createLauncher, type Launcher } from './monitor/launcher.ts';
import { findMonitorProgram } from './monitor/monitor-program.ts';
import { createRuntimeService } from './runtime-service.ts';
import { Sandboxes } from './sandboxes/sandboxes.ts';
import { probeOverlay } from './snapshots/overlay.ts';
import { Containers } from './tasks/containers.ts';
import { Sessions } from './tasks/sessions.ts';

export interface ContainerEngineDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Absent: only pods on the host's network can run. */
  readonly cni?: Cni;
  /** Default: looked up from `config` by {@link detectHost}. */
  readonly host?: Host;
}

export interface ContainerEngineConfig {
  /** State that survives a reboot, as `/var/lib/kobune/default/node`. */
  readonly nodeDir: string;
  /** Sockets and namespaces, as `/run/kobune/0a1b2c3d4e`; at most 60 bytes. */
  readonly runDir: string;
  /** Begins every cgroup path, as `/kobune/0a1b2c3d4e`. */
  readonly cgroupPrefix: string;
  /** Version to report; free text. */
  readonly version?: string;
  /** Programs by RuntimeClass handler; default: those of crun, runc, runsc … that are installed. */
  readonly runtimePrograms?: Readonly<Record<string, string>>;
  /** Registries (host or host:port) to be spoken to without TLS, besides those on loopback. */
  readonly plainHttpRegistries?: readonly string[];
  /** Only to take away what an earlier engine left: what it takes to start containers may be missing. */
  readonly forRemoval?: boolean;
  /** Directory of Localhost seccomp profiles; default /var/lib/kubelet/seccomp. */
  readonly seccompDir?: string;
}

/** The engine with what administrators need beyond CRI. */
export interface KobuneEngine extends ContainerEngine, ImageAdmin {
  /** Handlers that work, and the version of each. */
  readonly runtimes: ReadonlyArray<{ readonly handler: string; readonly program: string; readonly version: string }>;
  /**
   * Ends and removes every container and sandbox, with mounts, namespaces and cgroups; with `images` also everything
   * else under the two directories. The engine can only be disposed after that.
   */
  removeEverything(options?: { readonly images?: boolean }): Promise<void>;
}

const maxRunDirBytes = 60;

/** Starts an engine. Throws a UserError that names what is missing on this machine. Disposing leaves containers running. */
export async function createContainerEngine(
  deps: ContainerEngineDeps,
  config: ContainerEngineConfig,
): Promise<KobuneEngine> {
  checkMachine(config);
  const host = deps.host ?? detectHost(config);
  const launcher = createLauncher(findMonitorProgram());
  try {
    return await assemble(deps, config, host, launcher);
  } catch (cause) {
    await launcher[Symbol.asyncDispose]();
    throw cause;
  }
}

function checkMachine(config: ContainerEngineConfig): void {
  if (process.platform !== 'linux') throw new UserError('Containers run on Linux only.');
  if (process.getuid?.() !== 0) {
    throw new UserError('Running containers needs root.', { remedy: 'Run the same command with sudo.' });
  }
  if (Buffer.byteLength(config.runDir) > maxRunDirBytes) {
    throw new UserError(`The path ${config.runDir} is too long for sockets (at most ${maxRunDirBytes} bytes).`);
  }
}

async function assemble(
  deps: ContainerEngineDeps,
  config: ContainerEngineConfig,
  host: Host,
  launcher: Launcher,
): Promise<KobuneEngine> {
  const { clock, logger, cni } = deps;
  await rm(join(host.runDir, 'x'), { recursive: true, force: true }); // sessions end with the engine that opened them
  const directories = [host.nodeDir, ...['m', 'x', 'ns', 'runtime'].map(name => join(host.runDir, name))];
  await Promise.all(directories.map(dir => mkdir(dir, { recursive: true, mode: 0o711 })));
  const cgroups = new Cgroups(host);
  const content = new ContentStore(host.nodeDir);
  const store = new ImageStore(host.nodeDir, content, launcher);
  const [runtimes] = await Promise.all([
    probeRuntimes(launcher, host, config.runtimePrograms),
    config.forRemoval ? undefined : probeOverlay(host, launcher),
    store.load(),
  ]);
  if (runtimes.size === 0 && !config.forRemoval) {
    throw new UserError('There is no container runtime (crun or runc) on this machine.', {
      remedy: 'apt-get install crun',
    });
  }
  const diskUsage = new DiskUsage(clock);
  const events = new EventHub<ContainerEvent>();
  const monitorCgroupFiles = cgroups.makeOwn('monitors');
  const sandboxes = new Sandboxes({ host, launcher, clock, logger, ...(cni ? { cni } : {}) });
  const containers = new Containers({
    host,
    launcher,
    commands: new RuntimeCommands(launcher),
    runtimes,
    images: store,
    sandboxes,
    cgroups,
    events,
    diskUsage,
    clock,
    logger,
    seccompDir: config.seccompDir ?? '/var/lib/kubelet/seccomp',
    monitorCgroupFiles,
  });
  await sandboxes.load();
  await containers.load();
  const sessions = new Sessions({ host, launcher, clock, containers, sandboxes, runtimes, monitorCgroupFiles });
  const runtime = createRuntimeService({
    host,
    clock,
    ...(cni ? { cni } : {}),
    runtimes,
    sandboxes,
    containers,
    sessions,
    cgroups,
    events,
    diskUsage,
    version: config.version ?? '0',
  });
  const puller = createPuller({ content, store, plainHttpRegistries: config.plainHttpRegistries ?? [] });
  const images = createImageService({ host, store, puller, diskUsage, containers: () => containers.list() });
  const close = async (): Promise<void> => {
    containers.close();
    await launcher[Symbol.asyncDispose]();
  };
  return {
    runtime,
    images,
    ...createImageAdmin(store, content),
    runtimes: [...runtimes]
      .filter(([handler]) => handler !== '')
      .map(([, { handler, program, version }]) => ({ handler, program, version })),
    async removeEverything({ images: alsoImages = false } = {}) {
      await Promise.all(sandboxes.list().map(({ id }) => runtime.removePodSandbox(id)));
      await Promise.all(containers.list().map(({ record }) => runtime.removeContainer(record.id)));
      await waitForMonitors(host, clock);
      cgroups.removeAll();
      for (const name of ['m', 'x', 'ns', 'runtime'])
        await rm(join(host.runDir, name), { recursive: true, force: true });
      if (alsoImages) await rm(host.nodeDir, { recursive: true, force: true });
      await rmdir(host.runDir).catch(() => {}); // others may keep something there
    },
    [Symbol.asyncDispose]: close,
  };
}

/** Monitors end by themselves when their container has; their sockets go with them. */
async function waitForMonitors(host: Host, clock: Clock): Promise<void> {
  for (let waitedMs = 0; waitedMs < 6000; waitedMs += 50) {
    const left = [...(await readdir(join(host.runDir, 'm'))), ...(await readdir(join(host.runDir, 'x')))];
    if (left.length === 0) return;
    await clock.sleep(50);
  }
}
