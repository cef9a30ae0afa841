/**
 * One worker a pod: it syncs while the pod should run, then terminates it, then cleans up. Updates that arrive during
 * work are folded into one. Upstream: pkg/kubelet/pod_workers.go.
 *
 * States: syncing → terminating (containers being stopped) → terminated (nothing runs) → finished.
 */
import type { Activity, Clock, Logger, Random, Timer } from '#base';
import type { Pod, PodStatus } from '../api-objects.ts';
import { type Busy, beginBusy } from '../busy.ts';
import { isTerminalPhase } from '../pod-helpers.ts';
import { emptyRuntimeStatus, type PodRuntimeStatus } from '../runtime/pod-runtime-status.ts';

export interface PodSyncer {
  /** One step of setting up. `terminal`: the pod ended by itself. */
  syncPod(pod: Pod, status: PodRuntimeStatus, step: Step): Promise<SyncOutcome>;
  /** Stops all containers; resolves when none runs. */
  syncTerminating(pod: Pod, status: PodRuntimeStatus, ending: Ending): Promise<void>;
  /** Containers are told to hurry; called during {@link syncTerminating}. */
  shortenGrace(pod: Pod, graceSeconds: number): Promise<void>;
  /** Removes what is left but for containers, which keep their logs. */
  syncTerminated(pod: Pod, status: PodRuntimeStatus): Promise<void>;
  runtimeStatus(uid: string): Promise<PodRuntimeStatus>;
  /** The pod is gone from the API and has ended: nothing may remain. */
  removed(uid: string): Promise<void>;
}

/** One step of a worker. */
export interface Step {
  /** Aborts when the pod is to end. */
  readonly signal: AbortSignal;
  readonly busy: Busy;
}

export interface Ending {
  readonly graceSeconds: number;
  readonly override: StatusOverride | undefined;
  readonly busy: Busy;
}

export interface SyncOutcome {
  readonly terminal: boolean;
  /** Something changed: look again at once. */
  readonly again: boolean;
  readonly error?: Error | undefined;
  /** Wall milliseconds of the earliest sensible retry. */
  readonly retryAtMs?: number | undefined;
}

/** What an eviction writes into the status. */
export type StatusOverride = (status: PodStatus) => PodStatus;

export interface WorkerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly activity: Activity;
  readonly syncer: PodSyncer;
  readonly syncPeriodMs: number;
}

interface Worker {
  pod: Pod;
  phase: 'syncing' | 'terminating' | 'terminated' | 'finished';
  /** Gone from its source. */
  deleted: boolean;
  /** Seconds; undefined until termination is asked for. */
  grace: number | undefined;
  override: StatusOverride | undefined;
  /** Why to look again: `engine` can wait a little after a failure. */
  dirty: false | 'engine' | 'now';
  running: boolean;
  everSynced: boolean;
  failures: number;
  timer: Timer | undefined;
  abort: AbortController;
  retryNotBefore: number;
}

export interface KillOptions {
  readonly graceSeconds?: number;
  readonly override?: StatusOverride;
}

const firstRetryMs = 500;
const maxRetryMs = 20_000;
const engineDelayMs = 1000;

