/**
 * What a Job's pods come to: counted once each, whatever happens to the pod or to the controller meanwhile; and what is
 * to be done next. Upstream: pkg/controller/job/{job_controller,tracking_utils,indexed_job_utils,backoff_utils}.go.
 *
 * A finished pod keeps its finalizer until its uid stands in `uncountedTerminatedPods`; a uid there whose pod has no
 * finalizer any more is added to `succeeded` or `failed`. So a crash between any two steps counts nothing twice.
 */
import type { Job, JobCondition, Pod } from '#api/types';
import { formatTime } from '#apimachinery';
import { isPodReady } from '../pod-control.ts';

export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';
export const indexKey = 'batch.kubernetes.io/job-completion-index';

export interface JobView {
  readonly job: Job;
  /** All pods that the Job controls. */
  readonly pods: readonly Pod[];
  readonly nowMs: number;
}

export interface JobPlan {
  readonly status: NonNullable<Job['status']>;
  /** Pods that may lose their finalizer once `status` is written. */
  readonly release: readonly Pod[];
  readonly remove: readonly Pod[];
  /** Completion indexes of pods to create; -1 for Jobs without indexes. */
  readonly create: readonly number[];
  readonly recheckAfterMs: number | undefined;
  /** A condition that became true just now, for the event. */
  readonly turned: JobCondition | undefined;
}

const isIndexed = (job: Job): boolean => job.spec.completionMode === 'Indexed';
const hasFinalizer = (pod: Pod): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) ?? false;
const phaseOf = (pod: Pod): string => pod.status?.phase ?? 'Pending';
const isActive = (pod: Pod): boolean =>
  phaseOf(pod) !== 'Succeeded' && phaseOf(pod) !== 'Failed' && !pod.metadata.deletionTimestamp;

export function indexOf(pod: Pod): number {
  const text = pod.metadata.annotations?.[indexKey];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : -1;
}

/** `0-2,5` as numbers. */
export function parseIndexes(text: string | undefined): Set<number> {
  const out = new Set<number>();
  for (const part of (text ?? '').split(',').filter(Boolean)) {
    const [from = 0, to = from] = part.split('-').map(Number);
    for (let at = from; at <= to; at++) out.add(at);
  }
  return out;
}

/** The other way; a run of two is written as a pair, as upstream does. */
export function formatIndexes(indexes: Iterable<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const runs: string[] = [];
  for (let at = 0; at < sorted.length; at++) {
    const from = sorted[at]!;
    while (sorted[at + 1] === sorted[at]! + 1) at++;
    const to = sorted[at]!;
    runs.push(from === to ? `${from}` : to === from + 1 ? `${from},${to}` : `${from}-${to}`);
  }
  return runs.join(',');
}

export function conditionOf(job: Job, type: string): JobCondition | undefined {
  return job.status?.conditions?.find(each => each.type === type && each.status === 'True');
}

export const isFinished = (job: Job): boolean => Boolean(conditionOf(job, 'Complete') ?? conditionOf(job, 'Failed'));

interface Count {
  readonly succeeded: number;
  readonly failed: number;
  readonly uncounted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  readonly completed: ReadonlySet<number>;
  readonly release: readonly Pod[];
}

/** Takes newly finished pods into account. Pods that are deleted before they finish count as failed. */
function count({ job, pods }: JobView): Count {
  const before = job.status?.uncountedTerminatedPods;
  const waiting = new Set(pods.filter(hasFinalizer).map(pod => pod.metadata.uid!));
  const keep = (uids: readonly string[] = []): string[] => uids.filter(uid => waiting.has(uid));
  const [succeeded, failed] = [keep(before?.succeeded), keep(before?.failed)];
  const settled = (uids: readonly string[] | undefined, kept: readonly string[]): number =>
    (uids?.length ?? 0) - kept.length;
  let succeededTotal = (job.status?.succeeded ?? 0) + settled(before?.succeeded, succeeded);
  const failedTotal = (job.status?.failed ?? 0) + settled(before?.failed, failed);
  const completed = parseIndexes(job.status?.completedIndexes);
  const release: Pod[] = [];
  for (const pod of pods) {
    if (!hasFinalizer(pod)) continue;
    const uid = pod.metadata.uid!;
    const known = succeeded.includes(uid) || failed.includes(uid);
    if (phaseOf(pod) === 'Succeeded') {
      release.push(pod);
      if (isIndexed(job)) completed.add(indexOf(pod));
      else if (!known) succeeded.push(uid);
    } else if (phaseOf(pod) === 'Failed' || (pod.metadata.deletionTimestamp && !pod.spec.nodeName)) {
      release.push(pod);
      if (!known) failed.push(uid);
    }
  }
  if (isIndexed(job)) {
    for (const index of completed) if (index < 0 || index >= (job.spec.completions ?? 0)) completed.delete(index);
    succeededTotal = completed.size;
  }
  return { succeeded: succeededTotal, failed: failedTotal, uncounted: { succeeded, failed }, completed, release };
}

