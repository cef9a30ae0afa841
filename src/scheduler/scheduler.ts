/**
 * The scheduler's loop: watches pods and nodes, decides for one pod after another, binds in the background.
 * Upstream: pkg/scheduler/{scheduler,schedule_one,eventhandlers}.go.
 */
import { setImmediate } from 'node:timers/promises';
import type { Node, Pod } from '#api/types';
import { formatMicroTime, formatTime, isStatusError, type KubeObject } from '#apimachinery';
import { type Activity, anySignal, type Clock, type Logger, type MetricsRegistry, type Random } from '#base';
import {
  type Client,
  createInformer,
  createInformerFactory,
  type InformerFactory,
  nodes,
  pods,
  type ResourceName,
} from '#client';
import { Cache } from './cache.ts';
import type { Framework } from './framework.ts';
import { createLookups } from './lookups.ts';
import type { NodeInfo } from './node-info.ts';
import { defaultFramework } from './profile.ts';
import { type QueuedPod, SchedulingQueue } from './queue.ts';
import { type Decision, scheduleOne } from './schedule-one.ts';

export interface SchedulerDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly activity: Activity;
  readonly metrics: MetricsRegistry;
}

export interface SchedulerOptions {
  /** `spec.schedulerName` of the pods that are ours. */
  readonly schedulerName?: string;
  readonly framework?: Framework;
}

const defaultSchedulerName = 'default-scheduler';
/** Decisions are made one after another for so long, then others have their turn. */
const maxTurnMs = 5;
const schedulingBuckets = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048];
const eventsResource: ResourceName = {
  group: 'events.k8s.io',
  version: 'v1',
  resource: 'events',
  kind: 'Event',
  namespaced: true,
};

/** Starts; resolves when pods and nodes are known. */
export async function startScheduler(
  deps: SchedulerDeps,
  options: SchedulerOptions,
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  const scheduler = new Scheduler(deps, options);
  await scheduler.start(signal);
  return scheduler;
}

const isFinished = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

class Scheduler implements AsyncDisposable {
  readonly #deps: SchedulerDeps;
  readonly #name: string;
  readonly #framework: Framework;
  readonly #factory: InformerFactory;
  readonly #cache: Cache;
  readonly #queue: SchedulingQueue;
  readonly #stop = new AbortController();
  readonly #informers: AsyncDisposable[] = [];
  readonly #binding = new Set<Promise<void>>();
  readonly #attempts;
  readonly #duration;
  #startAt = 0;
  #loop: Promise<void> | undefined;

