/**
 * The status of a pod as the API shows it. Pure. Upstream: pkg/kubelet/kubelet_pods.go (generateAPIPodStatus,
 * convertStatusToAPIStatus, sortPodIPs).
 */
import { isIPv4 } from 'node:net';
import type { ApiContainerStatus, Pod, PodCondition, PodPhase, PodStatus } from '../api-objects.ts';
import { findCondition, isTerminalPhase } from '../pod-helpers.ts';
import { sandboxChanged } from '../runtime/pod-actions.ts';
import type { PodRuntimeStatus } from '../runtime/pod-runtime-status.ts';
import { condition, containersReady, kubeletConditions, podInitialized, podReady } from './conditions.ts';
import { containerStatuses, type StartFailure } from './container-statuses.ts';
import { podPhase } from './phase.ts';
import { podQosClass } from './qos.ts';

export interface StatusContext {
  readonly nodeIps: readonly string[];
  readonly runtimeName: string;
  failure(uid: string, containerName: string): StartFailure | undefined;
  /** Fills `ready` and `started` from the probes. */
  applyProbes(pod: Pod, status: ApiContainerStatus, init: boolean): ApiContainerStatus;
  /** Reason and message when the node wants the pod to end. */
  evicted(pod: Pod): { readonly reason: string; readonly message: string } | undefined;
  /** Conditions PodResizePending and PodResizeInProgress. */
  resizeConditions(pod: Pod): readonly PodCondition[];
}

export interface StatusInput {
  readonly pod: Pod;
  readonly runtime: PodRuntimeStatus;
  /** What was last decided here, else what the API has. */
  readonly old: PodStatus | undefined;
  /** The containers will not be started again. */
  readonly terminal: boolean;
}

export function apiPodStatus({ pod, runtime, old, terminal }: StatusInput, context: StatusContext): PodStatus {
  const uid = pod.metadata.uid ?? '';
  const common = {
    pod,
    runtime,
    runtimeName: context.runtimeName,
    failure: (name: string) => context.failure(uid, name),
  };
  const list = (containers: Pod['spec']['containers'] | undefined, previous: StatusLists, init: boolean) =>
    containerStatuses({ ...common, containers: containers ?? [], previous, init }).map(status =>
      context.applyProbes(pod, status, init),
    );
  const regular = list(pod.spec.containers, old?.containerStatuses, false);
  const init = list(pod.spec.initContainers, old?.initContainerStatuses, true);
  const ephemeral = list(pod.spec.ephemeralContainers, old?.ephemeralContainerStatuses, false).map(status =>
    withoutStarted(status),
  );
  const sandboxId = runtime.sandboxes[0]?.state === 'READY' ? runtime.sandboxes[0].id : '';
  const active = runtime.containers.some(
    each => each.podSandboxId === sandboxId && pod.spec.containers.some(({ name }) => name === each.name),
  );
  const all = [...init, ...regular];
  let phase = podPhase(pod, all, { terminal, initialized: active });
  if (!isTerminalPhase(phase)) {
    if (isTerminalPhase(old?.phase)) phase = old!.phase!;
    else if (isTerminalPhase(pod.status?.phase)) phase = pod.status!.phase!;
  }
  const evicted = context.evicted(pod);
  const kept = phase === old?.phase;
  const reason = evicted?.reason ?? (kept ? old?.reason || pod.status?.reason : undefined);
  const message = evicted?.message ?? (kept ? old?.message || pod.status?.message : undefined);
  if (evicted) phase = 'Failed';
  if (isTerminalPhase(pod.status?.phase)) phase = pod.status!.phase!;
  return {
    ...(pod.metadata.generation && { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: conditions({ pod, runtime, old, all, phase, resize: context.resizeConditions(pod), terminal }),
    ...(message && { message }),
    ...(reason && { reason }),
    ...addresses(pod, runtime, old, context.nodeIps),
    ...(init.length > 0 && { initContainerStatuses: init }),
    ...(regular.length > 0 && { containerStatuses: regular }),
    ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral }),
    qosClass: podQosClass(pod),
  };
}

type StatusLists = readonly ApiContainerStatus[] | undefined;

function withoutStarted(status: ApiContainerStatus): ApiContainerStatus {
  const { started: _, ...rest } = status;
  return { ...rest, ready: false };
}

interface ConditionInput {
  readonly pod: Pod;
  readonly runtime: PodRuntimeStatus;
  readonly old: PodStatus | undefined;
  readonly all: readonly ApiContainerStatus[];
  readonly phase: PodPhase;
  readonly resize: readonly PodCondition[];
  readonly terminal: boolean;
}

function conditions({ pod, runtime, old, all, phase, resize, terminal }: ConditionInput): PodCondition[] {
  const result = (pod.status?.conditions ?? []).filter(each => !kubeletConditions.includes(each.type));
  if (!terminal) result.push(...resize);
  const disruption = findCondition(old, 'DisruptionTarget');
  if (disruption) {
    const at = result.findIndex(each => each.type === 'DisruptionTarget');
    if (at >= 0) result[at] = disruption;
    else result.push(disruption);
  }
  const input = { pod, statuses: all, phase };
  const ready = sandboxChanged(pod, runtime).changed ? 'False' : 'True';
  result.push(condition(pod, 'PodReadyToStartContainers', ready));
  result.push(podInitialized(input, old));
  result.push(podReady(input, result));
  result.push(containersReady(input));
  result.push(condition(pod, 'PodScheduled', 'True'));
  return result;
}

function addresses(
  pod: Pod,
  runtime: PodRuntimeStatus,
  old: PodStatus | undefined,
  nodeIps: readonly string[],
): Partial<PodStatus> {
  const hostIPs = nodeIps.slice(0, 2).map(ip => ({ ip }));
  let ips = sortPodIps(runtime.ips, nodeIps);
  if (pod.spec.hostNetwork) ips = (old?.podIPs ?? pod.status?.podIPs)?.map(({ ip }) => ip) ?? nodeIps.slice(0, 2);
  if (pod.spec.hostNetwork && ips.length === 0) ips = nodeIps.slice(0, 2);
  return {
    ...(hostIPs[0] && { hostIP: hostIPs[0].ip, hostIPs }),
    ...(ips[0] && { podIP: ips[0], podIPs: ips.map(ip => ({ ip })) }),
  };
}

/** One address of each family, that of the node's primary address first. */
export function sortPodIps(ips: readonly string[], nodeIps: readonly string[]): string[] {
  const v4 = ips.find(ip => isIPv4(ip));
  const v6 = ips.find(ip => !isIPv4(ip));
  const ordered = nodeIps[0] === undefined || isIPv4(nodeIps[0]) ? [v4, v6] : [v6, v4];
  return ordered.filter(ip => ip !== undefined);
}
