/**
 * When the node runs short of memory or disk, and which pod has to go. Pure.
 * Upstream: pkg/kubelet/eviction/{helpers,eviction_manager}.go.
 */
import { parseQuantity, Quantity } from '#apimachinery';
import type { Pod } from '../api-objects.ts';
import { isCriticalPod } from '../pod-helpers.ts';
import { podRequest } from '../pods/admission.ts';

export interface Observation {
  readonly available: number;
  readonly capacity: number;
}

/** By signal: `memory.available`, `nodefs.available`, `nodefs.inodesFree`, `imagefs.available` … */
export type Observations = Readonly<Record<string, Observation | undefined>>;

export interface Exceeded {
  readonly signal: string;
  /** `memory`, `ephemeral-storage`, `inodes`. */
  readonly resource: string;
  readonly threshold: number;
  readonly available: number;
}

const resourceOf: Readonly<Record<string, string>> = {
  'memory.available': 'memory',
  'nodefs.available': 'ephemeral-storage',
  'nodefs.inodesFree': 'inodes',
  'imagefs.available': 'ephemeral-storage',
  'imagefs.inodesFree': 'inodes',
  'pid.available': 'pids',
};

/** Thresholds that are passed, memory first. */
export function exceededThresholds(thresholds: Readonly<Record<string, string>>, observed: Observations): Exceeded[] {
  const found: Exceeded[] = [];
  for (const [signal, text] of Object.entries(thresholds)) {
    const seen = observed[signal];
    if (!seen || !resourceOf[signal]) continue;
    const threshold = thresholdValue(text, seen.capacity);
    if (seen.available < threshold) {
      found.push({ signal, resource: resourceOf[signal], threshold, available: seen.available });
    }
  }
  return found.sort((a, b) => Number(b.resource === 'memory') - Number(a.resource === 'memory'));
}

/** `10%` of the capacity, or an amount. */
function thresholdValue(text: string, capacity: number): number {
  if (text.endsWith('%')) return Math.trunc((capacity * Number(text.slice(0, -1))) / 100);
  return parseQuantity(text).value();
}

export interface PodUse {
  readonly pod: Pod;
  /** Of the resource in question: bytes. */
  readonly used: number;
  readonly containers: ReadonlyArray<{ readonly name: string; readonly used: number }>;
}

/** Those that should go first stand first; pods that must not be evicted are left out. */
export function rankForEviction(pods: readonly PodUse[], resource: string): PodUse[] {
  const request = ({ pod }: PodUse): number => podRequest(pod, resource);
  const exceeds = (use: PodUse): number => Number(use.used > request(use));
  return pods
    .filter(({ pod }) => !isCriticalPod(pod))
    .sort(
      (a, b) =>
        exceeds(b) - exceeds(a) ||
        (a.pod.spec.priority ?? 0) - (b.pod.spec.priority ?? 0) ||
        b.used - request(b) - (a.used - request(a)),
    );
}

function amount(bytes: number): string {
  return Quantity.of(Math.trunc(bytes), 'BinarySI').toString();
}

export function evictionMessage({ resource, threshold, available }: Exceeded, use: PodUse): string {
  let text = `The node was low on resource: ${resource}. `;
  text += `Threshold quantity: ${amount(threshold)}, available: ${amount(available)}. `;
  for (const { name, used } of use.containers) {
    const container = use.pod.spec.containers.find(each => each.name === name);
    const wanted = container?.resources?.requests?.[resource];
    const request = wanted === undefined ? 0 : parseQuantity(wanted).value();
    if (used <= request) continue;
    text += `Container ${name} was using ${amount(used)}, request is ${wanted ?? '0'}, has larger consumption of ${resource}. `;
  }
  return text;
}

/** Why a pod's own use of disk is too large: emptyDir limits, then ephemeral-storage limits. */
export function localStorageVerdict(
  pod: Pod,
  use: {
    /** Bytes by volume name; emptyDir on disk or in memory alone. */
    readonly emptyDirs: ReadonlyMap<string, number>;
    /** Writable layer and logs, by container. */
    readonly containers: ReadonlyMap<string, number>;
  },
): string | undefined {
  for (const { name, emptyDir } of pod.spec.volumes ?? []) {
    const limit = emptyDir?.sizeLimit;
    if (!limit || parseQuantity(limit).isZero) continue;
    if ((use.emptyDirs.get(name) ?? 0) > parseQuantity(limit).value()) {
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${limit}". `;
    }
  }
  const limits = pod.spec.containers.map(each => each.resources?.limits?.['ephemeral-storage']);
  const onDisk = (pod.spec.volumes ?? []).filter(({ emptyDir }) => emptyDir && emptyDir.medium !== 'Memory');
  const volumes = onDisk.reduce((sum, { name }) => sum + (use.emptyDirs.get(name) ?? 0), 0);
  const total = [...use.containers.values()].reduce((sum, each) => sum + each, volumes);
  const limit = limits.reduce((sum, each) => sum + (each ? parseQuantity(each).value() : 0), 0);
  if (limit > 0 && limits.every(Boolean) && total > limit) {
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${amount(limit)}. `;
  }
  for (const [at, container] of pod.spec.containers.entries()) {
    const own = limits[at];
    if (own && (use.containers.get(container.name) ?? 0) > parseQuantity(own).value()) {
      return `Container ${container.name} exceeded its local ephemeral storage limit "${own}". `;
    }
  }
  return undefined;
}
