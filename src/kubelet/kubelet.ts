/**
 * Puts the kubelet together: where pods come from, the workers that follow them, and the node's own presence.
 * Upstream: pkg/kubelet/kubelet.go.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { anySignal, isAbort, type Timer } from '#base';
import {
  type Client,
  createClient,
  createEventRecorder,
  createInformer,
  type EventRecorder,
  type Informer,
} from '#client';
import type { ImageInfo } from '#cri';
import type { Node, NodeStatus, Pod, RuntimeClass, Service } from './api-objects.ts';
import { createCgroupManager, noCgroups } from './cgroups/cgroup-manager.ts';
import type { KubeletConfig, KubeletDeps } from './config.ts';
import { EvictionManager } from './eviction/eviction-manager.ts';
import { ImageCollector } from './gc/image-gc.ts';
import { type RotationDeps, rotateLogs } from './logs/rotation.ts';
import { type Machine, readMachine } from './node/machine.ts';
import { NodeAgent } from './node/node-agent.ts';
import { allocatableOf, nodeStatus } from './node/node-status.ts';
import { isMirrorPod } from './pod-helpers.ts';
import { followEngine } from './pods/engine-follower.ts';
import { PodAgent } from './pods/pod-agent.ts';
import { resources } from './resources.ts';
import { readStaticPods } from './static-pods.ts';

/** A running kubelet. Disposing stops looking after pods; their containers go on. */
export interface Kubelet extends AsyncDisposable {
  /** Where the server listens; 0 without one. */
  readonly port: number;
  /** Pods as this kubelet knows them. */
  pods(): readonly Pod[];
}

/** Resolves when the node is registered and pods are watched. */
export async function startKubelet(
  deps: KubeletDeps,
  config: KubeletConfig,
  options: { readonly signal: AbortSignal },
): Promise<Kubelet> {
  const stack = new AsyncDisposableStack();
  const stop = new AbortController();
  const signal = anySignal(options.signal, stop.signal);
  try {
    const kubelet = await start(deps, config, signal, stack, stop);
    return kubelet;
  } catch (error) {
    stop.abort();
    await stack.disposeAsync();
    throw error;
  }
}

interface Sources {
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly services: Informer<Service>;
  readonly classes: Informer<RuntimeClass>;
}

function createSources(deps: KubeletDeps, client: Client, nodeName: string): Sources {
  return {
    pods: createInformer(deps, client.resource(resources.pods), { fieldSelector: `spec.nodeName=${nodeName}` }),
    nodes: createInformer(deps, client.resource(resources.nodes), { fieldSelector: `metadata.name=${nodeName}` }),
    services: createInformer(deps, client.resource(resources.services)),
    classes: createInformer(deps, client.resource(resources.runtimeClasses)),
  };
}

