/**
 * Which pods of a ReplicaSet are deleted first when there are too many.
 * Upstream: pkg/controller/controller_utils.go (ActivePodsWithRanks).
 */
import type { Pod } from '#api/types';
import { isPodReady } from '../pod-control.ts';

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };
const costAnnotation = 'controller.kubernetes.io/pod-deletion-cost';

const timeOf = (text: string | null | undefined): number => (text ? Date.parse(text) : 0);

function readySince(pod: Pod): number {
  return timeOf(
    pod.status?.conditions?.find(each => each.type === 'Ready' && each.status === 'True')?.lastTransitionTime,
  );
}

function restarts(pod: Pod): number {
  const regular = pod.status?.containerStatuses ?? [];
  return regular.reduce((most, status) => Math.max(most, status.restartCount ?? 0), 0);
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[costAnnotation] ?? '0';
  return /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : 0;
}

/** Times on a logarithmic scale, so that ages of one order are told apart by chance rather than by age. */
function ageRank(nowMs: number, time: number): number {
  const ageMs = Math.max(0, nowMs - time);
  return ageMs === 0 ? 0 : Math.floor(Math.log2(ageMs));
}

/** Pods in the order in which they go; `related` counts the pods of all related sets on each node. */
export function deletionOrder(pods: readonly Pod[], related: ReadonlyMap<string, number>, nowMs: number): Pod[] {
  const rank = (pod: Pod): number => related.get(pod.spec.nodeName ?? '') ?? 0;
  const compare = (a: Pod, b: Pod): number => {
    const assigned = Number(Boolean(a.spec.nodeName)) - Number(Boolean(b.spec.nodeName));
    if (assigned !== 0) return assigned;
    const phase = (phaseRank[a.status?.phase ?? ''] ?? 0) - (phaseRank[b.status?.phase ?? ''] ?? 0);
    if (phase !== 0) return phase;
    const ready = Number(isPodReady(a)) - Number(isPodReady(b));
    if (ready !== 0) return ready;
    const cost = deletionCost(a) - deletionCost(b);
    if (cost !== 0) return cost;
    if (rank(a) !== rank(b)) return rank(b) - rank(a);
    if (isPodReady(a) && isPodReady(b) && readySince(a) !== readySince(b)) {
      const age = ageRank(nowMs, readySince(a)) - ageRank(nowMs, readySince(b));
      if (age !== 0) return age;
    }
    if (restarts(a) !== restarts(b)) return restarts(b) - restarts(a);
    const [created, otherCreated] = [timeOf(a.metadata.creationTimestamp), timeOf(b.metadata.creationTimestamp)];
    if (created !== otherCreated) {
      const age = ageRank(nowMs, created) - ageRank(nowMs, otherCreated);
      if (age !== 0) return age;
    }
    return (a.metadata.uid ?? '') < (b.metadata.uid ?? '') ? -1 : 1;
  };
  return [...pods].sort(compare);
}
