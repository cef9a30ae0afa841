/**
 * Keeps the newest status of each pod and brings it to the API, one patch at a time for a pod; deletes pods that have
 * ended. Upstream: pkg/kubelet/status/status_manager.go.
 *
 * Deviation: the patch is made against the pod as it was last seen, without asking the API first.
 */
import { isDeepStrictEqual } from 'node:util';
import { formatTime, isStatusError } from '#apimachinery';
import type { Activity, Clock, Logger } from '#base';
import type { Client } from '#client';
import type { ApiContainerStatus, ContainerStateView, Pod, PodCondition, PodStatus } from '../api-objects.ts';
import {
  containerShouldRestart,
  findCondition,
  findContainer,
  isMirrorPod,
  isRestartableInit,
  isStaticPod,
  isTerminalPhase,
} from '../pod-helpers.ts';
import { resources } from '../resources.ts';
import { kubeletConditions, terminalCondition } from './conditions.ts';
import { statusPatch } from './status-patch.ts';

export interface StatusManagerDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly activity: Activity;
  /** The pod as the API has it: for a static pod its mirror. */
  apiPod(uid: string): Pod | undefined;
  /** Whether containers of the pod may be running. */
  couldRun(uid: string): boolean;
}

interface Entry {
  pod: Pod;
  status: PodStatus;
  version: number;
  /** Version that the API has. */
  sent: number;
  /** The pod has ended and nothing of it is left to clean up. */
  finished: boolean;
  /** What the last patch answered; newer than the cache at times. */
  seen: Pod | undefined;
  flushing: boolean;
}

const retryMs = 1000;

export class StatusManager {
  readonly #deps: StatusManagerDeps;
  readonly #entries = new Map<string, Entry>();

  constructor(deps: StatusManagerDeps) {
    this.#deps = deps;
  }

  get(uid: string): PodStatus | undefined {
    return this.#entries.get(uid)?.status;
  }

  set(pod: Pod, status: PodStatus): void {
    this.#update(pod, status, pod.metadata.deletionTimestamp !== undefined, false);
  }

  /** Changes one container's status, if it is known; for probe results between syncs. */
  setContainer(
    uid: string,
    containerId: string,
    change: Partial<ApiContainerStatus>,
    conditions: (status: PodStatus) => PodStatus,
  ): void {
    const entry = this.#entries.get(uid);
    if (!entry) return;
    const apply = (list: readonly ApiContainerStatus[] | undefined) =>
      list?.map(each => (each.containerID === containerId ? { ...each, ...change } : each));
    const { containerStatuses, initContainerStatuses } = entry.status;
    const changed = {
      ...entry.status,
      ...(containerStatuses && { containerStatuses: apply(containerStatuses)! }),
      ...(initContainerStatuses && { initContainerStatuses: apply(initContainerStatuses)! }),
    };
    this.#update(entry.pod, conditions(changed), false, false);
  }

  /** The last word: every container has ended, the phase is terminal, the pod may be deleted. */
  terminate(pod: Pod): void {
    const cached = this.#entries.get(pod.metadata.uid ?? '')?.status ?? pod.status ?? {};
    const ended = (status: ApiContainerStatus): ApiContainerStatus =>
      status.state?.terminated ? status : { ...status, state: { terminated: { ...lost } } };
    const inits = cached.initContainerStatuses ?? [];
    const tried = inits.findLastIndex(status => !status.state?.waiting || status.lastState?.terminated);
    const upTo = inits.length > 0 ? Math.max(0, tried) : -1;
    const phase = isTerminalPhase(cached.phase) || isStaticPod(pod) ? cached.phase : 'Failed';
    const status: PodStatus = {
      ...cached,
      ...(phase && { phase }),
      ...(inits.length > 0 && {
        initContainerStatuses: inits.map((each, at) => (at <= upTo ? ended(each) : each)),
      }),
      ...(cached.containerStatuses && {
        containerStatuses: hasInitialized(pod) ? cached.containerStatuses.map(ended) : cached.containerStatuses,
      }),
    };
    this.#update(pod, status, true, true);
  }