async function start(
  deps: KubeletDeps,
  config: KubeletConfig,
  signal: AbortSignal,
  stack: AsyncDisposableStack,
  stop: AbortController,
): Promise<Kubelet> {
  const { clock, logger, engine, paths } = deps;
  await mkdir(join(paths.root, 'pods'), { recursive: true, mode: 0o750 });
  await mkdir(paths.podLogs, { recursive: true, mode: 0o755 });
  const client = createClient(deps.transport, { fieldManager: 'kubelet' });
  const recorder = createEventRecorder({ ...deps, client }, { component: 'kubelet', host: config.nodeName });
  const machine = await readMachine(paths.procfs, paths.root);
  const cgroups = paths.cgroupRoot
    ? await createCgroupManager({
        root: paths.cgroupRoot,
        prefix: paths.cgroupPrefix ?? '',
        parent: config.cgroupParent,
        logger,
      })
    : noCgroups;
  const runtimeVersion = await engine.runtime.version();
  const sources = createSources(deps, client, config.nodeName);
  for (const informer of Object.values(sources)) stack.use(informer as AsyncDisposable);
  const limits = {
    machine,
    maxPods: config.maxPods,
    reserved: [config.kubeReserved, config.systemReserved],
    evictionHard: config.evictionHard,
  };
  const collector = imageCollector(deps, config);
  const pressures: EvictionManager = new EvictionManager({
    ...deps,
    recorder,
    procfs: paths.procfs,
    root: paths.root,
    memoryBytes: machine.memoryBytes,
    thresholds: config.evictionHard,
    active: () => agent.active(),
    volumes: uid => agent.volumes(uid),
    kill: (uid, override) => agent.evict(uid, override),
    reclaim: async () => (await collector.collect(1)) > 0,
    changed: () => void node.updateStatus(),
  });
  const agent: PodAgent = new PodAgent({
    ...deps,
    config,
    client,
    recorder,
    cgroups,
    machine,
    runtimeName: runtimeVersion.runtimeName,
    allocatable: () => allocatableOf(limits),
    node: () => sources.nodes.get(config.nodeName),
    services: () => (sources.services.synced ? sources.services.list() : undefined),
    runtimeClass: name => sources.classes.get(name),
    pressures: () => ({ memory: pressures.has('MemoryPressure'), disk: pressures.has('DiskPressure') }),
  });
  stack.use(agent);
  const server = deps.serving
    ? await import('./server/server.ts').then(({ startServer }) =>
        startServer(deps, config, { client, agent, machine }),
      )
    : undefined;
  if (server) stack.use(server);
  const port = server?.port ?? config.port;
  const desired = (old: NodeStatus | undefined): Promise<NodeStatus> =>
    desiredStatus(deps, config, { machine, port, runtimeVersion, pressures }, old);
  const node: NodeAgent = new NodeAgent(
    { ...deps, client, recorder, machine, node: () => sources.nodes.get(config.nodeName), desired },
    config,
  );
  await node.register(signal);
  void node.renewLease();
  announceStart(recorder, config.nodeName);
  await Promise.all([sources.nodes.start(signal), sources.services.start(signal)]);
  void sources.classes.start(signal);
  await agent.adopt(signal);
  watchPods(sources.pods, agent);
  await sources.pods.start(signal);
  signal.throwIfAborted();
  void followEngine({ ...deps, relistPeriodMs: config.relistPeriodMs }, agent, signal).catch(error => {
    if (!isAbort(error, signal)) logger.error('engine events ended', { error });
  });
  await agent.startHousekeeping(signal);
  const rotation: RotationDeps = {
    runtime: engine.runtime,
    clock,
    logger,
    maxSizeBytes: config.containerLogMaxSizeBytes,
    maxFiles: config.containerLogMaxFiles,
  };
  const timers: Timer[] = [
    clock.setTicker(() => void node.updateStatus(), config.nodeStatusUpdateMs),
    clock.setTicker(() => void pressures.synchronize(), monitorPeriodMs),
    clock.setTicker(() => void rotateLogs(rotation), monitorPeriodMs),
    clock.setTicker(() => void collectImages(collector, deps), imageGcPeriodMs),
    clock.setTicker(() => void node.renewLease(), (config.nodeLeaseDurationSeconds * 1000) / 4),
  ];
  if (config.staticPodPath) timers.push(...(await followStaticPods(deps, config, client, agent)));
  stack.defer(() => {
    stop.abort();
    for (const timer of timers) timer.cancel();
  });
  return {
    port,
    pods: () => agent.pods(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const monitorPeriodMs = 10_000;
const imageGcPeriodMs = 300_000;

function imageCollector({ engine, clock, logger }: KubeletDeps, config: KubeletConfig): ImageCollector {
  const settings = {
    highPercent: config.imageGcHighPercent,
    lowPercent: config.imageGcLowPercent,
    minimumAgeMs: config.imageMinimumGcAgeMs,
    maximumAgeMs: config.imageMaximumGcAgeMs,
  };
  return new ImageCollector({ engine, clock, logger }, settings);
}

async function collectImages(collector: ImageCollector, { logger }: KubeletDeps): Promise<void> {
  await collector.collect().catch(error => logger.warn('images were not collected', { error }));
}

function announceStart(recorder: EventRecorder, name: string): void {
  const about = { kind: 'Node', apiVersion: 'v1', name, uid: name };
  recorder.eventAbout(about, 'Normal', 'Starting', 'Starting kubelet.');
}

function watchPods(informer: Informer<Pod>, agent: PodAgent): void {
  informer.addHandler({
    added: pod => (isMirrorPod(pod) ? agent.mirrorChanged(pod) : agent.podAdded(pod)),
    updated: (pod, old) => (isMirrorPod(pod) ? agent.mirrorChanged(pod) : agent.podUpdated(pod, old)),
    deleted: pod => (isMirrorPod(pod) ? agent.mirrorGone(pod) : agent.podRemoved(pod)),
  });
}

interface Fixed {
  readonly machine: Machine;
  readonly port: number;
  readonly pressures: EvictionManager;
  readonly runtimeVersion: { readonly runtimeName: string; readonly runtimeVersion: string };
}

async function desiredStatus(
  { engine, clock }: KubeletDeps,
  config: KubeletConfig,
  { machine, port, runtimeVersion, pressures }: Fixed,
  old: NodeStatus | undefined,
): Promise<NodeStatus> {
  const images: readonly ImageInfo[] = await engine.images.listImages().catch(() => []);
  const status = await engine.runtime
    .status()
    .catch(error => [
      { type: 'RuntimeReady', status: false, reason: 'RuntimeDown', message: (error as Error).message },
    ]);
  const wrong = status.filter(each => !each.status);
  const texts = wrong.map(each =>
    each.type === 'NetworkReady'
      ? `container runtime network not ready: NetworkReady=false reason:${each.reason} message:${each.message}`
      : `[container runtime is down, ${each.message}]`,
  );
  return nodeStatus(
    {
      machine,
      nodeIps: config.nodeIps,
      hostname: config.hostname,
      maxPods: config.maxPods,
      port,
      kubeletVersion: config.version,
      runtime: { name: runtimeVersion.runtimeName, version: runtimeVersion.runtimeVersion },
      images,
      reserved: [config.kubeReserved, config.systemReserved],
      evictionHard: config.evictionHard,
      notReady: texts.length > 0 ? texts.join(', ') : undefined,
      memoryPressure: pressures.has('MemoryPressure'),
      diskPressure: pressures.has('DiskPressure'),
      pidPressure: pressures.has('PIDPressure'),
      nowMs: clock.now(),
    },
    old,
  );
}

const staticPodPeriodMs = 20_000;

async function followStaticPods(
  { clock, logger }: KubeletDeps,
  { staticPodPath = '', nodeName }: KubeletConfig,
  client: Client,
  agent: PodAgent,
): Promise<Timer[]> {
  const look = async (): Promise<void> => {
    const pods = await readStaticPods(staticPodPath, nodeName, (file, error) =>
      logger.warn('static pod was not read', { file, error }),
    );
    agent.setStaticPods(pods, client);
  };
  await look();
  return [clock.setTicker(() => void look(), staticPodPeriodMs)];
}
