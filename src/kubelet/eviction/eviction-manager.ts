/**
 * Looks at memory and disk, tells the node's conditions, and evicts one pod at a time while a hard threshold is passed.
 * Upstream: pkg/kubelet/eviction/eviction_manager.go.
 *
 * Deviation: hard thresholds only; memory is the machine's MemAvailable, not a cgroup's working set.
 */

import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { formatTime } from '#apimachinery';
import type { Clock, Logger } from '#base';
import type { EventRecorder } from '#client';
import type { ContainerEngine, ContainerStats } from '#cri';
import type { Pod, PodStatus } from '../api-objects.ts';
import { podRef } from '../events.ts';
import { availableMemoryBytes } from '../node/machine.ts';
import { containerNameLabel, podUidLabel } from '../runtime/labels.ts';
import type { MountedVolume } from '../volumes/volume-manager.ts';
import {
  type Exceeded,
  evictionMessage,
  exceededThresholds,
  localStorageVerdict,
  type Observations,
  type PodUse,
  rankForEviction,
} from './eviction.ts';

export interface EvictionDeps {
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: EventRecorder;
  readonly procfs: string;
  readonly root: string;
  readonly memoryBytes: number;
  readonly thresholds: Readonly<Record<string, string>>;
  /** Pods whose containers may run. */
  active(): readonly Pod[];
  volumes(uid: string): ReadonlyMap<string, MountedVolume>;
  kill(uid: string, override: (status: PodStatus) => PodStatus): void;
  /** Frees disk before a pod has to go; answers whether it helped. */
  reclaim(): Promise<boolean>;
  /** Conditions changed. */
  changed(): void;
  /** For tests. */
  observe?(): Promise<Observations>;
}

/** A condition stays for so long after its cause is gone. */
const transitionMs = 300_000;

export class EvictionManager {
  readonly #deps: EvictionDeps;
  /** Monotonic milliseconds of when each was last true. */
  readonly #lastTrue = new Map<string, number>();
  #pressures: ReadonlySet<string> = new Set();
  #running = false;

  constructor(deps: EvictionDeps) {
    this.#deps = deps;
  }

  has(condition: 'MemoryPressure' | 'DiskPressure' | 'PIDPressure'): boolean {
    return this.#pressures.has(condition);
  }

  /** One look; never rejects. */
  async synchronize(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      const observed = await (this.#deps.observe ?? (() => this.#observe()))();
      const exceeded = exceededThresholds(this.#deps.thresholds, observed);
      this.#note(exceeded);
      const worst = exceeded[0];
      if (worst && (worst.resource === 'memory' || !(await this.#deps.reclaim()))) await this.#evictOne(worst);
      else if (!worst) await this.#localStorage();
    } catch (error) {
      this.#deps.logger.warn('eviction look failed', { error });
    } finally {
      this.#running = false;
    }
  }

  async #observe(): Promise<Observations> {
    const { procfs, root, memoryBytes } = this.#deps;
    const disk = await statfs(root);
    const bytes = { available: disk.bavail * disk.bsize, capacity: disk.blocks * disk.bsize };
    const inodes = disk.files > 0 ? { available: disk.ffree, capacity: disk.files } : undefined;
    return {
      'memory.available': { available: await availableMemoryBytes(procfs), capacity: memoryBytes },
      'nodefs.available': bytes,
      'nodefs.inodesFree': inodes,
    };
  }

  #note(exceeded: readonly Exceeded[]): void {
    const now = this.#deps.clock.monotonicMs();
    for (const { resource } of exceeded) this.#lastTrue.set(conditionOf(resource), now);
    const pressures = new Set([...this.#lastTrue].flatMap(([name, at]) => (now - at < transitionMs ? name : [])));
    const same = pressures.size === this.#pressures.size && [...pressures].every(name => this.#pressures.has(name));
    this.#pressures = pressures;
    if (!same) this.#deps.changed();
  }

  async #evictOne(exceeded: Exceeded): Promise<void> {
    const stats = await this.#deps.engine.runtime.listContainerStats();
    const uses = this.#deps.active().map(pod => podUse(pod, stats, exceeded.resource));
    const victim = rankForEviction(uses, exceeded.resource)[0];
    if (victim) this.#evict(victim.pod, evictionMessage(exceeded, victim));
    else this.#deps.logger.warn('nothing can be evicted', { signal: exceeded.signal });
  }

  /** Pods whose own limits on disk are passed. */
  async #localStorage(): Promise<void> {
    const limited = this.#deps.active().filter(hasLocalLimit);
    if (limited.length === 0) return;
    const stats = await this.#deps.engine.runtime.listContainerStats();
    for (const pod of limited) {
      const uid = pod.metadata.uid ?? '';
      const emptyDirs = new Map<string, number>();
      for (const { name, emptyDir } of pod.spec.volumes ?? []) {
        const volume = emptyDir && this.#deps.volumes(uid).get(name);
        if (volume) emptyDirs.set(name, await directoryBytes(volume.hostPath));
      }
      const containers = new Map(
        stats
          .filter(({ labels }) => labels[podUidLabel] === uid)
          .map(each => [each.labels[containerNameLabel] ?? '', each.writableLayerBytes] as const),
      );
      const verdict = localStorageVerdict(pod, { emptyDirs, containers });
      if (verdict) this.#evict(pod, verdict);
    }
  }

  #evict(pod: Pod, message: string): void {
    const { recorder, clock } = this.#deps;
    recorder.eventAbout(podRef(pod), 'Warning', 'Evicted', message);
    const generation = pod.metadata.generation;
    const disruption = {
      type: 'DisruptionTarget',
      ...(generation && { observedGeneration: generation }),
      status: 'True',
      reason: 'TerminationByKubelet',
      message,
      lastTransitionTime: formatTime(clock.now()),
    };
    this.#deps.kill(pod.metadata.uid ?? '', status => ({
      ...status,
      phase: 'Failed',
      reason: 'Evicted',
      message,
      conditions: [...(status.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget'), disruption],
    }));
  }
}

function conditionOf(resource: string): string {
  if (resource === 'memory') return 'MemoryPressure';
  return resource === 'pids' ? 'PIDPressure' : 'DiskPressure';
}

function podUse(pod: Pod, stats: readonly ContainerStats[], resource: string): PodUse {
  const read = (each: ContainerStats): number =>
    resource === 'memory' ? each.memoryWorkingSetBytes : each.writableLayerBytes;
  const own = stats.filter(({ labels }) => labels[podUidLabel] === pod.metadata.uid);
  const containers = own.map(each => ({ name: each.labels[containerNameLabel] ?? '', used: read(each) }));
  return { pod, containers, used: containers.reduce((sum, { used }) => sum + used, 0) };
}

function hasLocalLimit(pod: Pod): boolean {
  const volumes = (pod.spec.volumes ?? []).some(({ emptyDir }) => emptyDir?.sizeLimit);
  return volumes || pod.spec.containers.some(each => each.resources?.limits?.['ephemeral-storage']);
}

async function directoryBytes(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  let total = 0;
  for (const entry of entries) {
    if (entry.isFile())
      total += ((await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.blocks ?? 0) * 512;
  }
  return total;
}
