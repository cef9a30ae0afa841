/**
 * Pods that wait for a node, in three places: *active* (by priority, then age), *backoff* (failed a moment ago), and
 * *unschedulable* (failed, waiting for a change that may help). Upstream: backend/queue/scheduling_queue.go.
 */
import type { Pod } from '#api/types';
import type { Activity, Clock, Timer } from '#base';
import type { ClusterEvent, Plugin } from './framework.ts';
import { PodInfo } from './node-info.ts';

const initialBackoffMs = 1000;
const maxBackoffMs = 10_000;
/** After so long in the unschedulable pool a pod is tried again whatever happened. */
const maxUnschedulableMs = 5 * 60 * 1000;
const flushPeriodMs = 30_000;

export interface QueuedPod {
  readonly info: PodInfo;
  readonly addedMs: number;
  attempts: number;
  /** Plugins that refused it in its last attempt. */
  refusedBy: ReadonlySet<string>;
}

export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #activity: Activity;
  readonly #plugins: ReadonlyMap<string, Plugin>;
  readonly #active = new Map<string, QueuedPod>();
  /** The active pods by priority, each in order of arrival. Few priorities are in use at a time. */
  readonly #ranks = new Map<number, Map<string, QueuedPod>>();
  readonly #backoff = new Map<string, { entry: QueuedPod; timer: Timer }>();
  readonly #unschedulable = new Map<string, { entry: QueuedPod; sinceMs: number }>();
  readonly #ends = new Map<string, () => void>();
  readonly #ticker: Timer;
  #moved = 0;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(deps: { clock: Clock; activity: Activity }, plugins: readonly Plugin[]) {
    this.#clock = deps.clock;
    this.#activity = deps.activity;
    this.#plugins = new Map(plugins.map(plugin => [plugin.name, plugin]));
    this.#ticker = deps.clock.setTicker(() => this.#flushOld(), flushPeriodMs);
  }

  /** A counter of cluster changes: what changed while a pod was being tried must not be missed. */
  get moveCount(): number {
    return this.#moved;
  }

  /** A new or changed pod without a node. A change of a waiting pod makes it active again. */
  set(pod: Pod): void {
    const uid = pod.metadata.uid!;
    const known = this.#find(uid);
    const entry: QueuedPod = {
      info: new PodInfo(pod),
      addedMs: known?.addedMs ?? this.#clock.now(),
      attempts: known?.attempts ?? 0,
      refusedBy: new Set(),
    };
    if (this.#backoff.has(uid)) this.#backoff.set(uid, { ...this.#backoff.get(uid)!, entry });
    else {
      this.delete(uid);
      this.#activate(entry);
    }
  }

  delete(uid: string): void {
    this.#deactivate(uid);
    this.#backoff.get(uid)?.timer.cancel();
    this.#backoff.delete(uid);
    this.#unschedulable.delete(uid);
    this.#finish(uid);
  }

  /** The pod to try next; undefined when closed. Call {@link done} when it was placed or put back. */
  async next(): Promise<QueuedPod | undefined> {
    while (!this.#closed) {
      const best = this.#best();
      if (best) {
        this.#deactivate(best.info.pod.metadata.uid!);
        best.attempts++;
        return best;
      }
      await new Promise<void>(resolve => (this.#wake = resolve));
    }
    return undefined;
  }

  done(uid: string): void {
    if (!this.#active.has(uid)) this.#finish(uid);
  }

  /** Puts a refused pod back; `since` is {@link moveCount} from before it was tried. */
  refused(entry: QueuedPod, refusedBy: ReadonlySet<string>, since: number): void {
    entry.refusedBy = refusedBy;
    const uid = entry.info.pod.metadata.uid!;
    if (this.#moved !== since) this.#delay(entry);
    else this.#unschedulable.set(uid, { entry, sinceMs: this.#clock.monotonicMs() });
    this.#finish(uid);
  }

  /** Puts back a pod whose attempt failed for another reason than its own. */
  failed(entry: QueuedPod): void {
    this.#delay(entry);
    this.#finish(entry.info.pod.metadata.uid!);
  }

  /** Something changed: pods that it may help leave the unschedulable pool. */
  changed(event: ClusterEvent): void {
    this.#moved++;
    for (const [uid, { entry, sinceMs }] of this.#unschedulable) {
      if (!this.#mayHelp(event, entry)) continue;
      this.#unschedulable.delete(uid);
      const waitedMs = this.#clock.monotonicMs() - sinceMs;
      if (waitedMs >= backoffOf(entry)) this.#activate(entry);
      else this.#delay(entry, backoffOf(entry) - waitedMs);
    }
  }

  get length(): number {
    return this.#active.size + this.#backoff.size + this.#unschedulable.size;
  }

  close(): void {
    this.#closed = true;
    this.#ticker.cancel();
    for (const { timer } of this.#backoff.values()) timer.cancel();
    for (const uid of [...this.#ends.keys()]) this.#finish(uid);
    this.#wake?.();
  }

  #find(uid: string): QueuedPod | undefined {
    return this.#active.get(uid) ?? this.#backoff.get(uid)?.entry ?? this.#unschedulable.get(uid)?.entry;
  }

  #mayHelp(event: ClusterEvent, entry: QueuedPod): boolean {
    if (entry.refusedBy.size === 0 || event.type === 'other') return true;
    for (const name of entry.refusedBy) {
      const hint = this.#plugins.get(name)?.mayHelp;
      if (!hint || hint(event, entry.info)) return true;
    }
    return false;
  }

  #activate(entry: QueuedPod): void {
    const uid = entry.info.pod.metadata.uid!;
    this.#deactivate(uid);
    this.#active.set(uid, entry);
    const { priority } = entry.info;
    let rank = this.#ranks.get(priority);
    if (!rank) this.#ranks.set(priority, (rank = new Map()));
    rank.set(uid, entry);
    if (!this.#ends.has(uid)) this.#ends.set(uid, this.#activity.begin());
    this.#wake?.();
  }

  #delay(entry: QueuedPod, delayMs: number = backoffOf(entry)): void {
    const uid = entry.info.pod.metadata.uid!;
    const timer = this.#clock.setTimer(() => {
      const waiting = this.#backoff.get(uid);
      this.#backoff.delete(uid);
      if (waiting) this.#activate(waiting.entry);
    }, delayMs);
    this.#backoff.set(uid, { entry, timer });
  }

  #deactivate(uid: string): void {
    const entry = this.#active.get(uid);
    if (!entry) return;
    this.#active.delete(uid);
    const rank = this.#ranks.get(entry.info.priority);
    rank?.delete(uid);
    if (rank?.size === 0) this.#ranks.delete(entry.info.priority);
  }

  #best(): QueuedPod | undefined {
    if (this.#ranks.size === 0) return undefined;
    const highest = Math.max(...this.#ranks.keys());
    return this.#ranks.get(highest)!.values().next().value;
  }

  #flushOld(): void {
    for (const [uid, { entry, sinceMs }] of this.#unschedulable) {
      if (this.#clock.monotonicMs() - sinceMs < maxUnschedulableMs) continue;
      this.#unschedulable.delete(uid);
      this.#activate(entry);
    }
  }

  #finish(uid: string): void {
    this.#ends.get(uid)?.();
    this.#ends.delete(uid);
  }
}

/** One second, doubling with each attempt, at most ten. */
function backoffOf(entry: QueuedPod): number {
  return Math.min(initialBackoffMs * 2 ** Math.max(0, entry.attempts - 1), maxBackoffMs);
}
