/**
 * What is left of pods that nobody wants any more: their containers, volumes, logs and cgroups, and dead containers that
 * newer ones replaced. Upstream: pkg/kubelet/kubelet_pods.go HandlePodCleanups, kuberuntime/kuberuntime_gc.go.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Timer } from '#base';
import { CriError } from '#cri';
import type { Pod } from '../api-objects.ts';
import type { CgroupManager } from '../cgroups/cgroup-manager.ts';
import type { KubeletConfig, KubeletDeps } from '../config.ts';
import { restoreFromAnnotations } from '../runtime/labels.ts';
import type { PodRuntime } from '../runtime/pod-runtime.ts';
import type { PodRuntimeStatus, TerminationMessages } from '../runtime/pod-runtime-status.ts';
import type { VolumeManager } from '../volumes/volume-manager.ts';
import type { PodWorkers } from './pod-workers.ts';

export interface HousekeepingDeps extends Pick<KubeletDeps, 'clock' | 'engine' | 'logger' | 'paths'> {
  readonly config: KubeletConfig;
  readonly cgroups: CgroupManager;
  readonly runtime: PodRuntime;
  readonly volumes: VolumeManager;
  readonly workers: PodWorkers;
  readonly messages: TerminationMessages;
  /** Pods that are wanted, by uid. */
  readonly pods: ReadonlyMap<string, Pod>;
  status(uid: string): Promise<PodRuntimeStatus>;
  /** Takes away what a pod that has ended still has. */
  removed(uid: string): Promise<void>;
  isPastDeadline(pod: Pod): boolean;
}

const deadlinePeriodMs = 10_000;
const gcPeriodMs = 60_000;

export class Housekeeping {
  readonly #deps: HousekeepingDeps;

  constructor(deps: HousekeepingDeps) {
    this.#deps = deps;
  }

  /** Cleans up now and from time to time until the timers are cancelled. */
  async start(signal: AbortSignal): Promise<readonly Timer[]> {
    const { clock, engine, logger, pods, workers } = this.#deps;
    const sandboxes = await engine.runtime.listPodSandboxes();
    for (const uid of new Set(sandboxes.map(({ metadata }) => metadata.uid))) {
      if (!pods.has(uid) && !workers.has(uid)) void this.killOrphan(uid);
    }
    const sweep = (): void => {
      if (!signal.aborted) void this.#sweep().catch(error => logger.warn('housekeeping failed', { error }));
    };
    sweep();
    return [clock.setTicker(sweep, gcPeriodMs), clock.setTicker(() => this.#checkDeadlines(), deadlinePeriodMs)];
  }

  /** Stops and removes containers of a pod that is not known. */
  async killOrphan(uid: string): Promise<void> {
    const { engine, logger, pods, workers, runtime } = this.#deps;
    if (workers.has(uid) || pods.has(uid)) return;
    try {
      const status = await this.#deps.status(uid);
      const first = status.containers[0];
      const raw = first && (await engine.runtime.containerStatus(first.id));
      if (raw) await runtime.killPod(restoreFromAnnotations(raw.labels, raw.annotations).pod, status, 1);
      await this.#deps.removed(uid);
    } catch (error) {
      logger.warn('orphaned pod was not removed', { uid, error });
    }
  }

  #checkDeadlines(): void {
    const { pods, workers } = this.#deps;
    for (const [uid, pod] of pods) {
      if (pod.spec.activeDeadlineSeconds === undefined || !this.#deps.isPastDeadline(pod)) continue;
      if (!workers.isTerminationRequested(uid)) workers.poke(uid);
    }
  }

  async #sweep(): Promise<void> {
    const { pods, workers, cgroups, volumes, paths } = this.#deps;
    const known = new Set([...pods.keys(), ...workers.uids()]);
    await cgroups.removeOthers(known);
    for (const uid of await volumes.knownPods()) if (!known.has(uid)) await volumes.unmount(uid);
    for (const name of await readdir(paths.podLogs).catch(() => [])) {
      const uid = name.slice(name.lastIndexOf('_') + 1);
      if (!known.has(uid)) await rm(join(paths.podLogs, name), { recursive: true, force: true });
    }
    for (const uid of known) await this.#collectDead(uid);
  }

  /** Keeps the newest dead container of each name, and the newest sandbox. */
  async #collectDead(uid: string): Promise<void> {
    const { engine, config, workers, messages } = this.#deps;
    if (workers.isTerminationRequested(uid)) return;
    const status = await this.#deps.status(uid);
    const kept = new Map<string, number>();
    for (const { id, name, state } of status.containers) {
      if (state !== 'EXITED') continue;
      const count = kept.get(name) ?? 0;
      kept.set(name, count + 1);
      if (count < config.maxPerPodContainer) continue;
      await engine.runtime.removeContainer(id).catch(ignoreNotFound);
      messages.forget(id);
    }
    const needed = new Set(status.containers.map(({ podSandboxId }) => podSandboxId));
    for (const { id, state } of status.sandboxes.slice(1)) {
      if (state !== 'READY' && !needed.has(id)) await engine.runtime.removePodSandbox(id).catch(ignoreNotFound);
    }
  }
}

export function ignoreNotFound(error: unknown): void {
  if (!(error instanceof CriError && error.code === 'notFound')) throw error;
}
