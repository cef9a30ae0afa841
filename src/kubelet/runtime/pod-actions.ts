/**
 * What has to be done so that a pod's containers are as its spec says. Pure.
 * Upstream: pkg/kubelet/kuberuntime/kuberuntime_manager.go (computePodActions), kuberuntime_container.go
 * (computeInitContainerActions), util/util.go (PodSandboxChanged).
 *
 * Deviation: the restart of all containers of a pod by rule (alpha) counts as the restart of one.
 */
import type { Container, Pod } from '../api-objects.ts';
import { containerShouldRestart, isRestartableInit } from '../pod-helpers.ts';
import { containerHash } from './labels.ts';
import { latestContainer, type PodRuntimeStatus, type RuntimeContainer } from './pod-runtime-status.ts';

export type KillReason = 'StartupProbe' | 'LivenessProbe' | 'FailedPostStartHook' | 'Unknown' | '';

export interface ContainerToKill {
  readonly id: string;
  readonly name: string;
  readonly message: string;
  readonly reason: KillReason;
}

export interface PodActions {
  readonly killPod: boolean;
  readonly createSandbox: boolean;
  /** Empty when there is none. */
  readonly sandboxId: string;
  readonly attempt: number;
  /** Indexes into the spec, in the order of starting. */
  readonly initContainersToStart: readonly number[];
  readonly containersToStart: readonly number[];
  readonly ephemeralContainersToStart: readonly number[];
  readonly containersToKill: readonly ContainerToKill[];
}

export type ProbeOutcome = 'success' | 'failure' | 'unknown';

/** What the action's maker asks of others. */
export interface ActionContext {
  /** Undefined when not probed (yet). */
  liveness(containerId: string): ProbeOutcome | undefined;
  startup(containerId: string): ProbeOutcome | undefined;
  /** Whether a resize of resources needs a restart of this running container. */
  resizeNeedsRestart(container: Container): boolean;
}

interface Draft {
  killPod: boolean;
  createSandbox: boolean;
  sandboxId: string;
  attempt: number;
  initContainersToStart: number[];
  containersToStart: number[];
  ephemeralContainersToStart: number[];
  containersToKill: ContainerToKill[];
}

/** Whether a new sandbox is needed, its attempt, and the one there is. */
export function sandboxChanged(
  pod: Pod,
  status: PodRuntimeStatus,
): { changed: boolean; attempt: number; sandboxId: string } {
  const newest = status.sandboxes[0];
  if (!newest) return { changed: true, attempt: 0, sandboxId: '' };
  const ready = status.sandboxes.filter(sandbox => sandbox.state === 'READY').length;
  const next = { changed: true, attempt: newest.metadata.attempt + 1, sandboxId: newest.id };
  if (ready > 1 || newest.state !== 'READY') return next;
  if (!pod.spec.hostNetwork && newest.ips.length === 0) return next;
  return { changed: false, attempt: newest.metadata.attempt, sandboxId: newest.id };
}

/** Whether any regular container was ever created, hence all init containers have run. */
export function hasAnyRegularContainerCreated(pod: Pod, status: PodRuntimeStatus): boolean {
  return pod.spec.containers.some(container => {
    const state = latestContainer(status, container.name)?.state;
    return state === 'CREATED' || state === 'RUNNING' || state === 'EXITED';
  });
}

/** Whether a container that does not run is to be started. Upstream: container.ShouldContainerBeRestarted. */
export function shouldBeRestarted(container: Container, pod: Pod, status: PodRuntimeStatus): boolean {
  if (pod.metadata.deletionTimestamp) return false;
  const latest = latestContainer(status, container.name);
  if (!latest) return true;
  if (latest.state === 'RUNNING') return false;
  if (latest.state === 'UNKNOWN' || latest.state === 'CREATED') return true;
  return containerShouldRestart(container, pod.spec, latest.exitCode);
}

export function computePodActions(pod: Pod, status: PodRuntimeStatus, context: ActionContext): PodActions {
  const { changed, attempt, sandboxId } = sandboxChanged(pod, status);
  const actions: Draft = {
    killPod: changed,
    createSandbox: changed,
    sandboxId,
    attempt,
    initContainersToStart: [],
    containersToStart: [],
    ephemeralContainersToStart: [],
    containersToKill: [],
  };
  if (changed) return withNewSandbox(pod, status, actions);
  pod.spec.ephemeralContainers?.forEach((container, index) => {
    if (!latestContainer(status, container.name)) actions.ephemeralContainersToStart.push(index);
  });
  const initialized = initActions(pod, status, context, actions);
  if (actions.killPod || !initialized) return actions;
  let keep = 0;
  pod.spec.containers.forEach((container, index) => {
    if (regularAction(pod, container, index, status, context, actions)) keep++;
  });
  if (keep === 0 && actions.containersToStart.length === 0) {
    actions.killPod = true;
    actions.initContainersToStart = [];
  }
  return actions;
}

function withNewSandbox(pod: Pod, status: PodRuntimeStatus, actions: Draft): PodActions {
  const never = pod.spec.restartPolicy === 'Never';
  if (never && actions.attempt !== 0 && status.containers.length > 0) return { ...actions, createSandbox: false };
  const toStart: number[] = [];
  pod.spec.containers.forEach((container, index) => {
    const runOnce = (container.restartPolicy ?? pod.spec.restartPolicy) === 'OnFailure';
    const latest = latestContainer(status, container.name);
    if (!(runOnce && latest?.state === 'EXITED' && latest.exitCode === 0)) toStart.push(index);
  });
  if (toStart.length === 0 && hasAnyRegularContainerCreated(pod, status)) return { ...actions, createSandbox: false };
  if (pod.spec.initContainers?.length) return { ...actions, initContainersToStart: [0] };
  return { ...actions, containersToStart: toStart };
}