  /** Another look at a pod whose status in the API changed, or whose deletion was asked for. */
  reconcile(pod: Pod): void {
    const entry = this.#entries.get(pod.metadata.uid ?? '');
    if (!entry) return;
    if (entry.seen && Number(pod.metadata.resourceVersion) >= Number(entry.seen.metadata.resourceVersion)) {
      entry.seen = undefined;
    }
    if (entry.finished && pod.metadata.deletionTimestamp) this.#flush(pod.metadata.uid ?? '');
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  #update(pod: Pod, wanted: PodStatus, force: boolean, finished: boolean): void {
    const uid = pod.metadata.uid ?? '';
    const cached = this.#entries.get(uid);
    const old = cached?.status ?? this.#deps.apiPod(uid)?.status ?? pod.status ?? {};
    const illegal = illegalTransition(pod, old, wanted);
    if (illegal) {
      this.#deps.logger.error('status update was refused', { pod: pod.metadata.name, why: illegal });
      return;
    }
    const now = this.#deps.clock.now();
    const generation = Math.max(old.observedGeneration ?? 0, pod.metadata.generation ?? 0);
    const status: PodStatus = {
      ...wanted,
      ...(generation > 0 && { observedGeneration: generation }),
      startTime: old.startTime ?? formatTime(now),
      conditions: (wanted.conditions ?? []).map(each => withTransition(each, old, now)),
    };
    if (cached && !force && isDeepStrictEqual(cached.status, status)) return;
    const entry: Entry = cached ?? { pod, status, version: 0, sent: 0, finished, seen: undefined, flushing: false };
    entry.pod = pod;
    entry.status = status;
    entry.version++;
    entry.finished ||= finished;
    this.#entries.set(uid, entry);
    this.#flush(uid);
  }

  #flush(uid: string): void {
    const entry = this.#entries.get(uid);
    if (!entry || entry.flushing) return;
    entry.flushing = true;
    const end = this.#deps.activity.begin();
    void this.#send(uid, entry).finally(() => {
      entry.flushing = false;
      end();
    });
  }

  async #send(uid: string, entry: Entry): Promise<void> {
    do {
      const { version, status } = entry;
      try {
        await this.#patch(uid, entry, status);
        entry.sent = version;
      } catch (error) {
        if (isStatusError(error, 'NotFound')) {
          entry.sent = version;
          return;
        }
        if (isStatusError(error, 'Conflict')) {
          this.#deps.logger.info('pod was made anew, its status is dropped', { pod: entry.pod.metadata.name });
          this.#entries.delete(uid);
          return;
        }
        this.#deps.logger.warn('pod status was not updated', { pod: entry.pod.metadata.name, error });
        this.#deps.clock.setTimer(() => this.#flush(uid), retryMs);
        return;
      }
    } while (entry.sent < entry.version && this.#entries.get(uid) === entry);
  }

  async #patch(uid: string, entry: Entry, status: PodStatus): Promise<void> {
    const current = newer(this.#deps.apiPod(uid), entry.seen);
    if (!current) return;
    const { name = '', namespace = '', uid: apiUid = '' } = current.metadata;
    const pods = this.#deps.client.resource(resources.pods).namespace(namespace);
    const merged = mergeStatus(current, status, this.#deps.couldRun(uid));
    const patch = statusPatch(apiUid, current.status, merged);
    let pod = current;
    if (patch) {
      pod = await pods.patch(name, patch, { type: 'strategic', subresource: 'status' });
      entry.seen = pod;
    }
    const deletable = entry.finished && pod.metadata.deletionTimestamp && isTerminalPhase(pod.status?.phase);
    if (!deletable || isMirrorPod(pod)) return;
    await pods.delete(name, { gracePeriodSeconds: 0, preconditions: { uid: apiUid } });
  }
}

const lost = {
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the pod was terminated',
  exitCode: 137,
};

function newer(a: Pod | undefined, b: Pod | undefined): Pod | undefined {
  if (!a || !b || a.metadata.uid !== b.metadata.uid) return a;
  return Number(b.metadata.resourceVersion) > Number(a.metadata.resourceVersion) ? b : a;
}

