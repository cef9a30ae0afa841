/** CRI's resources as the runtime-spec's `linux.resources`. Upstream: containerd internal/cri/opts WithResources. */
import type { LinuxResources } from '#cri';
import type { CgroupMode } from '../host.ts';

/** The fields of runtime-spec's LinuxResources that we set. */
export interface OciResources {
  readonly cpu?: {
    readonly shares?: number;
    readonly quota?: number;
    readonly period?: number;
    readonly cpus?: string;
    readonly mems?: string;
  };
  readonly memory?: { readonly limit: number; readonly swap: number };
  readonly pids?: { readonly limit: number };
  readonly hugepageLimits?: ReadonlyArray<{ pageSize: string; limit: number }>;
  readonly unified?: Record<string, string>;
}

/** Absent and zero values mean "not limited" and are left out. */
export function ociResources(resources: LinuxResources, mode: CgroupMode): OciResources {
  const cpu = {
    ...(resources.cpuShares ? { shares: resources.cpuShares } : {}),
    ...(resources.cpuQuotaUs ? { quota: resources.cpuQuotaUs } : {}),
    ...(resources.cpuPeriodUs ? { period: resources.cpuPeriodUs } : {}),
    ...(resources.cpusetCpus ? { cpus: resources.cpusetCpus } : {}),
    ...(resources.cpusetMems ? { mems: resources.cpusetMems } : {}),
  };
  const limit = resources.memoryLimitBytes;
  // In memory.swap below: it counts memory and swap together: the same number means no swap.
  const hugepages = resources.hugepageLimits?.map(each => ({ pageSize: each.pageSize, limit: each.limitBytes })) ?? [];
  return {
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(limit ? { memory: { limit, swap: limit } } : {}),
    ...(resources.pidsLimit ? { pids: { limit: resources.pidsLimit } } : {}),
    ...(hugepages.length > 0 ? { hugepageLimits: hugepages } : {}),
    // As the kubelet asks on v2: when one process runs out of memory, the container as a whole ends.
    ...(mode === 'v2' && limit ? { unified: { 'memory.oom.group': '1' } } : {}),
  };
}