export class PodWorkers {
  readonly #deps: WorkerDeps;
  readonly #workers = new Map<string, Worker>();
  #closed = false;

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
  }

  has(uid: string): boolean {
    return this.#workers.has(uid);
  }

  uids(): string[] {
    return [...this.#workers.keys()];
  }

  pod(uid: string): Pod | undefined {
    return this.#workers.get(uid)?.pod;
  }

  /** Whether the pod was asked to end. */
  isTerminationRequested(uid: string): boolean {
    const worker = this.#workers.get(uid);
    return worker !== undefined && worker.phase !== 'syncing';
  }

  couldHaveRunningContainers(uid: string): boolean {
    const worker = this.#workers.get(uid);
    return worker ? worker.phase === 'syncing' || worker.phase === 'terminating' : false;
  }

  /** New or changed pod. */
  update(pod: Pod): void {
    if (this.#closed) return;
    const uid = pod.metadata.uid ?? '';
    const known = this.#workers.get(uid);
    const worker = known ?? this.#create(pod);
    worker.pod = pod;
    this.#workers.set(uid, worker);
    const ended = isTerminalPhase(pod.status?.phase);
    if (pod.metadata.deletionTimestamp || (ended && !worker.everSynced && worker.phase === 'syncing')) {
      this.#terminate(worker, effectiveGrace(pod, undefined));
    }
    this.#wake(uid, worker);
  }

  /** Ends a pod that the API still wants. */
  kill(uid: string, options: KillOptions): void {
    const worker = this.#workers.get(uid);
    if (!worker) return;
    worker.override ??= options.override;
    this.#terminate(worker, effectiveGrace(worker.pod, options.graceSeconds));
    this.#wake(uid, worker);
  }

  /** The pod is gone from its source. */
  remove(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    const worker = this.#workers.get(uid);
    if (!worker) return;
    worker.pod = pod;
    worker.deleted = true;
    this.#terminate(worker, effectiveGrace(pod, undefined));
    this.#wake(uid, worker);
  }

  /** Another look. What the engine told may well be what the worker itself did. */
  poke(uid: string, why: 'engine' | 'now' = 'now'): void {
    const worker = this.#workers.get(uid);
    if (worker) this.#wake(uid, worker, why);
  }

  #create(pod: Pod): Worker {
    return {
      pod,
      phase: 'syncing',
      deleted: false,
      grace: undefined,
      override: undefined,
      dirty: false,
      running: false,
      everSynced: false,
      failures: 0,
      timer: undefined,
      abort: new AbortController(),
      retryNotBefore: 0,
    };
  }

  #terminate(worker: Worker, grace: number): void {
    const shorter = worker.grace === undefined || grace < worker.grace;
    if (worker.phase === 'syncing') {
      worker.phase = 'terminating';
      worker.grace = grace;
      worker.failures = 0;
      worker.abort.abort(new Error('pod is terminating'));
    } else if (worker.phase === 'terminating' && shorter) {
      worker.grace = grace;
      void this.#deps.syncer.shortenGrace(worker.pod, grace).catch(error => {
        this.#deps.logger.warn('containers were not told to hurry', { pod: worker.pod.metadata.name, error });
      });
    }
  }

  #wake(uid: string, worker: Worker, why: 'engine' | 'now' = 'now'): void {
    if (worker.dirty !== 'now') worker.dirty = why;
    if (worker.running && why === 'engine') return;
    worker.timer?.cancel();
    worker.timer = undefined;
    if (worker.running || this.#closed) return;
    worker.running = true;
    const busy = beginBusy(this.#deps.activity);
    void this.#run(uid, worker, busy).finally(() => {
      worker.running = false;
      busy.end();
      if (worker.dirty && this.#workers.get(uid) === worker && !this.#closed) this.#wake(uid, worker, worker.dirty);
    });
  }

  async #run(uid: string, worker: Worker, busy: Busy): Promise<void> {
    while (worker.dirty && !this.#closed) {
      worker.dirty = false;
      try {
        const delayMs = await this.#step(uid, worker, busy);
        worker.failures = 0;
        if (delayMs !== undefined) this.#later(uid, worker, delayMs);
      } catch (error) {
        if (worker.phase !== 'syncing' && isUrgent(worker)) continue;
        const backOffMs = Math.min(firstRetryMs * 2 ** worker.failures++, maxRetryMs);
        const delayMs = this.#afterFailure(worker, backOffMs);
        this.#deps.logger.info('pod sync failed', { pod: worker.pod.metadata.name, retryInMs: delayMs, error });
        this.#later(uid, worker, delayMs);
      }
    }
  }

  /** Answers after how long to look again; undefined: when something happens. */
  async #step(uid: string, worker: Worker, busy: Busy): Promise<number | undefined> {
    const { syncer, clock, random, syncPeriodMs } = this.#deps;
    if (worker.phase === 'finished') {
      if (worker.deleted) await this.#forget(uid, worker);
      return undefined;
    }
    const status = await syncer.runtimeStatus(uid).catch(() => emptyRuntimeStatus(uid));
    if (worker.phase === 'syncing') {
      worker.everSynced = true;
      const outcome = await syncer.syncPod(worker.pod, status, { signal: worker.abort.signal, busy });
      if (worker.phase !== 'syncing') worker.dirty = 'now';
      else if (outcome.terminal) {
        this.#terminate(worker, effectiveGrace(worker.pod, undefined));
        worker.dirty = 'now';
      } else if (outcome.error && outcome.retryAtMs === undefined) throw outcome.error;
      if (outcome.again) worker.dirty = 'now';
      if (outcome.retryAtMs !== undefined) {
        const delayMs = Math.min(Math.max(0, outcome.retryAtMs - clock.now()), syncPeriodMs);
        return outcome.error ? this.#afterFailure(worker, delayMs) : delayMs;
      }
      return syncPeriodMs * (1 + random.float() / 2);
    }
    if (worker.phase === 'terminating') {
      await syncer.syncTerminating(worker.pod, status, {
        graceSeconds: worker.grace ?? 1,
        override: worker.override,
        busy,
      });
      worker.phase = 'terminated';
    }
    await syncer.syncTerminated(worker.pod, await syncer.runtimeStatus(uid));
    worker.phase = 'finished';
    if (worker.deleted) await this.#forget(uid, worker);
    return undefined;
  }

  /** What the engine told meanwhile is looked at soon, not at once: it was the failed step's own doing, most likely. */
  #afterFailure(worker: Worker, delayMs: number): number {
    if (worker.dirty !== 'engine') return delayMs;
    worker.dirty = false;
    return Math.min(delayMs, engineDelayMs);
  }

  async #forget(uid: string, worker: Worker): Promise<void> {
    await this.#deps.syncer.removed(uid);
    worker.dirty = false;
    if (this.#workers.get(uid) === worker) this.#workers.delete(uid);
  }

  #later(uid: string, worker: Worker, delayMs: number): void {
    if (worker.dirty || this.#closed) return;
    worker.timer?.cancel();
    worker.timer = this.#deps.clock.setTimer(() => this.#wake(uid, worker), delayMs);
  }

  /** Stops looking after pods; they go on as they are. */
  close(): void {
    this.#closed = true;
    for (const worker of this.#workers.values()) worker.timer?.cancel();
  }

  /** Whether any worker is in the middle of something. */
  get busy(): boolean {
    return [...this.#workers.values()].some(worker => worker.running);
  }
}

function isUrgent({ dirty }: Worker): boolean {
  return dirty === 'now';
}

/** The shortest of what was asked for, at least one second. Upstream: calculateEffectiveGracePeriod. */
function effectiveGrace(pod: Pod, override: number | undefined): number {
  const candidates = [override, pod.metadata.deletionGracePeriodSeconds].filter(each => each !== undefined);
  const grace = candidates.length > 0 ? Math.min(...candidates) : (pod.spec.terminationGracePeriodSeconds ?? 30);
  return Math.max(1, grace);
}
