/** Small questions about pods. Upstream: pkg/api/v1/pod/util.go, pkg/kubelet/types/pod_update.go, pkg/kubelet/util/format. */
import type { ApiContainerStatus, Container, Pod, PodCondition, PodPhase, PodSpec, PodStatus } from './api-objects.ts';

export const configSourceAnnotation = 'kubernetes.io/config.source';
export const configMirrorAnnotation = 'kubernetes.io/config.mirror';
export const configHashAnnotation = 'kubernetes.io/config.hash';

/** `name_namespace(uid)`, as upstream writes a pod in messages. */
export function formatPod(pod: Pod): string {
  return `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;
}

export function podUid(pod: Pod): string {
  return pod.metadata.uid ?? '';
}

/** From a file on this node, not from the API. */
export function isStaticPod(pod: Pod): boolean {
  const source = pod.metadata.annotations?.[configSourceAnnotation];
  return source !== undefined && source !== 'api';
}

/** The API's image of a static pod. */
export function isMirrorPod(pod: Pod): boolean {
  return pod.metadata.annotations?.[configMirrorAnnotation] !== undefined;
}

/** An init container that keeps running beside the others: a sidecar. */
export function isRestartableInit(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

export function isTerminalPhase(phase: PodPhase | undefined): boolean {
  return phase === 'Failed' || phase === 'Succeeded';
}

export function isCriticalPod(pod: Pod): boolean {
  return isStaticPod(pod) || isMirrorPod(pod) || (pod.spec.priority ?? 0) >= 2_000_000_000;
}

/** Every container: init, regular, ephemeral. */
export function allContainers(spec: PodSpec): readonly Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])];
}

export function findContainer(spec: PodSpec, name: string): Container | undefined {
  return allContainers(spec).find(container => container.name === name);
}

export function findStatus(
  statuses: readonly ApiContainerStatus[] | undefined,
  name: string,
): ApiContainerStatus | undefined {
  return statuses?.find(status => status.name === name);
}

export function findCondition(status: PodStatus | undefined, type: string): PodCondition | undefined {
  return status?.conditions?.find(condition => condition.type === type);
}

function ruleAction(container: Container, exitCode: number): string | undefined {
  for (const rule of container.restartPolicyRules ?? []) {
    const values = rule.exitCodes?.values ?? [];
    const matched =
      rule.exitCodes?.operator === 'In'
        ? values.includes(exitCode)
        : rule.exitCodes?.operator === 'NotIn' && !values.includes(exitCode);
    if (matched) return rule.action;
  }
  return undefined;
}

/** Whether a container that ended with `exitCode` is started again. Upstream: podutil.ContainerShouldRestart. */
export function containerShouldRestart(container: Container, spec: PodSpec, exitCode: number): boolean {
  if (container.restartPolicy !== undefined) {
    const action = ruleAction(container, exitCode);
    if (action === 'Restart' || action === 'RestartAllContainers') return true;
    if (container.restartPolicy === 'Always') return true;
    return container.restartPolicy === 'OnFailure' && exitCode !== 0;
  }
  const policy = spec.restartPolicy ?? 'Always';
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/** `spec.containers{name}`: the field path that events about one container carry. */
export function containerFieldPath(pod: Pod, name: string): string {
  const lists = ['containers', 'initContainers', 'ephemeralContainers'] as const;
  for (const list of lists) {
    if (pod.spec[list]?.some(container => container.name === name)) return `spec.${list}{${name}}`;
  }
  return '';
}

/** Upstream prints Go durations: `10s`, `1m20s`, `1.5s`, `12ms`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  if (ms < 1000) return `${trimZeros(ms)}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = trimZeros((ms % 60_000) / 1000);
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

function trimZeros(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}
