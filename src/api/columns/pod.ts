/** The row of a Pod. Upstream: printPod in pkg/printers/internalversion/printers.go. */
import type { ContainerStatus, Pod, PodCondition } from '../types.ts';
import { age, type Row } from './cells.ts';

interface Tally {
  reason: string;
  restarts: number;
  ready: number;
  /** RFC 3339 times compare as text. */
  lastRestart: string;
}

const completed = { type: 'Completed', status: 'True' };
const conditionsOf: Readonly<Record<string, Row['conditions']>> = {
  Succeeded: [{ ...completed, reason: 'Succeeded', message: 'The pod has completed successfully.' }],
  Failed: [{ ...completed, reason: 'Failed', message: 'The pod failed.' }],
};

function isTrue(conditions: readonly PodCondition[] | undefined, type: string): boolean {
  return conditions?.find(each => each.type === type)?.status === 'True';
}

function later(a: string, status: ContainerStatus): string {
  const b = status.lastState?.terminated?.finishedAt ?? '';
  return b > a ? b : a;
}

function exitText(terminated: { reason?: string; signal?: number; exitCode: number }): string {
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

/** What an init container that is not done says; undefined when it is done. */
function initReason(status: ContainerStatus, sidecar: boolean, at: number, of: number): string | undefined {
  const { terminated, waiting } = status.state ?? {};
  if (terminated && (terminated.exitCode ?? 0) === 0) return undefined;
  if (sidecar && status.started) return undefined;
  if (terminated) return `Init:${exitText(terminated)}`;
  if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
  return `Init:${at}/${of}`;
}

/** Looks at the init containers up to the first that is not done; says whether there is one. Counts sidecars apart. */
function tallyInit(pod: Pod, tally: Tally, sidecars: Tally): boolean {
  const isSidecar = (name: string): boolean =>
    pod.spec.initContainers?.find(each => each.name === name)?.restartPolicy === 'Always';
  const statuses = pod.status?.initContainerStatuses ?? [];
  for (const [at, status] of statuses.entries()) {
    const sidecar = isSidecar(status.name);
    for (const each of sidecar ? [tally, sidecars] : [tally]) {
      each.restarts += status.restartCount ?? 0;
      each.lastRestart = later(each.lastRestart, status);
    }
    const reason = initReason(status, sidecar, at, pod.spec.initContainers?.length ?? 0);
    if (reason !== undefined) {
      tally.reason = reason;
      return true;
    }
    const exited = status.state?.terminated !== undefined && (status.state.terminated.exitCode ?? 0) === 0;
    if (sidecar && status.started && status.ready && !exited) tally.ready++;
  }
  return false;
}

function tallyContainers(pod: Pod, tally: Tally): void {
  let running = false;
  let errorReason = '';
  for (const status of (pod.status?.containerStatuses ?? []).toReversed()) {
    tally.restarts += status.restartCount ?? 0;
    tally.lastRestart = later(tally.lastRestart, status);
    const { waiting, terminated, running: isRunning } = status.state ?? {};
    if (waiting?.reason) tally.reason = waiting.reason;
    else if (terminated) {
      tally.reason = exitText(terminated);
      if (terminated.exitCode) errorReason = tally.reason;
    } else if (status.ready && isRunning) {
      running = true;
      tally.ready++;
    }
  }
  if (tally.reason !== 'Completed') return;
  if (running && isTrue(pod.status?.conditions, 'Ready')) tally.reason = 'Running';
  else if (errorReason) tally.reason = errorReason;
  else if (running) tally.reason = 'NotReady';
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  return `${gates.filter(gate => isTrue(pod.status?.conditions, gate.conditionType)).length}/${gates.length}`;
}

/** Why the pod is as it is, in a word, with the counts that stand beside it. */
function summarize(pod: Pod): Tally {
  const { status } = pod;
  const gated = status?.conditions?.some(each => each.type === 'PodScheduled' && each.reason === 'SchedulingGated');
  const tally: Tally = {
    reason: gated ? 'SchedulingGated' : status?.reason || status?.phase || '',
    restarts: 0,
    ready: 0,
    lastRestart: '',
  };
  const sidecars: Tally = { ...tally };
  const initializing = tallyInit(pod, tally, sidecars);
  if (!initializing || isTrue(status?.conditions, 'Initialized')) {
    tally.restarts = sidecars.restarts;
    tally.lastRestart = sidecars.lastRestart;
    tallyContainers(pod, tally);
  }
  if (pod.metadata.deletionTimestamp) {
    if (status?.reason === 'NodeLost') tally.reason = 'Unknown';
    else if (status?.phase !== 'Succeeded' && status?.phase !== 'Failed') tally.reason = 'Terminating';
  }
  return tally;
}

/** Name, readiness, state, restarts, age; address, node and gates when wide. */
export function podRow(pod: Pod, nowMs: number): Row {
  const { metadata, spec, status } = pod;
  const { reason, restarts, ready, lastRestart } = summarize(pod);
  const sidecars = spec.initContainers?.filter(each => each.restartPolicy === 'Always').length ?? 0;
  const total = (spec.containers?.length ?? 0) + sidecars;
  const conditions = conditionsOf[status?.phase ?? ''];
  return {
    cells: [
      metadata.name ?? '',
      `${ready}/${total}`,
      reason,
      restarts !== 0 && lastRestart ? `${restarts} (${age(lastRestart, nowMs)} ago)` : String(restarts),
      age(metadata.creationTimestamp, nowMs),
      status?.podIPs?.[0]?.ip || '<none>',
      spec.nodeName || '<none>',
      status?.nominatedNodeName || '<none>',
      readinessGates(pod),
    ],
    ...(conditions ? { conditions } : {}),
  };
}
