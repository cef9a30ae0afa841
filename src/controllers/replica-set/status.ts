/** A ReplicaSet's status as a pure function. Upstream: pkg/controller/replicaset/replica_set_utils.go. */
import type { Pod, ReplicaSet } from '#api/types';
import { formatTime, semanticEqual } from '#apimachinery';
import { isPodActive, isPodAvailable, isPodReady } from '../pod-control.ts';

export interface StatusResult {
  /** What to write; undefined when nothing changed. */
  readonly status: ReplicaSet['status'] | undefined;
  /** When a ready pod will have been ready long enough to be available. */
  readonly recheckAfterMs: number | undefined;
}

/** Status from the claimed pods; `failure` is what creating or deleting pods came to, if it failed. */
export function replicaSetStatus(set: ReplicaSet, pods: readonly Pod[], failure: unknown, nowMs: number): StatusResult {
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  const active = pods.filter(isPodActive);
  const templateLabels = Object.entries(set.spec.template?.metadata?.labels ?? {});
  const labeled = active.filter(pod => templateLabels.every(([key, value]) => pod.metadata.labels?.[key] === value));
  const ready = active.filter(isPodReady);
  const available = active.filter(pod => isPodAvailable(pod, minReadySeconds, nowMs));
  const terminating = pods.filter(
    pod => pod.metadata.deletionTimestamp && pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed',
  );
  const conditions = failureConditions(set, active.length, failure, nowMs);
  const status = {
    replicas: active.length,
    ...(labeled.length > 0 && { fullyLabeledReplicas: labeled.length }),
    ...(ready.length > 0 && { readyReplicas: ready.length }),
    ...(available.length > 0 && { availableReplicas: available.length }),
    terminatingReplicas: terminating.length,
    ...(set.metadata.generation !== undefined && { observedGeneration: set.metadata.generation }),
    ...(conditions.length > 0 && { conditions }),
  } as NonNullable<ReplicaSet['status']>;
  const recheckAfterMs = ready.length > available.length ? nextAvailableMs(ready, minReadySeconds, nowMs) : undefined;
  return { status: semanticEqual(status, set.status ?? {}) ? undefined : status, recheckAfterMs };
}

function nextAvailableMs(ready: readonly Pod[], minReadySeconds: number, nowMs: number): number {
  const waits = ready
    .map(pod => pod.status?.conditions?.find(each => each.type === 'Ready')?.lastTransitionTime)
    .map(time => (time ? Date.parse(time) + minReadySeconds * 1000 - nowMs : 0))
    .filter(wait => wait > 0);
  return Math.min(minReadySeconds * 1000, ...waits);
}

type Conditions = NonNullable<NonNullable<ReplicaSet['status']>['conditions']>;

function failureConditions(set: ReplicaSet, count: number, failure: unknown, nowMs: number): Conditions {
  const before = set.status?.conditions ?? [];
  const others = before.filter(condition => condition.type !== 'ReplicaFailure');
  if (failure === undefined) return others;
  const known = before.find(condition => condition.type === 'ReplicaFailure');
  if (known) return before;
  const condition = {
    type: 'ReplicaFailure',
    status: 'True',
    reason: count < (set.spec.replicas ?? 1) ? 'FailedCreate' : 'FailedDelete',
    message: failure instanceof Error ? failure.message : String(failure),
    lastTransitionTime: formatTime(nowMs),
  };
  return [...others, condition] as Conditions;
}
