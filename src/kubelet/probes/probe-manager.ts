/**
 * Keeps one worker for each probe of each running container, and what they found.
 * Upstream: pkg/kubelet/prober/{prober_manager,worker}.go, results/results_manager.go.
 *
 * Deviation: a worker looks at a container as soon as it runs and its initial delay is over, not at the next tick; and
 * after a restart of the kubelet nothing is delayed at random.
 */

import { parseTimeMs } from '#apimachinery';
import type { Activity, Clock, Logger, Timer } from '#base';
import type { EventRecorder } from '#client';
import type { RuntimeService } from '#cri';
import type { ApiContainerStatus, Container, Pod, PodStatus, Probe } from '../api-objects.ts';
import { type Busy, beginBusy } from '../busy.ts';
import { podRef } from '../events.ts';
import { containerShouldRestart, findStatus, isRestartableInit, isTerminalPhase } from '../pod-helpers.ts';
import type { ProbeOutcome } from '../runtime/pod-actions.ts';
import { messageOf } from '../runtime/start-error.ts';
import { type ProbeAnswer, runProbe } from './prober.ts';

export type ProbeType = 'Startup' | 'Liveness' | 'Readiness';

export interface ProbeDeps {
  readonly runtime: RuntimeService;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly activity: Activity;
  readonly recorder: EventRecorder;
  /** Wall milliseconds of the kubelet's start. */
  readonly startedMs: number;
  status(uid: string): PodStatus | undefined;
  /** A result changed. */
  changed(uid: string, type: ProbeType, containerId: string, outcome: ProbeOutcome): void;
}

interface Worker {
  pod: Pod;
  readonly container: Container;
  readonly type: ProbeType;
  readonly probe: Probe;
  /** As the status has it, with the runtime's name. */
  containerId: string;
  onHold: boolean;
  lastResult: 'success' | 'failure' | undefined;
  runs: number;
  timer: Timer | undefined;
  probing: boolean;
  stopped: boolean;
}

const initialOutcome: Readonly<Record<ProbeType, ProbeOutcome>> = {
  Startup: 'unknown',
  Liveness: 'success',
  Readiness: 'failure',
};
const attempts = 3;
const restartGraceMs = 10_000;

export class ProbeManager {
  readonly #deps: ProbeDeps;
  readonly #workers = new Map<string, Worker>();
  readonly #results = new Map<string, ProbeOutcome>();

  constructor(deps: ProbeDeps) {
    this.#deps = deps;
  }

  /** What a probe found; `containerId` with the runtime's name in front. */
  result(type: ProbeType, containerId: string): ProbeOutcome | undefined {
    return this.#results.get(`${type}/${containerId}`);
  }

  addPod(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    const sidecars = (pod.spec.initContainers ?? []).filter(isRestartableInit);
    for (const container of [...pod.spec.containers, ...sidecars]) {
      this.#ensure(uid, pod, container, 'Startup', container.startupProbe);
      this.#ensure(uid, pod, container, 'Readiness', container.readinessProbe);
      this.#ensure(uid, pod, container, 'Liveness', container.livenessProbe);
    }
  }

