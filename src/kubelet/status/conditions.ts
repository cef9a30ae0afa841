/**
 * The pod conditions that the kubelet owns. Pure. Upstream: pkg/kubelet/status/generate.go.
 * Messages list names the way Go prints a slice: `[a b]`.
 */
import type { ApiContainerStatus, Pod, PodCondition, PodPhase, PodStatus } from '../api-objects.ts';
import { findStatus, isRestartableInit } from '../pod-helpers.ts';

export const kubeletConditions: readonly string[] = [
  'PodScheduled',
  'Ready',
  'Initialized',
  'ContainersReady',
  'PodReadyToStartContainers',
  'PodResizeInProgress',
  'PodResizePending',
];

interface Input {
  readonly pod: Pod;
  /** Init and regular containers' statuses; undefined: unknown. */
  readonly statuses: readonly ApiContainerStatus[] | undefined;
  readonly phase: PodPhase;
}

/** A condition as of the pod's generation. */
export function condition(
  pod: Pod,
  type: string,
  status: PodCondition['status'],
  reason = '',
  message = '',
): PodCondition {
  const generation = pod.metadata.generation;
  return {
    type,
    ...(generation && { observedGeneration: generation }),
    status,
    ...(reason && { reason }),
    ...(message && { message }),
  };
}

export function containersReady({ pod, statuses, phase }: Input): PodCondition {
  const type = 'ContainersReady';
  if (!statuses) return condition(pod, type, 'False', 'UnknownContainerStatuses');
  const unknown: string[] = [];
  const unready: string[] = [];
  const sidecars = (pod.spec.initContainers ?? []).filter(isRestartableInit);
  for (const { name } of [...sidecars, ...pod.spec.containers]) {
    const status = findStatus(statuses, name);
    if (!status) unknown.push(name);
    else if (!status.ready) unready.push(name);
  }
  if (phase === 'Succeeded' && unknown.length === 0) return condition(pod, type, 'False', 'PodCompleted');
  if (phase === 'Failed') return condition(pod, type, 'False', 'PodFailed');
  const message = joined(['containers with unknown status', unknown], ['containers with unready status', unready]);
  if (message) return condition(pod, type, 'False', 'ContainersNotReady', message);
  return condition(pod, type, 'True');
}

function joined(...groups: ReadonlyArray<readonly [string, readonly string[]]>): string {
  return groups
    .filter(([, names]) => names.length > 0)
    .map(([text, names]) => `${text}: [${names.join(' ')}]`)
    .join(', ');
}

/** Ready: all containers are, and all readiness gates say True. `conditions` are those known so far. */
export function podReady(input: Input, conditions: readonly PodCondition[]): PodCondition {
  const { pod } = input;
  const ready = containersReady(input);
  if (ready.status !== 'True') return { ...ready, type: 'Ready' };
  const messages: string[] = [];
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const gate = conditions.find(each => each.type === conditionType);
    if (!gate) messages.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    else if (gate.status !== 'True') {
      messages.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`);
    }
  }
  if (messages.length > 0) return condition(pod, 'Ready', 'False', 'ReadinessGatesNotReady', messages.join(', '));
  return condition(pod, 'Ready', 'True');
}

export function podInitialized({ pod, statuses, phase }: Input, old: PodStatus | undefined): PodCondition {
  const type = 'Initialized';
  const inits = pod.spec.initContainers ?? [];
  if (!statuses && inits.length > 0) return condition(pod, type, 'False', 'UnknownContainerStatuses');
  const unknown: string[] = [];
  const incomplete: string[] = [];
  for (const container of inits) {
    const status = findStatus(statuses, container.name);
    if (!status) unknown.push(container.name);
    else if (!(isRestartableInit(container) ? status.started : status.ready)) incomplete.push(container.name);
  }
  if (phase === 'Succeeded' && unknown.length === 0) return condition(pod, type, 'True', 'PodCompleted');
  if (hasAnyRegularContainerStarted(pod, statuses ?? [])) return condition(pod, type, 'True');
  const message = joined(
    ['containers with unknown status', unknown],
    ['containers with incomplete status', incomplete],
  );
  const was = old?.conditions?.find(each => each.type === type);
  if (message && was?.status !== 'True') return condition(pod, type, 'False', 'ContainersNotInitialized', message);
  return condition(pod, type, 'True');
}

/** Whether a regular container runs or has ended. Upstream: container.HasAnyRegularContainerStarted. */
function hasAnyRegularContainerStarted(pod: Pod, statuses: readonly ApiContainerStatus[]): boolean {
  return pod.spec.containers.some(({ name }) => {
    const state = findStatus(statuses, name)?.state;
    return Boolean(state?.running || state?.terminated);
  });
}

/** For a status whose phase is terminal while its conditions still say ready. */
export function terminalCondition(pod: Pod, type: 'Ready' | 'ContainersReady', phase: PodPhase): PodCondition {
  return condition(pod, type, 'False', phase === 'Failed' ? 'PodFailed' : 'PodCompleted');
}
