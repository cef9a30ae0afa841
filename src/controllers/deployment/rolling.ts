/**
 * The arithmetic of a Deployment's rollout as pure functions: how many replicas each ReplicaSet should have next.
 * Upstream: pkg/controller/deployment/{rolling,recreate,sync}.go, util/deployment_util.go.
 */
import type { Deployment, ReplicaSet } from '#api/types';

/** A count, or a percentage of `total` rounded up or down. Upstream: intstr.GetScaledValueFromIntOrPercent. */
export function scaledValue(value: number | string | undefined, total: number, roundUp: boolean): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  const share = (Number(value.replace('%', '')) * total) / 100;
  return roundUp ? Math.ceil(share) : Math.floor(share);
}

export interface Fenceposts {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** Surge rounds up, unavailable down; if both come to nothing, one may be unavailable, or nothing would move. */
export function fenceposts(deployment: Deployment): Fenceposts {
  const replicas = deployment.spec.replicas ?? 1;
  const { type, rollingUpdate } = deployment.spec.strategy ?? {};
  if (type !== 'RollingUpdate' || replicas === 0) return { maxSurge: 0, maxUnavailable: 0 };
  const maxSurge = scaledValue(rollingUpdate?.maxSurge, replicas, true);
  const maxUnavailable = scaledValue(rollingUpdate?.maxUnavailable, replicas, false);
  if (maxSurge === 0 && maxUnavailable === 0) return { maxSurge, maxUnavailable: 1 };
  return { maxSurge, maxUnavailable: Math.min(maxUnavailable, replicas) };
}

const replicasOf = (set: ReplicaSet): number => set.spec.replicas ?? 0;
const total = (sets: readonly ReplicaSet[]): number => sets.reduce((sum, set) => sum + replicasOf(set), 0);
const available = (sets: readonly ReplicaSet[]): number =>
  sets.reduce((sum, set) => sum + (set.status?.availableReplicas ?? 0), 0);

/** Size of a new ReplicaSet, given all of the Deployment's. */
export function newReplicaSetSize(deployment: Deployment, all: readonly ReplicaSet[], current: number): number {
  const wanted = deployment.spec.replicas ?? 1;
  if (deployment.spec.strategy?.type !== 'RollingUpdate') return wanted;
  const max = wanted + fenceposts(deployment).maxSurge;
  const now = total(all);
  if (now >= max) return current;
  return current + Math.min(max - now, wanted - current);
}

/** One ReplicaSet and the size that it should have. */
export interface Scaling {
  readonly set: ReplicaSet;
  readonly to: number;
}

/** How the old ReplicaSets shrink: unhealthy replicas first, then as many as availability allows. */
export function scaleDownOld(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  old: readonly ReplicaSet[],
  fresh: ReplicaSet,
): Scaling[] {
  const { maxUnavailable } = fenceposts(deployment);
  const minAvailable = (deployment.spec.replicas ?? 1) - maxUnavailable;
  const freshUnavailable = replicasOf(fresh) - (fresh.status?.availableReplicas ?? 0);
  let budget = total(all) - minAvailable - freshUnavailable;
  if (budget <= 0) return [];
  const sizes = new Map(old.map(set => [set, replicasOf(set)]));
  for (const set of byAge(old)) {
    const size = sizes.get(set)!;
    const unhealthy = size - (set.status?.availableReplicas ?? 0);
    const cut = Math.min(budget, size, Math.max(0, unhealthy));
    sizes.set(set, size - cut);
    budget -= cut;
  }
  let spare = available(all) - minAvailable;
  for (const set of byAge(old)) {
    const size = sizes.get(set)!;
    const cut = Math.min(Math.max(0, spare), size);
    sizes.set(set, size - cut);
    spare -= cut;
  }
  return [...sizes].filter(([set, to]) => to !== replicasOf(set)).map(([set, to]) => ({ set, to }));
}

const byAge = (sets: readonly ReplicaSet[]): ReplicaSet[] =>
  [...sets].sort(
    (a, b) =>
      Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? '') ||
      ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1),
  );

const desiredAnnotation = 'deployment.kubernetes.io/desired-replicas';
const maxAnnotation = 'deployment.kubernetes.io/max-replicas';

/** Annotations by which a later scaling knows what this one aimed at. */
export function replicaAnnotations(deployment: Deployment): Record<string, string> {
  const wanted = deployment.spec.replicas ?? 1;
  return { [desiredAnnotation]: String(wanted), [maxAnnotation]: String(wanted + fenceposts(deployment).maxSurge) };
}

/** True when a ReplicaSet with replicas was sized for another number of replicas than the Deployment now asks for. */
export function isScalingEvent(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  return sets
    .filter(set => replicasOf(set) > 0)
    .some(set => {
      const aimed = set.metadata.annotations?.[desiredAnnotation];
      return aimed !== undefined && Number(aimed) !== (deployment.spec.replicas ?? 1);
    });
}

/**
 * New sizes when the Deployment itself is scaled: the one active set takes all, or during a rollout the change is
 * spread in proportion. Upstream: sync.go scale().
 */
export function proportionalScaling(
  deployment: Deployment,
  fresh: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Scaling[] {
  const wanted = deployment.spec.replicas ?? 1;
  const all = fresh ? [...old, fresh] : [...old];
  const active = all.filter(set => replicasOf(set) > 0);
  const latest = active.length === 0 ? (fresh ?? byAge(old).at(-1)) : active.length === 1 ? active[0] : undefined;
  if (latest) return replicasOf(latest) === wanted ? [] : [{ set: latest, to: wanted }];
  const saturated = fresh && replicasOf(fresh) === wanted && (fresh.status?.availableReplicas ?? 0) === wanted;
  if (saturated) return old.filter(set => replicasOf(set) > 0).map(set => ({ set, to: 0 }));
  if (deployment.spec.strategy?.type !== 'RollingUpdate') return [];
  const allowed = wanted > 0 ? wanted + fenceposts(deployment).maxSurge : 0;
  return spread(deployment, active, allowed, allowed - total(active));
}

function spread(deployment: Deployment, sets: readonly ReplicaSet[], allowed: number, change: number): Scaling[] {
  const newestFirst = byAge(sets).reverse();
  const ordered = newestFirst.sort((a, b) => replicasOf(b) - replicasOf(a));
  const surge = fenceposts(deployment).maxSurge;
  let rest = change;
  const scalings = ordered.map(set => {
    const size = replicasOf(set);
    const aimed = Number(
      set.metadata.annotations?.[maxAnnotation] ??
        (deployment.status?.replicas || (deployment.spec.replicas ?? 1) + surge),
    );
    const fraction = Math.round((size * allowed) / aimed) - size;
    const share = change > 0 ? Math.min(fraction, rest) : Math.max(fraction, rest);
    rest -= share;
    return { set, to: size + share };
  });
  // What rounding left over goes to the first.
  return scalings.map(({ set, to }, at) => ({ set, to: at === 0 ? Math.max(0, to + rest) : to }));
}
