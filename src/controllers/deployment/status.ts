/**
 * A Deployment's status and conditions as pure functions.
 * Upstream: pkg/controller/deployment/{sync,progress}.go, util/deployment_util.go.
 */
import type { Deployment, ReplicaSet } from '#api/types';
import { formatTime } from '#apimachinery';
import { fenceposts } from './rolling.ts';

type Status = NonNullable<Deployment['status']>;
type Condition = NonNullable<Status['conditions']>[number];

const sum = (
  sets: readonly ReplicaSet[],
  read: (status: NonNullable<ReplicaSet['status']>) => number | undefined,
): number => sets.reduce((total, set) => total + (read(set.status ?? ({ replicas: 0 } as never)) ?? 0), 0);

/** Sets or replaces a condition; its transition time changes only with its status. */
export function withCondition(
  conditions: readonly Condition[],
  condition: Omit<Condition, 'lastUpdateTime' | 'lastTransitionTime'>,
  nowMs: number,
): readonly Condition[] {
  const old = conditions.find(each => each.type === condition.type);
  if (old && old.status === condition.status && old.reason === condition.reason) return conditions;
  const time = formatTime(nowMs);
  const made = {
    ...condition,
    lastUpdateTime: time,
    lastTransitionTime: old?.status === condition.status ? (old.lastTransitionTime ?? time) : time,
  } as Condition;
  return [...conditions.filter(each => each.type !== condition.type), made];
}

/** Replica counts, observed generation and the Available condition. */
export function calculateStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  fresh: ReplicaSet | undefined,
  nowMs: number,
): Status {
  const available = sum(all, status => status.availableReplicas);
  const total = all.reduce((count, set) => count + (set.spec.replicas ?? 0), 0);
  const unavailable = Math.max(0, total - available);
  const { maxUnavailable } = fenceposts(deployment);
  const enough = available >= (deployment.spec.replicas ?? 1) - maxUnavailable;
  const conditions = withCondition(
    deployment.status?.conditions ?? [],
    enough
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    nowMs,
  );
  const counts = {
    replicas: sum(all, status => status.replicas),
    updatedReplicas: fresh ? sum([fresh], status => status.replicas) : 0,
    readyReplicas: sum(all, status => status.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: unavailable,
  };
  return {
    ...(deployment.metadata.generation !== undefined && { observedGeneration: deployment.metadata.generation }),
    ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)),
    terminatingReplicas: sum(all, status => status.terminatingReplicas),
    conditions,
    ...(deployment.status?.collisionCount && { collisionCount: deployment.status.collisionCount }),
  } as Status;
}

/** All replicas are of the new template, and available. */
export function isComplete(deployment: Deployment, status: Status): boolean {
  const wanted = deployment.spec.replicas ?? 1;
  return (
    (status.updatedReplicas ?? 0) === wanted &&
    (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

/** Something moved since the last status. */
function isProgressing(before: Status, after: Status): boolean {
  const old = (status: Status): number => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

export interface Progress {
  readonly status: Status;
  /** When the progress deadline will pass, if nothing happens until then. */
  readonly recheckAfterMs: number | undefined;
}

/** Adds the Progressing and ReplicaFailure conditions. Upstream: syncRolloutStatus. */
export function withProgress(
  deployment: Deployment,
  status: Status,
  fresh: ReplicaSet | undefined,
  all: readonly ReplicaSet[],
  nowMs: number,
): Progress {
  const deadlineMs = (deployment.spec.progressDeadlineSeconds ?? 2 ** 31 - 1) * 1000;
  const hasDeadline = deadlineMs !== (2 ** 31 - 1) * 1000;
  let conditions = status.conditions ?? [];
  const current = conditions.find(each => each.type === 'Progressing');
  const about = fresh ? `ReplicaSet "${fresh.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  const settled =
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && current?.reason === 'NewReplicaSetAvailable';
  let recheckAfterMs: number | undefined;
  if (hasDeadline && !settled) {
    const set = (state: 'True' | 'False', reason: string, message: string): void => {
      conditions = withCondition(conditions, { type: 'Progressing', status: state, reason, message }, nowMs);
    };
    if (isComplete(deployment, status)) {
      set('True', 'NewReplicaSetAvailable', `${about} has successfully progressed.`);
    } else if (isProgressing(deployment.status ?? {}, status)) {
      const message = `${about} is progressing.`;
      if (current?.reason !== 'ReplicaSetUpdated' && current?.reason !== 'ReplicaSetProgressing')
        set('True', 'ReplicaSetUpdated', message);
      else conditions = touch(conditions, message, nowMs);
    } else {
      const sinceMs = nowMs - Date.parse(current?.lastUpdateTime ?? formatTime(nowMs));
      if (
        current &&
        current.status !== 'False' &&
        sinceMs >= deadlineMs &&
        current.reason !== 'NewReplicaSetAvailable'
      ) {
        set('False', 'ProgressDeadlineExceeded', `${about} has timed out progressing.`);
      } else if (current && current.status !== 'False') recheckAfterMs = Math.max(1000, deadlineMs - sinceMs + 1000);
    }
  }
  const failed = all.flatMap(set => set.status?.conditions ?? []).find(each => each.type === 'ReplicaFailure');
  conditions = failed
    ? withCondition(
        conditions,
        { type: 'ReplicaFailure', status: failed.status, reason: failed.reason ?? '', message: failed.message ?? '' },
        nowMs,
      )
    : conditions.filter(each => each.type !== 'ReplicaFailure');
  return { status: { ...status, conditions } as Status, recheckAfterMs };
}

/** Progress of the same kind renews the condition's update time, which the deadline counts from. */
function touch(conditions: readonly Condition[], message: string, nowMs: number): readonly Condition[] {
  return conditions.map(each =>
    each.type === 'Progressing'
      ? ({
          ...each,
          status: 'True',
          reason: 'ReplicaSetUpdated',
          message,
          lastUpdateTime: formatTime(nowMs),
        } as Condition)
      : each,
  );
}