  #ensure(uid: string, pod: Pod, container: Container, type: ProbeType, probe: Probe | undefined): void {
    if (!probe) return;
    const key = `${uid}/${container.name}/${type}`;
    const known = this.#workers.get(key);
    if (known) {
      known.pod = pod;
      return;
    }
    const worker: Worker = {
      pod,
      container,
      type,
      probe,
      containerId: '',
      onHold: false,
      lastResult: undefined,
      runs: 0,
      timer: undefined,
      probing: false,
      stopped: false,
    };
    this.#workers.set(key, worker);
  }

  /** The pod's status changed: containers that began to run, or that have started, are looked at. */
  poke(uid: string): void {
    for (const [key, worker] of this.#workers) {
      if (!key.startsWith(`${uid}/`) || worker.probing) continue;
      const status = this.#containerStatus(worker);
      const fresh = status?.containerID !== undefined && status.containerID !== worker.containerId;
      if (fresh || worker.timer === undefined) this.#tick(key, worker);
    }
  }

  /** While a pod terminates only its readiness matters. */
  stopLivenessAndStartup(uid: string): void {
    for (const [key, worker] of this.#workers) {
      if (key.startsWith(`${uid}/`) && worker.type !== 'Readiness') this.#stop(key, worker);
    }
  }

  removePod(uid: string): void {
    for (const [key, worker] of this.#workers) if (key.startsWith(`${uid}/`)) this.#stop(key, worker);
  }

  close(): void {
    for (const [key, worker] of this.#workers) this.#stop(key, worker);
  }

  #stop(key: string, worker: Worker): void {
    worker.stopped = true;
    worker.timer?.cancel();
    this.#workers.delete(key);
    if (worker.containerId) this.#results.delete(`${worker.type}/${worker.containerId}`);
  }

  /** Fills `started` and `ready`. */
  apply(pod: Pod, status: ApiContainerStatus, init: boolean): ApiContainerStatus {
    const uid = pod.metadata.uid ?? '';
    const containers = init ? pod.spec.initContainers : pod.spec.containers;
    const container = containers?.find(each => each.name === status.name);
    if (!container) return status;
    const started = this.#started(uid, status);
    if (init && !isRestartableInit(container)) {
      return { ...status, started, ready: status.state?.terminated?.exitCode === 0 };
    }
    if (!started || !status.state?.running) return { ...status, started, ready: false };
    const result = this.result('Readiness', status.containerID ?? '');
    const worker = this.#workers.get(`${uid}/${status.name}/Readiness`);
    let ready = result === 'success' || (!worker && result === undefined && !container.readinessProbe);
    if (!ready && result === undefined && this.#ranBefore(status)) ready = this.#wasReady(pod, status);
    return { ...status, started, ready };
  }

  #started(uid: string, status: ApiContainerStatus): boolean {
    if (!status.state?.running) return false;
    const result = this.result('Startup', status.containerID ?? '');
    if (result !== undefined) return result === 'success';
    if (this.#workers.has(`${uid}/${status.name}/Startup`)) return this.#ranBefore(status) && status.started === true;
    return true;
  }

  #ranBefore(status: ApiContainerStatus): boolean {
    const startedMs = parseTimeMs(status.state?.running?.startedAt);
    return startedMs < this.#deps.startedMs - restartGraceMs;
  }

  #wasReady(pod: Pod, status: ApiContainerStatus): boolean {
    const before = findStatus(pod.status?.containerStatuses, status.name);
    return before?.containerID === status.containerID && before?.ready === true;
  }

  #containerStatus(worker: Worker): ApiContainerStatus | undefined {
    const status = this.#deps.status(worker.pod.metadata.uid ?? '');
    const { name } = worker.container;
    return findStatus(status?.containerStatuses, name) ?? findStatus(status?.initContainerStatuses, name);
  }

  #tick(key: string, worker: Worker): void {
    if (worker.stopped || worker.probing) return;
    worker.timer?.cancel();
    worker.probing = true;
    const busy = beginBusy(this.#deps.activity);
    void this.#look(key, worker, busy)
      .catch(error => {
        this.#deps.logger.error('probe worker failed', { container: worker.container.name, error });
        return (worker.probe.periodSeconds ?? 10) * 1000;
      })
      .then(delayMs => {
        worker.probing = false;
        busy.end();
        worker.timer = undefined;
        if (worker.stopped || delayMs === undefined) return;
        worker.timer = this.#deps.clock.setTimer(() => this.#tick(key, worker), delayMs);
      });
  }

  /** Answers after how long to look again; undefined: when poked. */
  async #look(key: string, worker: Worker, busy: Busy): Promise<number | undefined> {
    const { pod, type, probe } = worker;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    const status = this.#deps.status(pod.metadata.uid ?? '');
    if (!status) return undefined;
    if (isTerminalPhase(status.phase)) {
      this.#stop(key, worker);
      return undefined;
    }
    const container = this.#containerStatus(worker);
    if (!container?.containerID) return undefined;
    if (container.containerID !== worker.containerId) this.#newContainer(worker, container);
    if (worker.onHold) return undefined;
    if (!container.state?.running) return this.#notRunning(key, worker, container);
    if (pod.metadata.deletionTimestamp && type !== 'Readiness') {
      this.#set(worker, 'success');
      this.#stop(key, worker);
      return undefined;
    }
    const dueMs = parseTimeMs(container.state.running.startedAt) + (probe.initialDelaySeconds ?? 0) * 1000;
    const now = this.#deps.clock.now();
    if (now < dueMs) return dueMs - now;
    if (container.started ? type === 'Startup' : type !== 'Startup') return periodMs;
    const result = await this.#probe(worker, status.podIP ?? '', busy);
    if (worker.stopped || result === undefined) return periodMs;
    this.#count(worker, result);
    return periodMs;
  }

  #newContainer(worker: Worker, container: ApiContainerStatus): void {
    if (worker.containerId) this.#results.delete(`${worker.type}/${worker.containerId}`);
    worker.containerId = container.containerID!;
    worker.onHold = false;
    worker.lastResult = undefined;
    worker.runs = 0;
    const adopted = this.#ranBefore(container);
    if (adopted && worker.type === 'Startup' && container.started) this.#set(worker, 'success');
    else if (!adopted) this.#set(worker, initialOutcome[worker.type]);
  }

  #notRunning(key: string, worker: Worker, container: ApiContainerStatus): undefined {
    this.#set(worker, 'failure');
    const ended = container.state?.terminated;
    if (ended && !containerShouldRestart(worker.container, worker.pod.spec, ended.exitCode)) this.#stop(key, worker);
    return undefined;
  }

  /** Undefined: the probe could not be run. */
  async #probe(worker: Worker, podIp: string, busy: Busy): Promise<'success' | 'failure' | undefined> {
    const { pod, container, type, probe, containerId } = worker;
    const { runtime, clock, recorder } = this.#deps;
    const about = podRef(pod, container.name);
    const id = containerId.slice(containerId.indexOf('://') + 3);
    let answer: ProbeAnswer | undefined;
    let failure: unknown;
    for (let attempt = 0; attempt < attempts && !answer; attempt++) {
      try {
        const run = runProbe(probe, { container, containerId: id, podIp }, { runtime, clock });
        // A command takes the clock's time, the network takes the machine's.
        answer = await (probe.exec ? busy.wait(run) : run);
      } catch (error) {
        failure = error;
      }
    }
    if (worker.stopped) return undefined;
    if (!answer) {
      const message = `${type} probe errored and resulted in unknown state: ${messageOf(failure)}`;
      recorder.eventAbout(about, 'Warning', 'Unhealthy', message);
      return undefined;
    }
    if (answer.result === 'warning') {
      recorder.eventAbout(about, 'Warning', 'ProbeWarning', `${type} probe warning: ${answer.output}`);
    } else if (answer.result === 'failure') {
      recorder.eventAbout(about, 'Warning', 'Unhealthy', `${type} probe failed: ${answer.output}`);
    }
    return answer.result === 'failure' ? 'failure' : 'success';
  }

  #count(worker: Worker, result: 'success' | 'failure'): void {
    if (worker.lastResult === result) worker.runs++;
    else worker.runs = 1;
    worker.lastResult = result;
    const { failureThreshold = 3, successThreshold = 1 } = worker.probe;
    if (worker.runs < (result === 'failure' ? failureThreshold : successThreshold)) return;
    if ((worker.type === 'Liveness' && result === 'failure') || worker.type === 'Startup') {
      worker.onHold = true;
      worker.runs = 0;
    }
    this.#set(worker, result);
  }

  #set(worker: Worker, outcome: ProbeOutcome): void {
    const key = `${worker.type}/${worker.containerId}`;
    if (this.#results.get(key) === outcome) return;
    const before = this.#results.get(key);
    this.#results.set(key, outcome);
    if (before === undefined && outcome === initialOutcome[worker.type]) return;
    const uid = worker.pod.metadata.uid ?? '';
    this.#deps.changed(uid, worker.type, worker.containerId, outcome);
    if (worker.type !== 'Startup' || outcome !== 'success') return;
    for (const type of ['Liveness', 'Readiness']) {
      const key = `${uid}/${worker.container.name}/${type}`;
      const waiting = this.#workers.get(key);
      if (waiting) this.#tick(key, waiting);
    }
  }
}