interface Verdict {
  readonly type: 'FailureTarget' | 'SuccessCriteriaMet';
  readonly reason: string;
  readonly message: string;
}

function verdict(view: JobView, counted: Count, active: number): Verdict | undefined {
  const { job, nowMs } = view;
  for (const type of ['FailureTarget', 'SuccessCriteriaMet'] as const) {
    const known = conditionOf(job, type);
    if (known) return { type, reason: known.reason ?? '', message: known.message ?? '' };
  }
  const failed = counted.failed + counted.uncounted.failed.length;
  const limit = job.spec.backoffLimit ?? 6;
  const restarts = job.spec.template.spec?.restartPolicy === 'OnFailure' ? restartsOf(view.pods) : 0;
  if (failed > limit || (restarts > 0 && restarts >= limit)) {
    const message = 'Job has reached the specified backoff limit';
    return { type: 'FailureTarget', reason: 'BackoffLimitExceeded', message };
  }
  const startMs = job.status?.startTime ? Date.parse(job.status.startTime) : undefined;
  const deadline = job.spec.activeDeadlineSeconds;
  if (deadline !== undefined && startMs !== undefined && !job.spec.suspend && nowMs - startMs >= deadline * 1000) {
    const message = 'Job was active longer than specified deadline';
    return { type: 'FailureTarget', reason: 'DeadlineExceeded', message };
  }
  const succeeded = counted.succeeded + counted.uncounted.succeeded.length;
  const { completions } = job.spec;
  const done = completions === undefined ? succeeded > 0 && active === 0 : succeeded >= completions && active === 0;
  const enough = completions !== undefined && succeeded >= completions;
  if (!done && !enough) return undefined;
  const message = 'Reached expected number of succeeded pods';
  return { type: 'SuccessCriteriaMet', reason: 'CompletionsReached', message };
}

function restartsOf(pods: readonly Pod[]): number {
  let sum = 0;
  for (const pod of pods) {
    if (phaseOf(pod) !== 'Running' && phaseOf(pod) !== 'Pending') continue;
    for (const { restartCount } of pod.status?.containerStatuses ?? []) sum += restartCount ?? 0;
    for (const { restartCount } of pod.status?.initContainerStatuses ?? []) sum += restartCount ?? 0;
  }
  return sum;
}

/** Ten seconds after the last failure, doubling with each since the last success, at most ten minutes. */
function backoffMs({ job, pods, nowMs }: JobView): number {
  if (job.spec.template.spec?.restartPolicy !== 'Never' && !pods.some(pod => phaseOf(pod) === 'Failed')) return 0;
  const endOf = (pod: Pod): number => {
    const ends = (pod.status?.containerStatuses ?? []).map(each =>
      Date.parse(each.state?.terminated?.finishedAt ?? ''),
    );
    const known = ends.filter(Number.isFinite);
    return known.length > 0 ? Math.max(...known) : Date.parse(pod.metadata.creationTimestamp ?? '') || 0;
  };
  const successMs = Math.max(0, ...pods.filter(pod => phaseOf(pod) === 'Succeeded').map(endOf));
  const failures = pods
    .filter(pod => phaseOf(pod) === 'Failed')
    .map(endOf)
    .filter(end => end > successMs);
  if (failures.length === 0) return 0;
  const delayMs = Math.min(10_000 * 2 ** (failures.length - 1), 600_000);
  return Math.max(0, Math.max(...failures) + delayMs - nowMs);
}