/** Answers whether the container is kept as it runs. */
function regularAction(
  pod: Pod,
  container: Container,
  index: number,
  status: PodRuntimeStatus,
  context: ActionContext,
  actions: Draft,
): boolean {
  const latest = latestContainer(status, container.name);
  if (latest?.state !== 'RUNNING') {
    if (!shouldBeRestarted(container, pod, status)) return false;
    actions.containersToStart.push(index);
    if (latest?.state === 'UNKNOWN') {
      const message = `Container is in "unknown" state, try killing it before restart`;
      actions.containersToKill.push({ id: latest.id, name: latest.name, message, reason: 'Unknown' });
    }
    return false;
  }
  const fault = faultOf(container, latest, context);
  if (!fault) {
    if (!context.resizeNeedsRestart(container)) return true;
    const message = `Container ${container.name} resize requires restart`;
    actions.containersToKill.push({ id: latest.id, name: latest.name, message, reason: '' });
    actions.containersToStart.push(index);
    return false;
  }
  const restart = fault.always || (container.restartPolicy ?? pod.spec.restartPolicy) !== 'Never';
  const message = restart ? `${fault.message}, will be restarted` : fault.message;
  if (restart) actions.containersToStart.push(index);
  actions.containersToKill.push({ id: latest.id, name: latest.name, message, reason: fault.reason });
  return false;
}

function faultOf(
  container: Container,
  latest: RuntimeContainer,
  context: ActionContext,
): { message: string; reason: KillReason; always: boolean } | undefined {
  const { name } = container;
  if (latest.hash !== containerHash(container)) {
    return { message: `Container ${name} definition changed`, reason: '', always: true };
  }
  if (context.liveness(latest.id) === 'failure') {
    return { message: `Container ${name} failed liveness probe`, reason: 'LivenessProbe', always: false };
  }
  if (context.startup(latest.id) === 'failure') {
    return { message: `Container ${name} failed startup probe`, reason: 'StartupProbe', always: false };
  }
  return undefined;
}

/**
 * Init containers, looked at from the last to the first, because finished ones may be gone: the last known decides
 * where the pod stands. Answers whether all have done their part.
 */
function initActions(pod: Pod, status: PodRuntimeStatus, context: ActionContext, actions: Draft): boolean {
  const inits = pod.spec.initContainers ?? [];
  if (inits.length === 0) return true;
  const walk: InitWalk = {
    initialized: pod.spec.containers.some(container => {
      const state = latestContainer(status, container.name)?.state;
      return state === 'CREATED' || state === 'RUNNING';
    }),
    previous: false,
    failed: false,
  };
  walk.previous = walk.initialized;
  for (let index = inits.length - 1; index >= 0; index--) {
    const container = inits[index]!;
    const latest = latestContainer(status, container.name);
    if (!latest) {
      if (walk.previous && isRestartableInit(container)) actions.initContainersToStart.push(index);
      continue;
    }
    if (walk.previous && !isRestartableInit(container)) continue;
    initAction(pod, container, index, latest, context, actions, walk);
    if (walk.failed) {
      actions.killPod = true;
      actions.initContainersToStart = [];
      return false;
    }
    walk.previous = true;
  }
  if (!walk.previous) actions.initContainersToStart.push(0);
  actions.initContainersToStart.reverse();
  return walk.initialized;
}

interface InitWalk {
  initialized: boolean;
  previous: boolean;
  failed: boolean;
}

function initAction(
  pod: Pod,
  container: Container,
  index: number,
  latest: RuntimeContainer,
  context: ActionContext,
  actions: Draft,
  walk: InitWalk,
): void {
  const last = index === (pod.spec.initContainers?.length ?? 0) - 1;
  const done = (): void => {
    if (last) walk.initialized = true;
    else if (!walk.previous) actions.initContainersToStart.push(index + 1);
  };
  const kill = (message: string, reason: KillReason): void => {
    actions.containersToKill.push({ id: latest.id, name: container.name, message, reason });
    actions.initContainersToStart.push(index);
  };
  switch (latest.state) {
    case 'CREATED':
      actions.initContainersToStart.push(index);
      return;
    case 'RUNNING':
      if (isRestartableInit(container)) sidecarAction(container, latest, context, done, kill);
      return;
    case 'EXITED':
      if (isRestartableInit(container)) actions.initContainersToStart.push(index);
      else if (latest.exitCode === 0) done();
      else if (!containerShouldRestart(container, pod.spec, latest.exitCode)) walk.failed = true;
      else actions.initContainersToStart.push(index);
      return;
    default:
      if (!isRestartableInit(container) && (container.restartPolicy ?? pod.spec.restartPolicy) === 'Never') {
        walk.failed = true;
      } else kill(`Init container is in "unknown" state, try killing it before restart`, 'Unknown');
  }
}

function sidecarAction(
  container: Container,
  latest: RuntimeContainer,
  context: ActionContext,
  done: () => void,
  kill: (message: string, reason: KillReason) => void,
): void {
  const { name } = container;
  if (container.startupProbe) {
    const startup = context.startup(latest.id);
    if (startup === 'failure') kill(`Init container ${name} failed startup probe`, 'StartupProbe');
    if (startup !== 'success') return;
  }
  done();
  if (latest.hash !== containerHash(container)) kill(`Init container ${name} definition changed`, '');
  else if (container.livenessProbe && context.liveness(latest.id) === 'failure') {
    kill(`Init container ${name} failed liveness probe`, 'LivenessProbe');
  } else if (context.resizeNeedsRestart(container)) kill(`Container ${name} resize requires restart`, '');
}
