/** The phase of a pod, from its containers' statuses. Pure. Upstream: pkg/kubelet/kubelet_pods.go (getPhase). */
import type { ApiContainerStatus, Container, Pod, PodPhase } from '../api-objects.ts';
import { containerShouldRestart, findStatus, isRestartableInit, isStaticPod } from '../pod-helpers.ts';

interface PhaseOptions {
  /** The pod's containers will not be started again, whatever its restart policy. */
  readonly terminal: boolean;
  /** A regular container of the present sandbox was created. */
  readonly initialized: boolean;
}

interface Counts {
  pendingInit: number;
  pendingSidecars: number;
  failedInit: number;
  unknown: number;
  running: number;
  waiting: number;
  stopped: number;
  stoppedForGood: number;
  succeeded: number;
}

export function podPhase(pod: Pod, statuses: readonly ApiContainerStatus[], options: PhaseOptions): PodPhase {
  const counts: Counts = {
    pendingInit: 0,
    pendingSidecars: 0,
    failedInit: 0,
    unknown: 0,
    running: 0,
    waiting: 0,
    stopped: 0,
    stoppedForGood: 0,
    succeeded: 0,
  };
  for (const container of pod.spec.initContainers ?? []) {
    const status = findStatus(statuses, container.name);
    if (isRestartableInit(container)) countSidecar(status, counts);
    else countInit(pod, container, status, counts);
  }
  for (const container of pod.spec.containers) {
    countRegular(pod, container, findStatus(statuses, container.name), counts);
  }
  return decide(pod, counts, options);
}

function countInit(pod: Pod, container: Container, status: ApiContainerStatus | undefined, counts: Counts): void {
  const state = status?.state;
  const ended = state?.terminated ?? (state?.waiting ? status?.lastState?.terminated : undefined);
  if (!ended) {
    counts.pendingInit++;
    return;
  }
  if (ended.exitCode !== 0 && !containerShouldRestart(container, pod.spec, ended.exitCode)) counts.failedInit++;
}

function countSidecar(status: ApiContainerStatus | undefined, counts: Counts): void {
  if (!status) counts.unknown++;
  else if (status.state?.running) {
    if (!status.started) counts.pendingSidecars++;
    counts.running++;
  } else if (status.state?.waiting) {
    if (status.lastState?.terminated) return;
    counts.pendingSidecars++;
    counts.waiting++;
  } else if (!status.state?.terminated) {
    counts.pendingSidecars++;
    counts.unknown++;
  }
}

function countRegular(pod: Pod, container: Container, status: ApiContainerStatus | undefined, counts: Counts): void {
  const state = status?.state;
  if (state?.running) counts.running++;
  else if (state?.terminated) {
    counts.stopped++;
    if (!containerShouldRestart(container, pod.spec, state.terminated.exitCode)) counts.stoppedForGood++;
    if (state.terminated.exitCode === 0) counts.succeeded++;
  } else if (state?.waiting) {
    const last = status?.lastState?.terminated;
    if (last) {
      counts.stopped++;
      if (!containerShouldRestart(container, pod.spec, last.exitCode)) counts.stoppedForGood++;
    } else counts.waiting++;
  } else counts.unknown++;
}

function decide(pod: Pod, counts: Counts, { terminal, initialized }: PhaseOptions): PodPhase {
  if (counts.failedInit > 0) return 'Failed';
  if (counts.pendingInit > 0 || (counts.pendingSidecars > 0 && !initialized) || counts.waiting > 0) return 'Pending';
  if (counts.unknown > 0) return 'Pending';
  if (counts.running > 0) return 'Running';
  if (counts.stopped === 0) return 'Pending';
  const done: PodPhase = counts.stopped === counts.succeeded ? 'Succeeded' : 'Failed';
  if (terminal && !isStaticPod(pod)) return done;
  return counts.stopped === counts.stoppedForGood ? done : 'Running';
}
