/**
 * Pod sandboxes: the namespaces that a pod's containers share, pinned to paths so that no process has to hold them, its
 * addresses, and its files (hostname, resolv.conf, /dev/shm). Only a pod whose containers share their processes gets a
 * pause process. Upstream: containerd internal/cri/server/sandbox_run.go.
 */
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Logger } from '#base';
import type { Cni } from '#cni';
import { CriError, type Mount, type PodSandboxConfig, type PodSandboxStatus } from '#cri';
import type { Host } from '../host.ts';
import { readJson, writeJson } from '../json-file.ts';
import type { Launcher } from '../monitor/launcher.ts';
import type { NamespacePaths } from '../oci-spec/generate.ts';
import { identify, isAlive, type ProcessIdentity, signal } from '../process-identity.ts';
import { resolvConf } from './resolv-conf.ts';

/** What is known of a sandbox; kept as `sandboxes/<id>/sandbox.json`. */
export interface SandboxRecord {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly runtimeHandler: string;
  readonly createdAtMs: number;
  readonly bootId: string;
  readonly ips: readonly string[];
  /** Paths; absent when the host's own is used. */
  readonly netns?: string;
  readonly ipc?: string;
  readonly uts?: string;
  readonly pid?: string;
  readonly pause?: ProcessIdentity;
  /** True when its network was given back. */
  readonly stopped: boolean;
}

export interface SandboxDeps {
  readonly host: Host;
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Absent: only pods on the host's network can run. */
  readonly cni?: Cni;
}

const shmBytes = 64 * 1024 * 1024;

/** 64 hexadecimal digits, as containerd's. */
export function newId(): string {
  return randomBytes(32).toString('hex');
}

/** See the file header. Callers serialise calls for one id. */
export class Sandboxes {
  readonly #deps: SandboxDeps;
  readonly #records = new Map<string, SandboxRecord>();

  constructor(deps: SandboxDeps) {
    this.#deps = deps;
  }

