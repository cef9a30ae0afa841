/** CRI's RuntimeService over sandboxes and containers: checks, order of calls for one pod, and views. */
import { join } from 'node:path';
import type { Clock } from '#base';
import type { Cni } from '#cni';
import { type ContainerEvent, type ContainerStats, CriError, type RuntimeService } from '#cri';
import type { Cgroups } from './cgroups/cgroups.ts';
import type { DiskUsage } from './disk-usage.ts';
import type { EventHub } from './event-hub.ts';
import type { Host } from './host.ts';
import { KeyedLock } from './keyed-lock.ts';
import type { OciRuntime } from './low-level-runtime/oci-runtime.ts';
import { reopenLog } from './monitor/session.ts';
import type { Sandboxes, SandboxRecord } from './sandboxes/sandboxes.ts';
import { containerStatus } from './tasks/container-record.ts';
import type { Containers } from './tasks/containers.ts';
import type { Sessions } from './tasks/sessions.ts';

export interface RuntimeServiceDeps {
  readonly host: Host;
  readonly clock: Clock;
  readonly cni?: Cni;
  readonly runtimes: ReadonlyMap<string, OciRuntime>;
  readonly sandboxes: Sandboxes;
  readonly containers: Containers;
  readonly sessions: Sessions;
  readonly cgroups: Cgroups;
  readonly events: EventHub<ContainerEvent>;
  readonly diskUsage: DiskUsage;
  readonly version: string;
}

const removeTimeoutMs = 0;

/** See the file header. */
export function createRuntimeService(deps: RuntimeServiceDeps): RuntimeService {
  const { clock, cni, runtimes, sandboxes, containers, sessions, cgroups, events } = deps;
  const locks = new KeyedLock();

  const tellSandbox = (record: SandboxRecord): void =>
    events.emit({
      type: 'SANDBOX',
      podSandboxId: record.id,
      containerId: '',
      podUid: record.config.metadata.uid,
      atMs: clock.now(),
    });
  const containersOf = (sandboxId: string): string[] =>
    containers
      .list()
      .filter(({ record }) => record.sandboxId === sandboxId)
      .map(({ record }) => record.id);
  const stopSandbox = async (id: string): Promise<void> => {
    await Promise.all(containersOf(id).map(each => locks.run(each, () => containers.stop(each, removeTimeoutMs))));
    if (!sandboxes.has(id)) return;
    const record = sandboxes.get(id);
    if (record.stopped) return;
    await sandboxes.stop(id);
    tellSandbox(record);
  };

  return {
    async version() {
      return { runtimeName: 'kobune', runtimeVersion: deps.version, runtimeApiVersion: 'v1' };
    },
    async status() {
      const networkProblem = cni ? await cni.notReadyReason() : 'cni plugin not initialized';
      return [
        { type: 'RuntimeReady', status: true, reason: '', message: '' },
        networkProblem === undefined
          ? { type: 'NetworkReady', status: true, reason: '', message: '' }
          : { type: 'NetworkReady', status: false, reason: 'NetworkPluginNotReady', message: networkProblem },
      ];
    },
    async runPodSandbox(config, runtimeHandler) {
      if (!runtimes.has(runtimeHandler)) {
        throw new CriError('invalid', `no runtime for "${runtimeHandler}" is configured`);
      }
      const record = await sandboxes.create(config, runtimeHandler);
      tellSandbox(record);
      return record.id;
    },
    stopPodSandbox: id => locks.run(id, () => stopSandbox(id)),
    removePodSandbox: id =>
      locks.run(id, async () => {
        if (!sandboxes.has(id)) return;
        await stopSandbox(id);
        await Promise.all(containersOf(id).map(each => locks.run(each, () => containers.remove(each))));
        const record = sandboxes.get(id);
        await sandboxes.remove(id);
        const lastOfPod = !sandboxes.list().some(each => each.config.metadata.uid === record.config.metadata.uid);
        if (lastOfPod && record.config.cgroupParent !== '') cgroups.remove(cgroups.path(record.config.cgroupParent));
        tellSandbox(record);
      }),
    async podSandboxStatus(id) {
      return sandboxes.status(sandboxes.get(id));
    },
    async listPodSandboxes(filter = {}) {
      return sandboxes
        .list()
        .filter(record => filter.podUid === undefined || record.config.metadata.uid === filter.podUid)
        .map(record => sandboxes.status(record))
        .filter(status => filter.state === undefined || status.state === filter.state);
    },
    async createContainer(podSandboxId, config, sandboxConfig) {
      const sandbox = sandboxes.get(podSandboxId);
      if (!sandboxes.isReady(sandbox))
        throw new CriError('invalid', `sandbox container "${podSandboxId}" is not running`);
      return (await containers.create(sandbox, config, sandboxConfig)).id;
    },
    startContainer: id => locks.run(id, () => containers.start(id)),
    stopContainer: (id, timeoutMs) => containers.stop(id, timeoutMs),
    removeContainer: id => locks.run(id, () => containers.remove(id)),
    async containerStatus(id) {
      const { record, exit } = containers.get(id);
      return containerStatus(record, exit);
    },
    async listContainers(filter = {}) {
      return containers
        .list()
        .filter(({ record }) => filter.podSandboxId === undefined || record.sandboxId === filter.podSandboxId)
        .map(({ record, exit }) => containerStatus(record, exit))
        .filter(status => filter.state === undefined || status.state === filter.state);
    },
    updateContainerResources: (id, resources) => locks.run(id, () => containers.updateResources(id, resources)),
    async reopenContainerLog(id) {
      const { exit } = containers.get(id);
      if (exit) throw new CriError('invalid', `container "${id}" is not running`);
      await reopenLog(containers.socketPath(id));
    },
    execSync: (id, command, timeoutMs) => sessions.execSync(id, command, timeoutMs),
    openExec: request => sessions.exec(request),
    async openAttach(request) {
      return sessions.attach(request);
    },
    async openPortForward(podSandboxId, port) {
      return sessions.portForward(sandboxes.get(podSandboxId), port);
    },
    events: signal => events.listen(signal),
    listContainerStats: filter => containerStats(deps, filter?.podSandboxId),
  };
}

async function containerStats(deps: RuntimeServiceDeps, sandboxId: string | undefined): Promise<ContainerStats[]> {
  const { containers, cgroups, host, clock, diskUsage } = deps;
  const running = containers
    .list()
    .filter(({ exit, record }) => !exit && (sandboxId === undefined || record.sandboxId === sandboxId));
  const all = await Promise.all(
    running.map(async ({ record }): Promise<ContainerStats | undefined> => {
      const usage = cgroups.usage(record.cgroupPath);
      if (!usage) return undefined;
      const upper = await diskUsage.of(join(host.nodeDir, 'containers', record.id, 'upper'));
      return {
        id: record.id,
        podSandboxId: record.sandboxId,
        metadata: record.config.metadata,
        labels: record.config.labels,
        atMs: clock.now(),
        ...usage,
        writableLayerBytes: upper.bytes,
        writableLayerInodes: upper.inodes,
      };
    }),
  );
  return all.filter(each => each !== undefined);
}