  constructor(deps: SchedulerDeps, options: SchedulerOptions) {
    this.#deps = deps;
    this.#name = options.schedulerName ?? defaultSchedulerName;
    this.#framework = options.framework ?? defaultFramework();
    this.#factory = createInformerFactory(deps, deps.client);
    this.#cache = new Cache(createLookups(this.#factory));
    this.#queue = new SchedulingQueue(
      deps,
      this.#framework.entries.map(entry => entry.plugin),
    );
    this.#attempts = deps.metrics.counter(
      'scheduler_schedule_attempts_total',
      "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, while 'error' means an internal scheduler problem.",
    );
    this.#duration = deps.metrics.histogram(
      'scheduler_scheduling_attempt_duration_seconds',
      'Scheduling attempt latency in seconds (scheduling algorithm + binding)',
      schedulingBuckets,
    );
  }

  async start(signal: AbortSignal): Promise<void> {
    const { client } = this.#deps;
    const all = anySignal(signal, this.#stop.signal);
    const nodeInformer = createInformer(this.#deps, client.resource(nodes));
    const podInformer = createInformer(this.#deps, client.resource(pods), {
      fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed',
    });
    nodeInformer.addHandler({
      added: node => this.#nodeChanged(node, 'nodeAdded'),
      updated: node => this.#nodeChanged(node, 'nodeUpdated'),
      deleted: node => this.#cache.removeNode(node.metadata.name!),
    });
    podInformer.addHandler({
      added: pod => this.#podChanged(pod),
      updated: pod => this.#podChanged(pod),
      deleted: pod => this.#podGone(pod),
    });
    this.#informers.push(podInformer, nodeInformer, this.#factory);
    await Promise.all([nodeInformer.start(all), this.#factory.start(all)]);
    await podInformer.start(all);
    all.addEventListener('abort', () => this.#queue.close(), { once: true });
    this.#loop = this.#run(all);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#queue.close();
    await this.#loop;
    await Promise.allSettled(this.#binding);
    for (const informer of this.#informers) await informer[Symbol.asyncDispose]();
  }

  #nodeChanged(node: Node, type: 'nodeAdded' | 'nodeUpdated'): void {
    this.#queue.changed({ type, node: this.#cache.setNode(node) });
  }

  #podChanged(pod: Pod): void {
    const uid = pod.metadata.uid!;
    if (pod.spec.nodeName) {
      this.#queue.delete(uid);
      if (isFinished(pod)) {
        this.#podGone(pod);
        return;
      }
      const known = this.#cache.has(uid);
      const info = this.#cache.setPod(pod);
      this.#queue.changed({ type: known ? 'podUpdated' : 'podAdded', pod: info });
      return;
    }
    const ours = (pod.spec.schedulerName ?? defaultSchedulerName) === this.#name;
    if (!ours || pod.metadata.deletionTimestamp || (pod.spec.schedulingGates?.length ?? 0) > 0) this.#queue.delete(uid);
    else if (!this.#cache.has(uid) && !this.#isOwnStatusUpdate(pod)) this.#queue.set(pod);
  }

  /** The condition that we ourselves wrote is no reason to try again. */
  readonly #reported = new Map<string, string>();
  #isOwnStatusUpdate(pod: Pod): boolean {
    return this.#reported.get(pod.metadata.uid!) === pod.metadata.resourceVersion;
  }

  #podGone(pod: Pod): void {
    const uid = pod.metadata.uid!;
    this.#queue.delete(uid);
    this.#reported.delete(uid);
    const info = this.#cache.removePod(uid);
    if (info) this.#queue.changed({ type: 'podDeleted', pod: info });
  }

  async #run(signal: AbortSignal): Promise<void> {
    let turnMs = this.#deps.clock.monotonicMs();
    for (;;) {
      if (this.#deps.clock.monotonicMs() - turnMs > maxTurnMs) {
        await setImmediate();
        turnMs = this.#deps.clock.monotonicMs();
      }
      const entry = await this.#queue.next();
      if (!entry || signal.aborted) return;
      const since = this.#queue.moveCount;
      const beginMs = this.#deps.clock.monotonicMs();
      const decision = this.#decide(entry);
      if (decision.node) this.#bind(entry, decision.node, beginMs);
      else this.#track(this.#refuse(entry, decision, since, beginMs));
    }
  }

  #decide(entry: QueuedPod): Decision {
    const count = this.#cache.nodes.length;
    const decision = scheduleOne(this.#framework, entry.info, this.#cache, {
      startAt: count === 0 ? 0 : this.#startAt % count,
      random: this.#deps.random.float,
    });
    this.#startAt += count;
    return decision;
  }

  /** From here on other pods see this one on its node; if binding fails, it is forgotten and tried again. */
  #bind(entry: QueuedPod, node: NodeInfo, beginMs: number): void {
    const { pod } = entry.info;
    this.#cache.assume(entry.info, node.name);
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    const body = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { kind: 'Node', name: node.name },
    };
    const bound = this.#deps.client
      .resource(pods)
      .namespace(namespace)
      .subresource(name, 'binding', body)
      .then(
        () => {
          this.#observe('scheduled', beginMs);
          this.#queue.done(uid);
          return this.#event(
            pod,
            'Normal',
            'Scheduled',
            'Binding',
            `Successfully assigned ${namespace}/${name} to ${node.name}`,
          );
        },
        error => {
          this.#cache.forget(uid);
          this.#observe('error', beginMs);
          if (isStatusError(error, 'NotFound')) return this.#queue.delete(uid);
          this.#deps.logger.warn('binding failed', { pod: `${namespace}/${name}`, node: node.name, error });
          this.#queue.failed(entry);
        },
      );
    this.#track(bound);
  }

  async #refuse(
    entry: QueuedPod,
    decision: Extract<Decision, { node: undefined }>,
    since: number,
    beginMs: number,
  ): Promise<void> {
    this.#observe('unschedulable', beginMs);
    const { pod } = entry.info;
    this.#queue.refused(entry, decision.refusedBy, since);
    const nominated = decision.preemption?.node.name;
    try {
      await this.#writeCondition(pod, decision.message, nominated);
      await this.#event(pod, 'Warning', 'FailedScheduling', 'Scheduling', decision.message);
      for (const victim of decision.preemption?.victims ?? []) await this.#evict(victim.pod, pod, nominated!);
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) this.#deps.logger.warn('a refusal was not reported', { error });
    }
  }

  async #writeCondition(pod: Pod, message: string, nominatedNodeName: string | undefined): Promise<void> {
    const known = pod.status?.conditions?.find(condition => condition.type === 'PodScheduled');
    if (known?.message === message && !nominatedNodeName) return;
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      observedGeneration: pod.metadata.generation,
      lastProbeTime: null,
      lastTransitionTime: known?.status === 'False' ? known.lastTransitionTime : formatTime(this.#deps.clock.now()),
    };
    const status = { conditions: [condition], ...(nominatedNodeName && { nominatedNodeName }) };
    const written = await this.#deps.client
      .resource(pods)
      .namespace(pod.metadata.namespace!)
      .patch(pod.metadata.name!, { status }, { type: 'strategic', subresource: 'status' });
    this.#reported.set(pod.metadata.uid!, written.metadata.resourceVersion!);
  }

  async #evict(victim: Pod, pod: Pod, node: string): Promise<void> {
    const { name = '', namespace = '', uid = '' } = victim.metadata;
    const message = `Preempted by pod ${pod.metadata.uid} on node ${node}`;
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: `${this.#name}: preempting to accommodate a higher priority pod`,
      observedGeneration: victim.metadata.generation,
      lastTransitionTime: formatTime(this.#deps.clock.now()),
    };
    const resource = this.#deps.client.resource(pods).namespace(namespace);
    await resource.patch(name, { status: { conditions: [condition] } }, { type: 'strategic', subresource: 'status' });
    await resource.delete(name, { preconditions: { uid } });
    await this.#event(victim, 'Normal', 'Preempted', 'Preempting', message);
  }

  async #event(about: KubeObject, type: string, reason: string, action: string, note: string): Promise<void> {
    const nowMs = this.#deps.clock.now();
    const { name = '', namespace = '', uid, resourceVersion } = about.metadata;
    const event = {
      metadata: {
        name: `${name}.${(BigInt(Math.floor(nowMs)) * 1_000_000n).toString(16)}${this.#deps.random.suffix(4)}`,
        namespace,
      },
      eventTime: formatMicroTime(nowMs),
      reportingController: this.#name,
      reportingInstance: `${this.#name}-kobune`,
      action,
      reason,
      note: note.slice(0, 1024),
      type,
      regarding: { apiVersion: 'v1', kind: 'Pod', name, namespace, uid, resourceVersion },
    };
    try {
      await this.#deps.client
        .resource(eventsResource)
        .namespace(namespace)
        .create(event as Partial<KubeObject>);
    } catch (error) {
      this.#deps.logger.debug('an event was not written', { reason, error });
    }
  }

  #observe(result: string, beginMs: number): void {
    const labels = { profile: this.#name, result };
    this.#attempts.inc(labels);
    this.#duration.observe((this.#deps.clock.monotonicMs() - beginMs) / 1000, labels);
  }

  #track(work: Promise<unknown>): void {
    const end = this.#deps.activity.begin();
    const tracked: Promise<void> = work
      .then(
        () => {},
        error => this.#deps.logger.error('scheduling failed', { error }),
      )
      .finally(() => {
        this.#binding.delete(tracked);
        end();
      });
    this.#binding.add(tracked);
  }
}