  /** Reads what is on disk; a sandbox of an earlier boot counts as stopped. */
  async load(): Promise<void> {
    const root = join(this.#deps.host.nodeDir, 'sandboxes');
    await mkdir(root, { recursive: true });
    for (const id of await readdir(root)) {
      const record = await readJson<SandboxRecord>(join(root, id, 'sandbox.json'));
      if (record) this.#records.set(id, record);
      else await this.#discard(id);
    }
  }

  list(): readonly SandboxRecord[] {
    return [...this.#records.values()];
  }

  get(id: string): SandboxRecord {
    const record = this.#records.get(id);
    if (!record) throw new CriError('notFound', `sandbox "${id}" not found`);
    return record;
  }

  has(id: string): boolean {
    return this.#records.has(id);
  }

  isReady(record: SandboxRecord): boolean {
    if (record.stopped || record.bootId !== this.#deps.host.bootId) return false;
    return record.pause === undefined || isAlive(record.pause);
  }

  status(record: SandboxRecord): PodSandboxStatus {
    const { id, config, createdAtMs, ips, runtimeHandler } = record;
    const { metadata, labels, annotations } = config;
    const state = this.isReady(record) ? 'READY' : 'NOTREADY';
    return { id, metadata, state, createdAtMs, ips, labels, annotations, runtimeHandler };
  }

  /** Makes namespaces, files and network; when one fails, the rest is taken back and the error thrown. */
  async create(config: PodSandboxConfig, runtimeHandler: string): Promise<SandboxRecord> {
    const { host, clock, cni } = this.#deps;
    const id = newId();
    const onHost = config.namespaces.network === 'NODE';
    if (!onHost && !cni) throw new CriError('unavailable', 'cni plugin not initialized');
    const pins = this.#pins(id);
    const plain: SandboxRecord = {
      id,
      config,
      runtimeHandler,
      createdAtMs: clock.now(),
      bootId: host.bootId,
      ips: [],
      ...(onHost ? {} : { netns: join(host.netnsDir, `kb-${id.slice(0, 16)}`), uts: join(pins, 'uts') }),
      ...(config.namespaces.ipc === 'NODE' ? {} : { ipc: join(pins, 'ipc') }),
      ...(config.namespaces.pid === 'POD' ? { pid: join(pins, 'pid') } : {}),
      stopped: false,
    };
    try {
      await mkdir(this.#dir(id), { recursive: true });
      // On disk before anything is pinned: whoever comes after a crash knows what to take back.
      await writeJson(join(this.#dir(id), 'sandbox.json'), { ...plain, stopped: true });
      const [pause] = await Promise.all([this.#makeNamespaces(plain), this.#makeFiles(plain)]);
      const ips = onHost ? [] : await this.#connect(plain);
      const record: SandboxRecord = { ...plain, ips, ...(pause ? { pause } : {}) };
      await this.#save(record);
      return record;
    } catch (cause) {
      await this.#takeBack(plain).catch(error =>
        this.#deps.logger.warn('a failed sandbox was not taken back wholly', { sandbox: id, error }),
      );
      await this.#discard(id);
      throw cause;
    }
  }

  /** Gives the network and the namespaces back; idempotent. */
  async stop(id: string): Promise<void> {
    const record = this.#records.get(id);
    if (!record || record.stopped) return;
    await this.#takeBack(record);
    await this.#save({ ...record, stopped: true });
  }

  /** Stops it if need be and forgets it; idempotent. What a crash left half made is taken back too. */
  async remove(id: string): Promise<void> {
    const record = this.#records.get(id);
    if (record) await this.#takeBack(record);
    this.#records.delete(id);
    await this.#discard(id);
  }

  /** The paths that a container of this pod joins; `targetPid` is for `pid: TARGET`. */
  namespaces(record: SandboxRecord, pidMode: string, targetPid: number | undefined): NamespacePaths {
    const { netns, ipc, uts, pid } = record;
    const shared =
      pidMode === 'TARGET' && targetPid ? `/proc/${targetPid}/ns/pid` : pidMode === 'POD' ? pid : undefined;
    return {
      ...(netns ? { network: netns } : {}),
      ...(ipc ? { ipc } : {}),
      ...(uts ? { uts } : {}),
      ...(shared ? { pid: shared } : {}),
      newPid: pidMode === 'CONTAINER' || (pidMode === 'POD' && !pid) || (pidMode === 'TARGET' && !shared),
    };
  }

  /** Files that every container of the pod sees. */
  podMounts(record: SandboxRecord): Mount[] {
    const mount = (containerPath: string, hostPath: string): Mount => ({
      containerPath,
      hostPath,
      readonly: false,
      propagation: 'PRIVATE',
    });
    const dir = this.#dir(record.id);
    return [
      mount('/etc/hostname', join(dir, 'hostname')),
      mount('/etc/resolv.conf', join(dir, 'resolv.conf')),
      mount('/dev/shm', record.ipc ? join(this.#pins(record.id), 'shm') : '/dev/shm'),
    ];
  }

  async #makeNamespaces(record: SandboxRecord): Promise<ProcessIdentity | undefined> {
    const { host, launcher } = this.#deps;
    const { config, netns = '-', ipc = '-', uts = '-', pid = '-' } = record;
    const shm = join(this.#pins(record.id), 'shm');
    await Promise.all([mkdir(shm, { recursive: true }), mkdir(host.netnsDir, { recursive: true })]);
    const sysctls = Object.entries(config.sysctls).map(([name, value]) => `${name}=${value}`);
    const [printed] = await Promise.all([
      launcher.kernel('sandbox', config.hostname, netns, ipc, uts, pid, ...sysctls),
      ipc === '-' ? undefined : launcher.kernel('tmpfs', shm, `mode=1777,size=${shmBytes}`),
    ]);
    return printed.trim() === '' ? undefined : identify(Number(printed));
  }

  async #makeFiles({ id, config }: SandboxRecord): Promise<void> {
    const dir = this.#dir(id);
    const resolv = resolvConf(config.dnsConfig);
    await Promise.all([
      writeFile(join(dir, 'hostname'), `${config.hostname}\n`),
      resolv === undefined
        ? copyFile('/etc/resolv.conf', join(dir, 'resolv.conf')).catch(() => writeFile(join(dir, 'resolv.conf'), ''))
        : writeFile(join(dir, 'resolv.conf'), resolv),
    ]);
  }

  async #connect({ id, config, netns }: SandboxRecord): Promise<readonly string[]> {
    const { metadata, portMappings } = config;
    const { ips } = await this.#deps.cni!.add({
      containerId: id,
      netnsPath: netns!,
      ifName: 'eth0',
      podNamespace: metadata.namespace,
      podName: metadata.name,
      podUid: metadata.uid,
      hostPorts: portMappings.filter(mapping => mapping.hostPort > 0),
    });
    return ips;
  }

  async #takeBack(record: SandboxRecord): Promise<void> {
    const { launcher, cni } = this.#deps;
    if (record.pause) signal(record.pause, 'SIGKILL');
    if (record.netns && cni) await cni.del({ containerId: record.id, netnsPath: record.netns, ifName: 'eth0' });
    const pins = this.#pins(record.id);
    const pinned = [record.netns, record.ipc, record.uts, record.pid].filter(path => path !== undefined);
    await Promise.all([...pinned, join(pins, 'shm')].map(path => launcher.kernel('unmount', path)));
    if (record.netns) await rm(record.netns, { force: true });
    await rm(pins, { recursive: true, force: true });
  }

  async #discard(id: string): Promise<void> {
    await rm(this.#dir(id), { recursive: true, force: true });
  }

  async #save(record: SandboxRecord): Promise<void> {
    await writeJson(join(this.#dir(record.id), 'sandbox.json'), record);
    this.#records.set(record.id, record);
  }

  #dir(id: string): string {
    return join(this.#deps.host.nodeDir, 'sandboxes', id);
  }

  #pins(id: string): string {
    return join(this.#deps.host.runDir, 'ns', id.slice(0, 16));
  }
}
