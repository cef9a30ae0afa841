/** Reading a Pod's status. Upstream: pkg/api/v1/pod/util.go. */
import type { ContainerStatus, Pod, PodCondition } from '../../types.ts';

/** The condition of this type, if it is there. */
function podCondition(pod: Pick<Pod, 'status'>, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find(condition => condition.type === type);
}

export function isPodReady(pod: Pick<Pod, 'status'>): boolean {
  return podCondition(pod, 'Ready')?.status === 'True';
}

/** Ready for `minReadySeconds`; `nowMs` is wall time. */
export function isPodAvailable(pod: Pick<Pod, 'status'>, minReadySeconds: number, nowMs: number): boolean {
  const ready = podCondition(pod, 'Ready');
  if (ready?.status !== 'True') return false;
  if (minReadySeconds === 0) return true;
  const since = ready.lastTransitionTime ? Date.parse(ready.lastTransitionTime) : 0;
  return since > 0 && since + minReadySeconds * 1000 <= nowMs;
}

/** Failed or Succeeded: it will never run again. */
export function isPodTerminal(pod: Pick<Pod, 'status'>): boolean {
  return pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
}

/** Neither finished nor being deleted. */
export function isPodActive(pod: Pick<Pod, 'status' | 'metadata'>): boolean {
  return !isPodTerminal(pod) && !pod.metadata.deletionTimestamp;
}

/** The status of a container by name, of whatever sort it is. */
export function containerStatus(pod: Pick<Pod, 'status'>, name: string): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  const all = [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses];
  return all.find(status => status.name === name);
}

/** Names of the volumes that hold PersistentVolumeClaims, as `volume name → claim name`. */
export function podClaimNames(pod: Pick<Pod, 'spec' | 'metadata'>): Map<string, string> {
  const claims = new Map<string, string>();
  for (const volume of pod.spec.volumes ?? []) {
    if (volume.persistentVolumeClaim) claims.set(volume.name, volume.persistentVolumeClaim.claimName);
    else if (volume.ephemeral) claims.set(volume.name, `${pod.metadata.name}-${volume.name}`);
  }
  return claims;
}