function withTransition(condition: PodCondition, old: PodStatus, nowMs: number): PodCondition {
  const shared = condition.type === 'DisruptionTarget';
  if (!kubeletConditions.includes(condition.type) && !shared) return condition;
  const before = findCondition(old, condition.type);
  const same = before?.status === condition.status && before.lastTransitionTime;
  return { ...condition, lastTransitionTime: same ? before.lastTransitionTime! : formatTime(nowMs) };
}

/** Whether the pod got past its init containers, so that its regular containers count as lost when unknown. */
function hasInitialized(pod: Pod): boolean {
  const inits = pod.spec.initContainers ?? [];
  if (inits.length === 0) return true;
  const started = pod.status?.containerStatuses?.some(each => each.lastState?.terminated || !each.state?.waiting);
  if (started) return true;
  const last = inits.at(-1)!;
  const status = pod.status?.initContainerStatuses?.find(each => each.name === last.name);
  if (isRestartableInit(last)) return Boolean(status?.state?.running && status.started);
  const succeeded = (state: ContainerStateView | undefined): boolean => state?.terminated?.exitCode === 0;
  return succeeded(status?.state) || succeeded(status?.lastState);
}

/** Foreign conditions stay; a phase does not become terminal while containers may run. */
function mergeStatus(pod: Pod, status: PodStatus, couldRun: boolean): PodStatus {
  const old = pod.status ?? {};
  const foreign = (old.conditions ?? []).filter(each => !kubeletConditions.includes(each.type));
  const becomesTerminal = !isTerminalPhase(old.phase) && isTerminalPhase(status.phase);
  const own = (status.conditions ?? []).filter(each => kubeletConditions.includes(each.type));
  const disruption = findCondition(status, 'DisruptionTarget');
  if (disruption && becomesTerminal && !couldRun) {
    const at = foreign.findIndex(each => each.type === 'DisruptionTarget');
    if (at >= 0) foreign[at] = disruption;
    else foreign.push(disruption);
  }
  const hold = becomesTerminal && couldRun;
  let conditions = [...foreign, ...own];
  const phase = hold ? old.phase : status.phase;
  if (isTerminalPhase(phase)) {
    conditions = conditions.map(each => {
      if ((each.type !== 'Ready' && each.type !== 'ContainersReady') || each.status !== 'True') return each;
      return { ...each, ...terminalCondition(pod, each.type, phase!) };
    });
  }
  const { phase: _p, reason: _r, message: _m, ...rest } = status;
  const verdict = hold ? old : status;
  const kept = pick(old, ['resourceClaimStatuses', 'extendedResourceClaimStatus', 'nominatedNodeName', 'resize']);
  return { ...kept, ...rest, ...pick(verdict, ['phase', 'reason', 'message']), conditions };
}

function pick(status: PodStatus, names: ReadonlyArray<keyof PodStatus>): Partial<PodStatus> {
  return Object.fromEntries(names.flatMap(name => (status[name] === undefined ? [] : [[name, status[name]]])));
}

/** A container that ended for good must not come back. Answers why the status is refused. */
function illegalTransition(pod: Pod, old: PodStatus, wanted: PodStatus): string | undefined {
  if ((pod.spec.restartPolicy ?? 'Always') === 'Always') return undefined;
  const check = (before: readonly ApiContainerStatus[] = [], after: readonly ApiContainerStatus[] = []) =>
    before.find(({ name, state }) => {
      const container = findContainer(pod.spec, name);
      if (!state?.terminated || !container || isRestartableInit(container)) return false;
      if (containerShouldRestart(container, pod.spec, state.terminated.exitCode)) return false;
      const now = after.find(each => each.name === name);
      return now !== undefined && !now.state?.terminated;
    });
  const found =
    check(old.containerStatuses, wanted.containerStatuses) ??
    check(old.initContainerStatuses, wanted.initContainerStatuses);
  return found && `terminated container ${found.name} attempted illegal transition to non-terminated state`;
}
