/**
 * The taints that a node's conditions ask for, and when pods that do not tolerate them must go. Pure.
 * Upstream: pkg/controller/nodelifecycle/node_lifecycle_controller.go, pkg/controller/tainteviction.
 */
import { toleratesTaint } from '#api/core/helpers';
import type { Node, Pod, Taint } from '#api/types';
import { formatTime } from '#apimachinery';

const notReady = 'node.kubernetes.io/not-ready';
const unreachable = 'node.kubernetes.io/unreachable';

/** Condition type and status to the taint that keeps new pods away. */
const noScheduleTaints: ReadonlyArray<readonly [type: string, status: string, key: string]> = [
  ['Ready', 'False', notReady],
  ['Ready', 'Unknown', unreachable],
  ['MemoryPressure', 'True', 'node.kubernetes.io/memory-pressure'],
  ['DiskPressure', 'True', 'node.kubernetes.io/disk-pressure'],
  ['PIDPressure', 'True', 'node.kubernetes.io/pid-pressure'],
  ['NetworkUnavailable', 'True', 'node.kubernetes.io/network-unavailable'],
];
const unschedulable = 'node.kubernetes.io/unschedulable';
const oursNoSchedule = new Set([...noScheduleTaints.map(([, , key]) => key), unschedulable]);
const oursNoExecute = new Set([notReady, unreachable]);

/** The node's taints as they should be; the same array when nothing differs. Foreign taints stay. */
export function wantedTaints(node: Node, nowMs: number): readonly Taint[] {
  const status = (type: string): string | undefined =>
    node.status?.conditions?.find(each => each.type === type)?.status;
  const wanted: Array<{ key: string; effect: string }> = noScheduleTaints
    .filter(([type, value]) => status(type) === value)
    .map(([, , key]) => ({ key, effect: 'NoSchedule' }));
  if (node.spec?.unschedulable) wanted.push({ key: unschedulable, effect: 'NoSchedule' });
  const ready = status('Ready');
  if (ready === 'False') wanted.push({ key: notReady, effect: 'NoExecute' });
  if (ready === 'Unknown') wanted.push({ key: unreachable, effect: 'NoExecute' });
  const current = node.spec?.taints ?? [];
  const isOurs = ({ key, effect }: Taint): boolean =>
    (effect === 'NoSchedule' && oursNoSchedule.has(key)) || (effect === 'NoExecute' && oursNoExecute.has(key));
  const same = (a: { key: string; effect: string }, b: { key: string; effect: string }): boolean =>
    a.key === b.key && a.effect === b.effect;
  const kept = current.filter(taint => !isOurs(taint) || wanted.some(each => same(each, taint)));
  const added = wanted.filter(each => !current.some(taint => same(each, taint)));
  if (kept.length === current.length && added.length === 0) return current;
  const timeAdded = formatTime(nowMs);
  return [...kept, ...added.map(each => ({ ...each, ...(each.effect === 'NoExecute' && { timeAdded }) }) as Taint)];
}

/**
 * When a pod must leave a node with these NoExecute taints: a wall time in milliseconds, `never`, or at once (0).
 */
export function evictionTime(pod: Pod, taints: readonly Taint[], nowMs: number): number | 'never' {
  const noExecute = taints.filter(taint => taint.effect === 'NoExecute');
  if (noExecute.length === 0) return 'never';
  let earliest = Number.POSITIVE_INFINITY;
  for (const taint of noExecute) {
    const toleration = pod.spec.tolerations?.find(each => toleratesTaint(each, taint));
    if (!toleration) return 0;
    if (toleration.tolerationSeconds === undefined) continue;
    const sinceMs = taint.timeAdded ? Date.parse(taint.timeAdded) : nowMs;
    earliest = Math.min(earliest, sinceMs + Math.max(0, toleration.tolerationSeconds) * 1000);
  }
  return earliest === Number.POSITIVE_INFINITY ? 'never' : earliest;
}
