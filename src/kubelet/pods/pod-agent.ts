/**
 * Follows pods through their lives: admission, syncing, termination, cleaning up. Holds what the steps share.
 * Upstream: pkg/kubelet/kubelet.go (SyncPod, SyncTerminatingPod, SyncTerminatedPod, HandlePod…), kubelet_pods.go.
 *
 * Longer than most because it is the one place where a pod's parts meet.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parseTimeMs } from '#apimachinery';
import type { Client, EventRecorder } from '#client';
import type {
  ConfigMap,
  Container,
  Node,
  Pod,
  PodStatus,
  ResourceList,
  RuntimeClass,
  Secret,
  Service,
} from '../api-objects.ts';
import { BackOff } from '../back-off.ts';
import type { CgroupManager } from '../cgroups/cgroup-manager.ts';
import { containerResources } from '../cgroups/resources.ts';
import type { KubeletConfig, KubeletDeps } from '../config.ts';
import type { DownwardContext } from '../env/downward.ts';
import { podRef } from '../events.ts';
import type { Machine } from '../node/machine.ts';
import { ObjectCache } from '../object-cache.ts';
import { findCondition, formatPod, isStaticPod, isTerminalPhase } from '../pod-helpers.ts';
import { ProbeManager } from '../probes/probe-manager.ts';
import { Allocations, shownResources } from '../resize/allocations.ts';
import { resources } from '../resources.ts';
import { ImageManager } from '../runtime/image-manager.ts';
import { PodRuntime } from '../runtime/pod-runtime.ts';
import { type PodRuntimeStatus, readPodRuntimeStatus, TerminationMessages } from '../runtime/pod-runtime-status.ts';
import { podLogDirectory } from '../runtime/sandbox-config.ts';
import { messageOf } from '../runtime/start-error.ts';
import { reconcileMirror } from '../static-pods.ts';
import { apiPodStatus, type StatusContext } from '../status/api-status.ts';
import { containersReady, podReady } from '../status/conditions.ts';
import { StatusManager } from '../status/status-manager.ts';
import { TokenManager } from '../tokens.ts';
import { referencedNames } from '../volumes/payload.ts';
import { MountError, type MountedVolume, VolumeManager } from '../volumes/volume-manager.ts';
import { admitPod } from './admission.ts';
import type { EngineListener } from './engine-follower.ts';
import { Housekeeping, ignoreNotFound } from './housekeeping.ts';
import { pullSecrets, runtimeHandler, trustBundle } from './pod-inputs.ts';
import { type Ending, type PodSyncer, PodWorkers, type Step, type SyncOutcome } from './pod-workers.ts';

export interface PodAgentDeps extends KubeletDeps {
  readonly config: KubeletConfig;
  readonly client: Client;
  readonly recorder: EventRecorder;
  readonly cgroups: CgroupManager;
  readonly machine: Machine;
  readonly runtimeName: string;
  allocatable(): ResourceList;
  node(): Node | undefined;
  services(): Iterable<Service> | undefined;
  runtimeClass(name: string): RuntimeClass | undefined;
  pressures(): { readonly memory: boolean; readonly disk: boolean };
}

const firstBackOffMs = 10_000;

export class PodAgent implements PodSyncer, EngineListener, AsyncDisposable {
  readonly #deps: PodAgentDeps;
  /** By uid; static pods among them. */
  readonly #pods = new Map<string, Pod>();
  /** By namespace and name. */
  readonly #mirrors = new Map<string, Pod>();
  readonly #configMaps: ObjectCache<ConfigMap>;
  readonly #secrets: ObjectCache<Secret>;
  readonly #messages = new TerminationMessages();
  readonly #tokens: TokenManager;
  readonly #volumes: VolumeManager;
  readonly #runtime: PodRuntime;
  readonly #probes: ProbeManager;
  readonly #status: StatusManager;
  readonly #workers: PodWorkers;
  readonly #admitted = new Set<string>();
  readonly #allocations: Allocations;
  readonly #housekeeping: Housekeeping;
  readonly #timers: Array<{ cancel(): void }> = [];
  readonly #refreshing = new Set<string>();
  readonly #statusContext: StatusContext;
  #adopted: ReadonlySet<string> = new Set();

  constructor(deps: PodAgentDeps) {
    this.#deps = deps;
    const { client, clock, config, engine, recorder, paths } = deps;
    const changed = (uids: Iterable<string>): void => {
      for (const uid of uids) this.#workers.poke(uid);
    };
    this.#configMaps = new ObjectCache(deps, client.resource(resources.configMaps), 'configmap', changed);
    this.#secrets = new ObjectCache(deps, client.resource(resources.secrets), 'secret', changed);
    this.#tokens = new TokenManager(deps);
    this.#allocations = new Allocations(deps);
    const objects = {
      configMap: (namespace: string, name: string) => this.#configMaps.get(namespace, name),
      secret: (namespace: string, name: string) => this.#secrets.get(namespace, name),
    };
    this.#volumes = new VolumeManager({
      clock,
      podsDirectory: join(paths.root, 'pods'),
      memoryBytes: deps.machine.memoryBytes,
      claim: (namespace, name) => client.resource(resources.claims).namespace(namespace).get(name),
      persistentVolume: name => client.resource(resources.volumes).get(name),
      sources: {
        ...objects,
        token: (pod, audience, seconds) => this.#tokens.token(pod, audience, seconds),
        trustBundle: source => trustBundle(client, source),
        downward: pod =>
          this.#downward(
            pod,
            (this.#status.get(pod.metadata.uid ?? '')?.podIPs ?? []).map(({ ip }) => ip),
          ),
      },
    });
    this.#runtime = new PodRuntime({
      ...deps,
      images: new ImageManager({
        engine,
        clock,
        recorder,
        slots: config.serializeImagePulls ? 1 : config.maxParallelImagePulls,
      }),
      backOff: new BackOff(clock, firstBackOffMs, config.maxContainerBackOffMs),
      sources: { ...objects, services: () => deps.services() },
      settings: {
        podLogs: paths.podLogs,
        cgroupParent: config.cgroupParent,
        clusterDns: config.clusterDns,
        clusterDomain: config.clusterDomain,
        nodeHostname: config.hostname,
        nodeIps: config.nodeIps,
        resolvConf: paths.resolvConf,
      },
      downward: (pod, ips) => this.#downward(pod, ips),
      resources: (pod, container) => containerResources(pod, container, deps.machine.memoryBytes),
      volumes: uid => this.#volumes.mounted(uid),
      podDirectory: uid => this.#volumes.podDirectory(uid),
      runtimeHandler: pod => runtimeHandler(deps, pod),
      pullSecrets: pod => pullSecrets(deps, objects.secret, pod),
      created: (pod, container) => this.#allocations.actuate(pod.metadata.uid ?? '', container),
      started: pod => void this.#refresh(pod),
    });
    this.#status = new StatusManager({
      ...deps,
      apiPod: uid => this.#apiPod(uid),
      couldRun: uid => this.#workers.couldHaveRunningContainers(uid),
    });
    this.#probes = new ProbeManager({
      ...deps,
      runtime: engine.runtime,
      startedMs: clock.now(),
      status: uid => this.#status.get(uid),
      changed: (uid, type, containerId, outcome) => this.#probeChanged(uid, type, containerId, outcome),
    });
    this.#workers = new PodWorkers({ ...deps, syncer: this, syncPeriodMs: config.syncPeriodMs });
    this.#housekeeping = new Housekeeping({
      ...deps,
      runtime: this.#runtime,
      volumes: this.#volumes,
      workers: this.#workers,
      messages: this.#messages,
      pods: this.#pods,
      status: uid => this.runtimeStatus(uid),
      removed: uid => this.removed(uid),
      isPastDeadline: pod => this.#deadline(pod, pod.status ?? {})?.passed ?? false,
    });
    this.#statusContext = {
      nodeIps: config.nodeIps,
      runtimeName: deps.runtimeName,
      failure: (uid, name) => this.#runtime.failure(uid, name),
      applyProbes: (pod, status, init) => {
        const actuated = this.#allocations.actuated(pod.metadata.uid ?? '', status.name);
        return shownResources(this.#probes.apply(pod, status, init), actuated);
      },
      evicted: () => undefined,
      resizeConditions: pod => this.#allocations.conditions(pod),
    };
  }

  // ---- where pods come from

  pods(): Pod[] {
    return [...this.#pods.values()];
  }

  /** By name, or by uid when it is given. Static pods answer to their mirror's uid too. */
  findPod(namespace: string, name: string, uid?: string): Pod | undefined {
    const mirror = this.#mirrors.get(`${namespace}/${name}`);
    return this.pods().find(
      ({ metadata }) =>
        metadata.namespace === namespace &&
        metadata.name === name &&
        (uid === undefined || metadata.uid === uid || mirror?.metadata.uid === uid),
    );
  }

  status(uid: string): PodStatus | undefined {
    return this.#status.get(uid);
  }

  podAdded(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    this.#pods.set(uid, pod);
    if (!this.#workers.isTerminationRequested(uid) && !isTerminalPhase(pod.status?.phase)) {
      if (!this.#admit(pod)) return;
    }
    this.#workers.update(pod);
  }

  podUpdated(pod: Pod, old: Pod): void {
    const uid = pod.metadata.uid ?? '';
    this.#pods.set(uid, pod);
    this.#status.reconcile(pod);
    if (sameButStatus(pod, old)) {
      if (pod.spec.readinessGates?.length) this.#workers.poke(uid);
      return;
    }
    if (this.#rejected(uid) && pod.metadata.deletionTimestamp) this.#workers.update(pod);
    else if (this.#workers.has(uid) || this.#admit(pod)) this.#workers.update(pod);
  }

  podRemoved(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    this.#pods.delete(uid);
    this.#admitted.delete(uid);
    if (this.#workers.has(uid)) this.#workers.remove(pod);
    else void this.removed(uid);
  }

  mirrorChanged(mirror: Pod): void {
    this.#mirrors.set(`${mirror.metadata.namespace}/${mirror.metadata.name}`, mirror);
    const pod = this.findPod(mirror.metadata.namespace ?? '', mirror.metadata.name ?? '');
    if (pod) this.#workers.poke(pod.metadata.uid ?? '');
  }

  mirrorGone(mirror: Pod): void {
    this.#mirrors.delete(`${mirror.metadata.namespace}/${mirror.metadata.name}`);
    const pod = this.findPod(mirror.metadata.namespace ?? '', mirror.metadata.name ?? '');
    if (pod) this.#workers.poke(pod.metadata.uid ?? '');
  }

  /** The static pods there are now. */
  setStaticPods(pods: readonly Pod[], client: Client): void {
    const uids = new Set(pods.map(pod => pod.metadata.uid));
    for (const pod of this.pods()) {
      if (!isStaticPod(pod) || uids.has(pod.metadata.uid)) continue;
      this.podRemoved(pod);
      const { namespace = '', name = '' } = pod.metadata;
      const mirror = this.#mirrors.get(`${namespace}/${name}`);
      if (mirror)
        void client
          .resource(resources.pods)
          .namespace(namespace)
          .delete(name, { gracePeriodSeconds: 0 })
          .catch(() => {});
    }
    for (const pod of pods) if (!this.#pods.has(pod.metadata.uid ?? '')) this.podAdded(pod);
  }

  #rejected(uid: string): boolean {
    return !this.#admitted.has(uid);
  }

  #admit(pod: Pod): boolean {
    const uid = pod.metadata.uid ?? '';
    if (this.#admitted.has(uid) || pod.metadata.deletionTimestamp || this.#adopted.has(uid)) {
      this.#admitted.add(uid);
      this.#allocations.admit(pod);
      return true;
    }
    const pressures = this.#deps.pressures();
    const rejection = this.#refuse(pod, { memoryPressure: pressures.memory, diskPressure: pressures.disk });
    if (!rejection) {
      this.#admitted.add(uid);
      this.#allocations.admit(pod);
      return true;
    }
    this.#deps.recorder.eventAbout(podRef(pod), 'Warning', rejection.reason, rejection.message);
    const message = `Pod was rejected: ${rejection.message}`;
    this.#status.set(pod, { ...pod.status, phase: 'Failed', reason: rejection.reason, message });
    return false;
  }

  #refuse(pod: Pod, pressure: { readonly memoryPressure: boolean; readonly diskPressure: boolean }) {
    const others = this.pods().filter(other => {
      const id = other.metadata.uid ?? '';
      const ended = isTerminalPhase(other.status?.phase) || this.#hasEnded(id);
      return id !== pod.metadata.uid && this.#admitted.has(id) && !ended;
    });
    return admitPod(pod, { node: this.#deps.node(), allocatable: this.#deps.allocatable(), others, ...pressure });
  }

  #hasEnded(uid: string): boolean {
    return this.#workers.has(uid) && !this.#workers.couldHaveRunningContainers(uid);
  }

  #apiPod(uid: string): Pod | undefined {
    const pod = this.#pods.get(uid);
    if (!pod || !isStaticPod(pod)) return pod;
    return this.#mirrors.get(`${pod.metadata.namespace}/${pod.metadata.name}`);
  }

  // ---- the engine

  engineChanged(uid: string): void {
    this.#workers.poke(uid, 'engine');
  }

  engineListed(uids: ReadonlySet<string>): void {
    for (const uid of uids) {
      if (this.#workers.has(uid)) this.#workers.poke(uid);
      else void this.#housekeeping.killOrphan(uid);
    }
  }

  /** Takes note of what runs, before pods are known. */
  async adopt(_signal: AbortSignal): Promise<void> {
    const sandboxes = await this.#deps.engine.runtime.listPodSandboxes();
    this.#adopted = new Set(sandboxes.map(({ metadata }) => metadata.uid));
  }

  runtimeStatus(uid: string): Promise<PodRuntimeStatus> {
    return readPodRuntimeStatus(this.#deps.engine.runtime, uid, this.#messages);
  }

  // ---- one pod's steps

  async syncPod(wanted: Pod, status: PodRuntimeStatus, { signal, busy }: Step): Promise<SyncOutcome> {
    const uid = wanted.metadata.uid ?? '';
    const pod = this.#allocations.resolve(wanted, {
      allocatable: this.#deps.allocatable(),
      refuse: each => this.#refuse(each, { memoryPressure: false, diskPressure: false }),
    });
    const api = this.#apiStatus(pod, status, false);
    this.#status.set(pod, api);
    this.#probes.poke(uid);
    if (isTerminalPhase(api.phase)) return { terminal: true, again: false };
    const deadline = this.#deadline(pod, api);
    if (deadline?.passed) {
      const message = 'Pod was active on the node longer than the specified deadline';
      this.#deps.recorder.eventAbout(podRef(pod), 'Normal', 'DeadlineExceeded', message);
      const override = (old: PodStatus): PodStatus => ({
        ...old,
        phase: 'Failed',
        reason: 'DeadlineExceeded',
        message,
      });
      this.#workers.kill(uid, { override });
      return { terminal: false, again: false };
    }
    const names = referencedNames(pod);
    const namespace = pod.metadata.namespace ?? '';
    this.#configMaps.register(uid, namespace, names.configMaps);
    this.#secrets.register(uid, namespace, names.secrets);
    if (isStaticPod(pod)) await this.#mirror(pod);
    await this.#deps.cgroups.ensurePod(pod);
    try {
      await this.#volumes.mount(pod);
    } catch (error) {
      if (signal.aborted) return { terminal: false, again: false };
      const message =
        error instanceof MountError ? error.message : `Unable to attach or mount volumes: ${messageOf(error)}`;
      this.#deps.recorder.eventAbout(podRef(pod), 'Warning', 'FailedMount', message);
      return { terminal: false, again: false, error: error as Error };
    }
    this.#probes.addPod(pod);
    this.#probes.poke(uid);
    if (await this.#resize(pod, status)) this.#status.set(pod, this.#apiStatus(pod, status, false));
    const result = await this.#runtime.sync(
      pod,
      status,
      {
        liveness: id => this.#probes.result('Liveness', `${this.#deps.runtimeName}://${id}`),
        startup: id => this.#probes.result('Startup', `${this.#deps.runtimeName}://${id}`),
        resizeNeedsRestart: container => this.#allocations.needsRestart(uid, container),
      },
      { signal, busy },
    );
    if (result.error && !this.#workers.isTerminationRequested(uid)) await this.#refresh(pod);
    const retryAtMs = earliest(result.retryAtMs, deadline?.atMs);
    return { terminal: false, again: result.acted && !result.error, error: result.error, retryAtMs };
  }

  /** Gives running containers the resources that they were granted; answers whether anything changed. */
  async #resize(pod: Pod, status: PodRuntimeStatus): Promise<boolean> {
    const uid = pod.metadata.uid ?? '';
    const running = new Map(
      status.containers.flatMap(({ name, id, state }) => (state === 'RUNNING' ? [[name, id] as const] : [])),
    );
    const changed = this.#allocations.toUpdate(pod, new Set(running.keys()));
    if (changed.length === 0) {
      const before = this.#allocations.conditions(pod).length;
      this.#allocations.finish(pod);
      return this.#allocations.conditions(pod).length !== before;
    }
    const { engine, machine, cgroups } = this.#deps;
    try {
      for (const container of changed) {
        if (this.#allocations.needsRestart(uid, container)) continue;
        const wanted = containerResources(pod, container, machine.memoryBytes);
        await engine.runtime.updateContainerResources(running.get(container.name)!, wanted);
        this.#allocations.actuate(uid, container);
      }
      await cgroups.ensurePod(pod);
      if (this.#allocations.toUpdate(pod, new Set(running.keys())).length === 0) this.#allocations.finish(pod);
    } catch (error) {
      this.#allocations.fail(pod, messageOf(error));
    }
    return true;
  }

  async syncTerminating(pod: Pod, status: PodRuntimeStatus, { graceSeconds, override, busy }: Ending): Promise<void> {
    const uid = pod.metadata.uid ?? '';
    const shown = this.#apiStatus(pod, status, false);
    this.#status.set(pod, override ? override(shown) : shown);
    this.#probes.stopLivenessAndStartup(uid);
    try {
      await busy.wait(this.#runtime.killPod(pod, status, graceSeconds));
    } catch (cause) {
      this.#deps.recorder.eventAbout(podRef(pod), 'Warning', 'FailedKillPod', `error killing pod: ${messageOf(cause)}`);
      throw cause;
    }
    this.#probes.removePod(uid);
    const stopped = { ...(await this.runtimeStatus(uid)), ips: status.ips };
    const running = stopped.containers.filter(each => each.state === 'RUNNING');
    if (running.length > 0) throw new Error(`containers still run: ${running.map(({ id }) => id).join(', ')}`);
    const final = this.#apiStatus(pod, stopped, true);
    this.#status.set(pod, override ? override(final) : final);
  }

  async shortenGrace(pod: Pod, graceSeconds: number): Promise<void> {
    const { runtime } = this.#deps.engine;
    const { containers } = await this.runtimeStatus(pod.metadata.uid ?? '');
    const running = containers.filter(({ state }) => state === 'RUNNING');
    await Promise.all(running.map(({ id }) => runtime.stopContainer(id, graceSeconds * 1000).catch(ignoreNotFound)));
  }

  async syncTerminated(pod: Pod, status: PodRuntimeStatus): Promise<void> {
    const uid = pod.metadata.uid ?? '';
    const ips = (this.#status.get(uid)?.podIPs ?? []).map(({ ip }) => ip);
    const old = this.#status.get(uid);
    const api = this.#apiStatus(pod, { ...status, ips }, true);
    const kept = isTerminalPhase(old?.phase) ? { phase: old!.phase!, reason: old!.reason, message: old!.message } : {};
    this.#status.set(pod, { ...api, ...dropUndefined(kept) });
    await this.#volumes.unmount(uid);
    this.#configMaps.unregister(uid);
    this.#secrets.unregister(uid);
    await this.#deps.cgroups.removePod(pod);
    this.#status.terminate(this.#pods.get(uid) ?? pod);
  }

  async removed(uid: string): Promise<void> {
    const { runtime } = this.#deps.engine;
    for (const sandbox of await runtime.listPodSandboxes({ podUid: uid })) {
      for (const { id } of await runtime.listContainers({ podSandboxId: sandbox.id })) this.#messages.forget(id);
      await runtime.stopPodSandbox(sandbox.id).catch(ignoreNotFound);
      await runtime.removePodSandbox(sandbox.id).catch(ignoreNotFound);
      const { name, namespace } = sandbox.metadata;
      await rm(join(this.#deps.paths.podLogs, `${namespace}_${name}_${uid}`), { recursive: true, force: true });
    }
    await this.#volumes.unmount(uid);
    this.#configMaps.unregister(uid);
    this.#secrets.unregister(uid);
    this.#probes.removePod(uid);
    this.#runtime.forget(uid);
    this.#tokens.forgetPod(uid);
    this.#allocations.forget(uid);
    this.#status.forget(uid);
    this.#admitted.delete(uid);
  }

  #apiStatus(pod: Pod, runtime: PodRuntimeStatus, terminal: boolean): PodStatus {
    const uid = pod.metadata.uid ?? '';
    const current = isStaticPod(pod) ? pod : (this.#pods.get(uid) ?? pod);
    const shown = { ...pod, ...(current.status && { status: current.status }) };
    return apiPodStatus(
      { pod: shown, runtime, old: this.#status.get(uid) ?? current.status, terminal },
      this.#statusContext,
    );
  }

  /** Brings the status up to date between the worker's steps. */
  async #refresh(pod: Pod): Promise<void> {
    const uid = pod.metadata.uid ?? '';
    if (this.#refreshing.has(uid)) return;
    this.#refreshing.add(uid);
    const end = this.#deps.activity.begin();
    try {
      const status = await this.runtimeStatus(uid);
      this.#refreshing.delete(uid);
      if (this.#workers.isTerminationRequested(uid) || !this.#workers.has(uid)) return;
      this.#status.set(this.#workers.pod(uid) ?? pod, this.#apiStatus(this.#workers.pod(uid) ?? pod, status, false));
      this.#probes.poke(uid);
    } catch (error) {
      this.#deps.logger.warn('pod status was not refreshed', { pod: pod.metadata.name, error });
    } finally {
      this.#refreshing.delete(uid);
      end();
    }
  }

  #probeChanged(uid: string, type: string, containerId: string, outcome: string): void {
    const pod = this.#workers.pod(uid);
    if (!pod) return;
    if (type === 'Readiness' || type === 'Startup') {
      const change = type === 'Readiness' ? { ready: outcome === 'success' } : { started: outcome === 'success' };
      this.#status.setContainer(uid, containerId, change, status => withReadiness(this.#pods.get(uid) ?? pod, status));
    }
    this.#workers.poke(uid);
  }

  #deadline(pod: Pod, status: PodStatus): { passed: boolean; atMs: number } | undefined {
    const seconds = pod.spec.activeDeadlineSeconds;
    if (seconds === undefined) return undefined;
    const begin = parseTimeMs(this.#status.get(pod.metadata.uid ?? '')?.startTime ?? status.startTime);
    const atMs = begin + seconds * 1000;
    return { passed: this.#deps.clock.now() >= atMs, atMs };
  }

  async #mirror(pod: Pod): Promise<void> {
    const { namespace, name } = pod.metadata;
    const mirror = this.#mirrors.get(`${namespace}/${name}`);
    await reconcileMirror(this.#deps.client, pod, mirror, this.#deps.node()?.metadata.uid).catch(error => {
      this.#deps.logger.warn('mirror pod was not made', { pod: name, error });
    });
  }

  // ---- what containers are given

  #downward(_pod: Pod, podIps: readonly string[]): DownwardContext {
    return { podIps, hostIps: this.#deps.config.nodeIps, nodeAllocatable: this.#deps.allocatable() };
  }

  // ---- housekeeping

  /** Begins to clean up after pods that nobody wants any more; the list of pods must be complete. */
  async startHousekeeping(signal: AbortSignal): Promise<void> {
    this.#adopted = new Set();
    this.#timers.push(...(await this.#housekeeping.start(signal)));
  }

  /** Pods whose containers may run. */
  active(): Pod[] {
    return this.pods().filter(({ metadata }) => this.#workers.couldHaveRunningContainers(metadata.uid ?? ''));
  }

  volumes(uid: string): ReadonlyMap<string, MountedVolume> {
    return this.#volumes.mounted(uid);
  }

  /** Ends a pod for the node's sake. */
  evict(uid: string, override: (status: PodStatus) => PodStatus): void {
    if (!this.#workers.isTerminationRequested(uid)) this.#workers.kill(uid, { graceSeconds: 0, override });
  }

  logDirectory(pod: Pod): string {
    return podLogDirectory(this.#deps.paths.podLogs, pod);
  }

  /** Newest container of a name, or undefined. */
  async container(pod: Pod, name: string): Promise<{ id: string; spec: Container | undefined } | undefined> {
    const { containers } = await this.runtimeStatus(pod.metadata.uid ?? '');
    const found = containers.find(each => each.name === name);
    const spec = [...pod.spec.containers, ...(pod.spec.initContainers ?? []), ...(pod.spec.ephemeralContainers ?? [])];
    return found && { id: found.id, spec: spec.find(each => each.name === name) };
  }

  describe(pod: Pod): string {
    return formatPod(pod);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    this.#workers.close();
    this.#probes.close();
    await Promise.all([this.#configMaps[Symbol.asyncDispose](), this.#secrets[Symbol.asyncDispose]()]);
  }
}

function withReadiness(pod: Pod, status: PodStatus): PodStatus {
  const statuses = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  const input = { pod, statuses, phase: status.phase ?? 'Pending' };
  const replaced = [containersReady(input), podReady(input, status.conditions ?? [])];
  const conditions = (status.conditions ?? []).map(each => replaced.find(({ type }) => type === each.type) ?? each);
  return findCondition(status, 'Ready') ? { ...status, conditions } : status;
}

/** Whether nothing but the status (and what follows from writing it) differs. */
function sameButStatus(a: Pod, b: Pod): boolean {
  const { labels, annotations, deletionTimestamp, deletionGracePeriodSeconds } = a.metadata;
  return (
    deletionTimestamp === b.metadata.deletionTimestamp &&
    deletionGracePeriodSeconds === b.metadata.deletionGracePeriodSeconds &&
    isDeepStrictEqual(labels, b.metadata.labels) &&
    isDeepStrictEqual(annotations, b.metadata.annotations) &&
    isDeepStrictEqual(a.spec, b.spec)
  );
}

function earliest(...times: ReadonlyArray<number | undefined>): number | undefined {
  const known = times.filter(time => time !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

function dropUndefined(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
