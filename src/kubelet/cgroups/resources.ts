/**
 * From requests and limits to what the kernel takes. Pure. Upstream: pkg/kubelet/cm/helpers_linux.go,
 * pkg/kubelet/qos/policy.go, pkg/kubelet/kuberuntime/kuberuntime_container_linux.go.
 */
import { parseQuantity } from '#apimachinery';
import type { LinuxResources } from '#cri';
import type { Container, Pod } from '../api-objects.ts';
import { isCriticalPod, isRestartableInit } from '../pod-helpers.ts';
import { podQosClass } from '../status/qos.ts';

const minShares = 2;
const maxShares = 262_144;
export const quotaPeriodUs = 100_000;
const minQuotaUs = 1000;

function milliCpuToShares(milli: number): number {
  if (milli === 0) return minShares;
  return Math.min(maxShares, Math.max(minShares, Math.trunc((milli * 1024) / 1000)));
}

/** -1: no quota. */
function milliCpuToQuota(milli: number): number {
  if (milli === 0) return -1;
  return Math.max(minQuotaUs, Math.trunc((milli * quotaPeriodUs) / 1000));
}

function milli(text: string | undefined): number {
  return text === undefined ? 0 : parseQuantity(text).milliValue();
}

function bytes(text: string | undefined): number {
  return text === undefined ? 0 : parseQuantity(text).value();
}

export function containerResources(pod: Pod, container: Container, machineMemoryBytes: number): LinuxResources {
  const requests = container.resources?.requests;
  const limits = container.resources?.limits;
  const podLimits = pod.spec.resources?.limits;
  const cpuLimit = milli(limits?.['cpu']) || milli(podLimits?.['cpu']);
  const memoryLimit = bytes(limits?.['memory']) || bytes(podLimits?.['memory']);
  const cpuRequest = requests?.['cpu'] === undefined ? cpuLimit : milli(requests['cpu']);
  return {
    cpuShares: milliCpuToShares(cpuRequest),
    ...(cpuLimit > 0 && { cpuQuotaUs: milliCpuToQuota(cpuLimit), cpuPeriodUs: quotaPeriodUs }),
    ...(memoryLimit > 0 && { memoryLimitBytes: memoryLimit }),
    oomScoreAdj: oomScoreAdjust(pod, container, machineMemoryBytes),
  };
}

/** The more memory a container of a burstable pod asked for, the later it is killed. */
function oomScoreAdjust(pod: Pod, container: Container, machineMemoryBytes: number): number {
  if (isCriticalPod(pod)) return -997;
  const qos = podQosClass(pod);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const request = bytes(container.resources?.requests?.['memory']);
  let score = 1000 - Math.trunc((1000 * request) / machineMemoryBytes);
  if (isRestartableInit(container)) {
    const least = Math.min(...pod.spec.containers.map(each => bytes(each.resources?.requests?.['memory'])));
    score = Math.min(score, 1000 - Math.trunc((1000 * least) / machineMemoryBytes));
  }
  return score < 3 ? 3 : score === 1000 ? 999 : score;
}

export interface PodCgroupResources {
  readonly cpuShares: number;
  readonly cpuQuotaUs?: number;
  readonly memoryLimitBytes?: number;
}

/** Resources of the pod's own cgroup. Upstream: ResourceConfigForPod. */
export function podResources(pod: Pod): PodCgroupResources {
  const requests = podTotal(pod, 'requests');
  const limits = podTotal(pod, 'limits');
  const qos = podQosClass(pod);
  const cpuShares = milliCpuToShares(requests.cpuMilli);
  const every = (name: string): boolean =>
    pod.spec.resources?.limits?.[name] !== undefined ||
    [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].every(each => each.resources?.limits?.[name]);
  if (qos === 'BestEffort') return { cpuShares: minShares };
  return {
    cpuShares,
    ...(every('cpu') && limits.cpuMilli > 0 && { cpuQuotaUs: milliCpuToQuota(limits.cpuMilli) }),
    ...(every('memory') && limits.memoryBytes > 0 && { memoryLimitBytes: limits.memoryBytes }),
  };
}

/** Sum over containers and sidecars, at least what any init container needs, plus overhead. */
function podTotal(pod: Pod, kind: 'requests' | 'limits'): { cpuMilli: number; memoryBytes: number } {
  const total = (name: string, read: (text: string | undefined) => number): number => {
    const own = pod.spec.resources?.[kind]?.[name];
    const overhead = read(pod.spec.overhead?.[name]);
    if (own !== undefined) return read(own) + overhead;
    const value = (each: Container): number => read(each.resources?.[kind]?.[name]);
    let sum = pod.spec.containers.reduce((all, each) => all + value(each), 0);
    let sidecars = 0;
    let initMax = 0;
    for (const init of pod.spec.initContainers ?? []) {
      if (isRestartableInit(init)) {
        sidecars += value(init);
        initMax = Math.max(initMax, sidecars);
      } else initMax = Math.max(initMax, sidecars + value(init));
    }
    sum += sidecars;
    const result = Math.max(sum, initMax);
    return result === 0 && kind === 'limits' ? 0 : result + overhead;
  };
  return { cpuMilli: total('cpu', milli), memoryBytes: total('memory', bytes) };
}

/** `/kubepods/burstable/pod<uid>` under the configured parent. */
export function podCgroupPath(pod: Pod, parent: string): string {
  const root = parent === '/' ? '' : parent;
  const qos = podQosClass(pod);
  const tier = qos === 'Guaranteed' ? '' : `/${qos.toLowerCase()}`;
  return `${root}/kubepods${tier}/pod${pod.metadata.uid}`;
}
