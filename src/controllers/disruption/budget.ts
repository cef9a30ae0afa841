/**
 * How many pods of a budget may be disrupted now. Upstream: pkg/controller/disruption/disruption.go.
 *
 * Worked example: minAvailable 60% of 5 expected pods is 3 (rounded up); with 4 healthy, one may go.
 */
import type { Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from '#api/types';
import { formatTime } from '#apimachinery';
import { isPodReady } from '../pod-control.ts';

/** An eviction that was allowed is believed for so long while the pod is still there. */
const disruptionTimeoutMs: number = 2 * 60 * 1000;

/** Rounded up, as both sides of a budget are. */
function scaledUp(value: string | number, total: number): number {
  if (typeof value === 'number') return value;
  return value.endsWith('%') ? Math.ceil((Number.parseInt(value, 10) * total) / 100) : Number(value);
}

/** What the pods are counted against; `scale` is the sum of replicas of their controllers. */
export function expectations(
  { spec }: PodDisruptionBudget,
  podCount: number,
  scale: number,
): { expected: number; desiredHealthy: number } {
  if (spec.maxUnavailable !== undefined) {
    return { expected: scale, desiredHealthy: Math.max(0, scale - scaledUp(spec.maxUnavailable, scale)) };
  }
  if (typeof spec.minAvailable === 'string')
    return { expected: scale, desiredHealthy: scaledUp(spec.minAvailable, scale) };
  return { expected: podCount, desiredHealthy: spec.minAvailable ?? 0 };
}

/** Evictions that are still under way, and when the next of them is forgotten. */
export function disruptedNow(
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  nowMs: number,
): { disrupted: Record<string, string>; recheckMs: number | undefined } {
  const disrupted: Record<string, string> = {};
  let recheckMs: number | undefined;
  for (const [name, time] of Object.entries(budget.status?.disruptedPods ?? {})) {
    const pod = pods.find(each => each.metadata.name === name);
    const endMs = Date.parse(String(time)) + disruptionTimeoutMs;
    if (!pod || pod.metadata.deletionTimestamp || endMs <= nowMs) continue;
    disrupted[name] = String(time);
    recheckMs = Math.min(recheckMs ?? Infinity, endMs - nowMs);
  }
  return { disrupted, recheckMs };
}

export function budgetStatus(
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  counts: { expected: number; desiredHealthy: number },
  nowMs: number,
): PodDisruptionBudgetStatus {
  const { disrupted } = disruptedNow(budget, pods, nowMs);
  const healthy = pods.filter(
    pod => !pod.metadata.deletionTimestamp && !(pod.metadata.name! in disrupted) && isPodReady(pod),
  ).length;
  const { expected, desiredHealthy } = counts;
  const allowed = expected <= 0 ? 0 : Math.max(0, healthy - desiredHealthy);
  const known = budget.status?.conditions?.find(each => each.type === 'DisruptionAllowed');
  const status = allowed > 0 ? 'True' : 'False';
  const condition = {
    type: 'DisruptionAllowed',
    status,
    observedGeneration: budget.metadata.generation ?? 0,
    lastTransitionTime: known?.status === status ? known.lastTransitionTime : formatTime(nowMs),
    reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
  };
  const others = (budget.status?.conditions ?? []).filter(each => each.type !== condition.type);
  return {
    observedGeneration: budget.metadata.generation ?? 0,
    ...(Object.keys(disrupted).length > 0 && { disruptedPods: disrupted }),
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy,
    expectedPods: expected,
    conditions: [...others, condition],
  } as unknown as PodDisruptionBudgetStatus;
}
