/**
 * Where a DaemonSet's pods belong, and which of those that are there go or come.
 * Upstream: pkg/controller/daemon/{daemon_controller,update}.go, daemon/util/daemonset_util.go.
 */
import { findUntoleratedTaint, matchesRequiredNodeAffinity } from '#api/core/helpers';
import type { DaemonSet, Node, Pod, PodSpec, PodTemplateSpec, Toleration } from '#api/types';
import { isPodAvailable } from '../pod-control.ts';

const nodeNameField = 'metadata.name';

/** Daemons run on nodes that are not well, too. */
function daemonTolerations(spec: PodSpec): Toleration[] {
  const exists = (key: string, effect: string): Toleration => ({ key, operator: 'Exists', effect });
  const added = [
    exists('node.kubernetes.io/not-ready', 'NoExecute'),
    exists('node.kubernetes.io/unreachable', 'NoExecute'),
    exists('node.kubernetes.io/disk-pressure', 'NoSchedule'),
    exists('node.kubernetes.io/memory-pressure', 'NoSchedule'),
    exists('node.kubernetes.io/pid-pressure', 'NoSchedule'),
    exists('node.kubernetes.io/unschedulable', 'NoSchedule'),
    ...(spec.hostNetwork ? [exists('node.kubernetes.io/network-unavailable', 'NoSchedule')] : []),
  ];
  const own = spec.tolerations ?? [];
  return [
    ...own,
    ...added.filter(
      each => !own.some(mine => mine.key === each.key && mine.effect === each.effect && mine.operator === 'Exists'),
    ),
  ];
}

/** The template as it is used on one node: pinned there, with daemons' tolerations and the revision's hash. */
export function templateFor(
  template: PodTemplateSpec,
  nodeName: string,
  hash: string,
  generation: string,
): PodTemplateSpec {
  const spec = template.spec!;
  const pin = { matchFields: [{ key: nodeNameField, operator: 'In', values: [nodeName] }] };
  const nodeAffinity = spec.affinity?.nodeAffinity;
  const terms = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const nodeSelectorTerms = terms ? terms.map(term => ({ ...term, ...pin })) : [pin];
  return {
    metadata: {
      ...template.metadata,
      labels: { ...template.metadata?.labels, 'controller-revision-hash': hash, 'pod-template-generation': generation },
    },
    spec: {
      ...spec,
      affinity: {
        ...spec.affinity,
        nodeAffinity: { ...nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
      },
      tolerations: daemonTolerations(spec),
    },
  } as PodTemplateSpec;
}

/** Whether a pod should start on a node, and whether one that is there may stay. */
export function placement(set: DaemonSet, node: Node): { run: boolean; stay: boolean } {
  const spec = set.spec.template.spec!;
  if (spec.nodeName && spec.nodeName !== node.metadata.name) return { run: false, stay: false };
  if (!matchesRequiredNodeAffinity(spec, node)) return { run: false, stay: false };
  const tolerations = daemonTolerations(spec);
  const taints = node.spec?.taints;
  const evicting = findUntoleratedTaint(taints, tolerations, ({ effect }) => effect === 'NoExecute');
  const refusing = findUntoleratedTaint(
    taints,
    tolerations,
    ({ effect }) => effect === 'NoExecute' || effect === 'NoSchedule',
  );
  return { run: !refusing, stay: !evicting };
}

/** The node that a pod is on or is pinned to. */
export function nodeOf(pod: Pod): string {
  if (pod.spec.nodeName) return pod.spec.nodeName;
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  for (const term of terms ?? []) {
    for (const { key, values } of term.matchFields ?? []) if (key === nodeNameField) return values?.[0] ?? '';
  }
  return '';
}

export interface DaemonPlan {
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
  /** Failed pods among `remove`. */
  readonly failed: readonly Pod[];
}

/** What to do so that each node that should has one pod. */
export function planNodes(
  set: DaemonSet,
  nodes: Iterable<Node>,
  pods: ReadonlyMap<string, readonly Pod[]>,
): DaemonPlan {
  const create: string[] = [];
  const remove: Pod[] = [];
  const failed: Pod[] = [];
  const names = new Set<string>();
  for (const node of nodes) {
    const name = node.metadata.name!;
    names.add(name);
    const { run, stay } = placement(set, node);
    const here = pods.get(name) ?? [];
    if (!stay) {
      remove.push(...here.filter(pod => !pod.metadata.deletionTimestamp));
      continue;
    }
    const alive = here.filter(pod => !pod.metadata.deletionTimestamp);
    for (const pod of alive) if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') failed.push(pod);
    const good = alive.filter(pod => !failed.includes(pod)).sort(oldestFirst);
    if (here.length === 0 && run) create.push(name);
    const surge = new Set(good.map(pod => pod.metadata.labels?.['controller-revision-hash'])).size > 1;
    if (!surge) remove.push(...good.slice(1));
  }
  for (const [name, here] of pods) {
    if (names.has(name)) continue;
    // Pods of nodes that are gone are the garbage collector's, unless they were never placed.
    remove.push(...here.filter(pod => !pod.spec.nodeName && !pod.metadata.deletionTimestamp));
  }
  remove.push(...failed);
  return { create, remove, failed };
}

const oldestFirst = (a: Pod, b: Pod): number =>
  (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '');

/** A count or a percentage of `total`, rounded up. */
export function scaled(value: string | number | undefined, total: number, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value === 'number') return value;
  return value.endsWith('%') ? Math.ceil((Number.parseInt(value, 10) * total) / 100) : Number(value);
}

/** Old pods that a rolling update takes away now: those not available first, then within maxUnavailable. */
export function planUpdate(
  set: DaemonSet,
  pods: ReadonlyMap<string, readonly Pod[]>,
  desired: number,
  hash: string,
  nowMs: number,
): Pod[] {
  const maxUnavailable = scaled(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable, desired, 1);
  const available = (pod: Pod): boolean => isPodAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs);
  let unavailable = 0;
  const broken: Pod[] = [];
  const candidates: Pod[] = [];
  for (const here of pods.values()) {
    const alive = here.filter(pod => !pod.metadata.deletionTimestamp);
    if (!alive.some(available)) unavailable++;
    for (const pod of alive) {
      if (pod.metadata.labels?.['controller-revision-hash'] === hash) continue;
      (available(pod) ? candidates : broken).push(pod);
    }
  }
  return [...broken, ...candidates.slice(0, Math.max(0, maxUnavailable - unavailable))];
}