/** What to do for a Job that is not finished. */
export function planJob(view: JobView): JobPlan {
  const { job, pods, nowMs } = view;
  const counted = count(view);
  const active = pods.filter(isActive);
  const terminating = pods.filter(
    pod => pod.metadata.deletionTimestamp && phaseOf(pod) !== 'Succeeded' && phaseOf(pod) !== 'Failed',
  );
  const decided = verdict(view, counted, active.length);
  const suspended = job.spec.suspend ?? false;
  const remove = decided || suspended ? active : surplus(view, counted, active);
  const left = active.filter(pod => !remove.includes(pod));
  const waitMs = decided || suspended ? 0 : backoffMs(view);
  const create = decided || suspended || waitMs > 0 ? [] : missing(view, counted, left, terminating.length);
  const { conditions, turned } = conditionsOf(view, counted, decided, active.length + terminating.length);
  const startTime = suspended ? undefined : (job.status?.startTime ?? formatTime(nowMs));
  const deadlineMs =
    job.spec.activeDeadlineSeconds === undefined || suspended
      ? 0
      : Math.max(1, Date.parse(startTime!) + job.spec.activeDeadlineSeconds * 1000 - nowMs);
  const rechecks = [waitMs, deadlineMs].filter(ms => ms > 0);
  const complete = conditions.some(each => each.type === 'Complete' && each.status === 'True');
  const uncounted = counted.uncounted;
  const status = {
    ...(conditions.length > 0 && { conditions }),
    ...(startTime && { startTime }),
    ...(complete && { completionTime: job.status?.completionTime ?? formatTime(nowMs) }),
    ...(left.length + create.length > 0 && { active: left.length + create.length }),
    ...(counted.succeeded > 0 && { succeeded: counted.succeeded }),
    ...(counted.failed > 0 && { failed: counted.failed }),
    terminating: terminating.length + remove.length,
    ...(counted.completed.size > 0 && { completedIndexes: formatIndexes(counted.completed) }),
    uncountedTerminatedPods: {
      ...(uncounted.succeeded.length > 0 && { succeeded: uncounted.succeeded }),
      ...(uncounted.failed.length > 0 && { failed: uncounted.failed }),
    },
    ready: left.filter(isPodReady).length,
  };
  return {
    status,
    release: counted.release,
    remove,
    create,
    recheckAfterMs: decided || rechecks.length === 0 ? undefined : Math.min(...rechecks),
    turned,
  };
}

/** Pods beyond what is wanted: pending ones first; of two with one index the later. */
function surplus({ job }: JobView, counted: Count, active: readonly Pod[]): Pod[] {
  const wanted = wantedActive(job, counted, active.length);
  const seen = new Set<number>();
  const doubles = isIndexed(job)
    ? active.filter(pod => {
        const index = indexOf(pod);
        const extra =
          index < 0 || index >= (job.spec.completions ?? 0) || seen.has(index) || counted.completed.has(index);
        seen.add(index);
        return extra;
      })
    : [];
  const rest = active.filter(pod => !doubles.includes(pod));
  const rank = (pod: Pod): number => (phaseOf(pod) === 'Pending' ? 0 : isPodReady(pod) ? 2 : 1);
  const excess = rest.toSorted((a, b) => rank(a) - rank(b)).slice(0, Math.max(0, rest.length - wanted));
  return [...doubles, ...excess];
}

function wantedActive(job: Job, counted: Count, active: number): number {
  const parallelism = job.spec.parallelism ?? 1;
  const succeeded = counted.succeeded + counted.uncounted.succeeded.length;
  if (job.spec.completions === undefined) return succeeded > 0 ? Math.min(active, parallelism) : parallelism;
  return Math.max(0, Math.min(job.spec.completions - succeeded, parallelism));
}

function missing({ job }: JobView, counted: Count, left: readonly Pod[], terminating: number): number[] {
  const replaceLate = job.spec.podReplacementPolicy === 'Failed' ? terminating : 0;
  const lacking = Math.max(0, wantedActive(job, counted, left.length) - left.length - replaceLate);
  if (!isIndexed(job)) return Array.from({ length: lacking }, () => -1);
  const taken = new Set([...counted.completed, ...left.map(indexOf)]);
  const free: number[] = [];
  for (let index = 0; index < (job.spec.completions ?? 0) && free.length < lacking; index++) {
    if (!taken.has(index)) free.push(index);
  }
  return free;
}

function conditionsOf(
  { job, nowMs }: JobView,
  counted: Count,
  decided: Verdict | undefined,
  running: number,
): { conditions: JobCondition[]; turned: JobCondition | undefined } {
  const time = formatTime(nowMs);
  const conditions = [...(job.status?.conditions ?? [])];
  let turned: JobCondition | undefined;
  const set = (type: string, status: 'True' | 'False', reason: string, message: string): void => {
    const at = conditions.findIndex(each => each.type === type);
    if (conditions[at]?.status === status || (at < 0 && status === 'False')) return;
    turned = { type, status, lastProbeTime: time, lastTransitionTime: time, reason, message };
    if (at < 0) conditions.push(turned);
    else conditions[at] = turned;
  };
  if (decided) {
    const { type, reason, message } = decided;
    set(type, 'True', reason, message);
    const settled = running === 0 && counted.uncounted.succeeded.length + counted.uncounted.failed.length === 0;
    const known = conditionOf(job, type) !== undefined;
    if (settled && (known || counted.release.length === 0)) {
      set(type === 'FailureTarget' ? 'Failed' : 'Complete', 'True', reason, message);
    }
  } else if (job.spec.suspend) set('Suspended', 'True', 'JobSuspended', 'Job suspended');
  else set('Suspended', 'False', 'JobResumed', 'Job resumed');
  return { conditions, turned };
}
