/**
 * Writes to a Job's status, by our controller or by another that manages the Job: counters only rise, what is over stays
 * over. Rules are asked of what changed, so that a status that breaks one already can still be written. Upstream:
 * pkg/apis/batch/validation/validation.go (validateJobStatus, ValidateJobStatusUpdate), pkg/registry/batch/job/strategy.go.
 */
import {
  duplicate,
  type FieldError,
  FieldPath,
  goQuote,
  invalidOmitted,
  invalidValue,
  required,
  semanticEqual,
} from '#apimachinery';
import type { Job, JobStatus } from '../../../types.ts';
import type { Errors } from '../../../validation/common.ts';
import { internalValue } from '../../../validation/internal-value.ts';
import { statusCounts } from '../../../validation/workloads.ts';

const path = FieldPath.of('status');
const conditionsPath = path.child('conditions');

interface Side {
  readonly job: Job;
  readonly status: JobStatus;
  readonly complete: boolean;
  readonly failed: boolean;
  readonly finished: boolean;
  readonly failureTarget: boolean;
  readonly successCriteriaMet: boolean;
}

function has({ conditions }: JobStatus, type: string, status = 'True'): boolean {
  return (conditions ?? []).some(condition => condition.type === type && condition.status === status);
}

function sideOf(job: Job): Side {
  const status = job.status ?? {};
  const [complete, failed] = [has(status, 'Complete'), has(status, 'Failed')];
  return {
    job,
    status,
    complete,
    failed,
    finished: complete || failed,
    failureTarget: has(status, 'FailureTarget'),
    successCriteriaMet: has(status, 'SuccessCriteriaMet'),
  };
}

type Interval = readonly [number, number];

/** One index or a range of them; a text says what is wrong. */
function interval(text: string, completions: number): Interval | string {
  const parts = text.split('-');
  if (parts.length > 2) {
    return `the fragment ${goQuote(text)} violates the requirement that an index interval can have at most two parts separated by '-'`;
  }
  const numbers: number[] = [];
  for (const part of parts) {
    if (!/^[+-]?\d+$/.test(part)) return `cannot convert string to integer for index: ${goQuote(part)}`;
    if (Number(part) >= completions) return `too large index: ${goQuote(part)}`;
    numbers.push(Number(part));
  }
  const [first, last = first] = numbers as [number, number?];
  if (parts.length > 1 && first >= last) return `non-increasing order, previous: ${first}, current: ${last}`;
  return [first, last];
}

/** Why a list of intervals is malformed. */
function indexesProblem(text: string, completions: number): string | undefined {
  let last: number | undefined;
  for (const each of text === '' ? [] : text.split(',')) {
    const found = interval(each, completions);
    if (typeof found === 'string') return found;
    if (last !== undefined && last >= found[0]) {
      return `non-increasing order, previous: ${last}, current: ${found[0]}`;
    }
    last = found[1];
  }
  return undefined;
}

/** The first index that is in both; malformed intervals are told of elsewhere. */
function overlap(completed: string, failed: string, completions: number): number | undefined {
  const read = (text: string): Interval[] =>
    text.split(',').flatMap(each => {
      const found = interval(each, completions);
      return typeof found === 'string' ? [] : [found];
    });
  if (completed === '' || failed === '') return undefined;
  const [left, right] = [read(completed), read(failed)];
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    const [a, b] = [left[i]!, right[j]!];
    if (a[0] <= b[1] && b[0] <= a[1]) return Math.max(a[0], b[0]);
    if (a[0] <= b[0]) i++;
    else j++;
  }
  return undefined;
}

function checkUncounted(errors: Errors, { uncountedTerminatedPods: pods }: JobStatus): void {
  const seen = new Set<string>();
  for (const name of ['succeeded', 'failed'] as const) {
    pods?.[name]?.forEach((uid, i) => {
      const at = path.child('uncountedTerminatedPods', name).index(i);
      if (uid === '') errors.push(invalidValue(at, uid, 'must not be empty'));
      else if (seen.has(uid)) errors.push(duplicate(at, uid));
      seen.add(uid);
    });
  }
}

/** Whether any of these differs between the sides. */
type Changed = (...names: (keyof Side | keyof JobStatus)[]) => boolean;

function checkCompletion(errors: Errors, { status, complete, failed, failureTarget }: Side, changed: Changed): void {
  const { startTime, completionTime } = status;
  const at = path.child('completionTime');
  const refuse = (text: string): unknown => errors.push(invalidOmitted(conditionsPath, text));
  if (changed('complete', 'failed') && complete && failed)
    refuse('cannot set Complete=True and Failed=true conditions');
  if (changed('complete', 'failureTarget') && complete && failureTarget) {
    refuse('cannot set Complete=True and FailureTarget=true conditions');
  }
  if (changed('complete', 'completionTime')) {
    if (completionTime && !complete) {
      errors.push(
        invalidValue(at, completionTime, 'cannot set completionTime when there is no Complete=True condition'),
      );
    }
    if (!completionTime && complete) errors.push(required(at, 'completionTime is required for Complete jobs'));
  }
  if (changed('startTime', 'completionTime') && startTime && completionTime && completionTime < startTime) {
    errors.push(invalidValue(at, completionTime, 'must be equal to or after `startTime`'));
  }
}

function checkFinished(errors: Errors, now: Side, changed: Changed): void {
  const { status, failed, finished } = now;
  const refuse = (text: string): unknown => errors.push(invalidOmitted(conditionsPath, text));
  if (changed('failed', 'failedIndexes') && failed && !now.failureTarget) {
    refuse('cannot set Failed=True condition without the FailureTarget=true condition');
  }
  if (changed('complete', 'successCriteriaMet') && now.complete && !now.successCriteriaMet) {
    refuse('cannot set Complete=True condition without the SuccessCriteriaMet=true condition');
  }
  if (changed('finished', 'active') && (status.active ?? 0) > 0 && finished) {
    errors.push(invalidValue(path.child('active'), status.active, 'active>0 is invalid for finished job'));
  }
  const { suspend = false, completions } = now.job.spec;
  if (changed('finished', 'startTime') && !(suspend && completions === 0) && !status.startTime && finished) {
    errors.push(required(path.child('startTime'), 'startTime is required for finished job'));
  }
  const uncounted = status.uncountedTerminatedPods;
  const left = (uncounted?.failed?.length ?? 0) + (uncounted?.succeeded?.length ?? 0);
  if (changed('finished', 'uncountedTerminatedPods') && finished && left > 0) {
    const shown = internalValue('batch.UncountedTerminatedPods', uncounted);
    errors.push(invalidValue(path.child('uncountedTerminatedPods'), shown, 'must be empty for finished job'));
  }
}

function checkIndexes(errors: Errors, { job, status }: Side, changed: Changed): void {
  const { completions, backoffLimitPerIndex: perIndex, completionMode = 'NonIndexed' } = job.spec;
  const { completedIndexes: completed = '', failedIndexes: failed } = status;
  const [completedAt, failedAt] = [path.child('completedIndexes'), path.child('failedIndexes')];
  const checkFormat = (at: FieldPath, name: string, text: string): void => {
    const problem = completions === undefined ? undefined : indexesProblem(text, completions);
    if (problem !== undefined) errors.push(invalidValue(at, text, `error parsing ${name}: ${problem}`));
  };
  if (changed('completedIndexes')) checkFormat(completedAt, 'completedIndexes', completed);
  if (changed('failedIndexes') && perIndex !== undefined && failed !== undefined) {
    checkFormat(failedAt, 'failedIndexes', failed);
  }
  if (changed('completedIndexes') && completed !== '' && completionMode !== 'Indexed') {
    const text = 'cannot set non-empty completedIndexes when non-indexed completion mode';
    errors.push(invalidValue(completedAt, completed, text));
  }
  if (changed('failedIndexes') && perIndex === undefined && failed !== undefined) {
    const text = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null';
    errors.push(invalidValue(failedAt, failed, text));
  }
  if (!changed('failedIndexes', 'completedIndexes') || completions === undefined || failed === undefined) return;
  const both = overlap(completed, failed, completions);
  if (both === undefined) return;
  errors.push(invalidValue(failedAt, failed, `failedIndexes and completedIndexes overlap at index: ${both}`));
}

function checkCounts(errors: Errors, now: Side, changed: Changed): void {
  const { status, successCriteriaMet: met } = now;
  const { terminating, ready, active = 0 } = status;
  if (changed('finished', 'terminating') && (terminating ?? 0) > 0 && now.finished) {
    errors.push(invalidValue(path.child('terminating'), terminating, 'terminating>0 is invalid for finished job'));
  }
  if (changed('ready', 'active') && ready !== undefined && ready > active) {
    errors.push(invalidValue(path.child('ready'), ready, 'cannot set more ready pods than active'));
  }
  const refuse = (text: string): unknown => errors.push(invalidOmitted(conditionsPath, text));
  if (met && now.failed) refuse('cannot set SuccessCriteriaMet=True and Failed=true conditions');
  if (met && now.failureTarget) refuse('cannot set SuccessCriteriaMet=True and FailureTarget=true conditions');
  if (now.job.spec.successPolicy && !met && now.complete) {
    refuse('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True');
  }
}

/** What may not be taken back. */
function checkTransition(errors: Errors, now: Side, old: Side): void {
  const refuse = (text: string): unknown => errors.push(invalidOmitted(conditionsPath, text));
  for (const type of ['Failed', 'Complete', 'FailureTarget']) {
    if (has(old.status, type) && !has(now.status, type)) refuse(`cannot disable the terminal ${type}=True condition`);
  }
  const { spec } = now.job;
  const { failed = 0, succeeded = 0, completionTime, startTime } = now.status;
  if (failed < (old.status.failed ?? 0)) {
    errors.push(invalidValue(path.child('failed'), failed, 'cannot decrease the failed counter'));
  }
  // Indexed jobs with as many pods at once as in all can be made smaller.
  const elastic = spec.completionMode === 'Indexed' && spec.completions === spec.parallelism;
  if (!elastic && succeeded < (old.status.succeeded ?? 0)) {
    errors.push(invalidValue(path.child('succeeded'), succeeded, 'cannot decrease the succeeded counter'));
  }
  if (completionTime && old.status.completionTime && completionTime !== old.status.completionTime) {
    errors.push(invalidValue(path.child('completionTime'), completionTime, 'field is immutable'));
  }
  const resumes = has(old.status, 'Suspended') && has(now.status, 'Suspended', 'False');
  if (old.status.startTime && startTime !== old.status.startTime && !resumes && !spec.suspend) {
    const text = 'field is immutable for unsuspended job once set';
    errors.push(invalidValue(path.child('startTime'), startTime, text));
  }
  if (old.successCriteriaMet && !now.successCriteriaMet) {
    refuse('cannot disable the SuccessCriteriaMet=True condition');
  }
  if (old.complete && !old.successCriteriaMet && now.successCriteriaMet) {
    refuse('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions');
  }
}

/** Of fields that are no pointers: absent is zero. */
const zeros: Readonly<Record<string, unknown>> = { active: 0, completedIndexes: '' };

export function validateJobStatus(job: Job, before: Job): FieldError[] {
  const errors: Errors = statusCounts(job.status, ['active', 'succeeded', 'failed', 'ready', 'terminating']);
  const [now, old] = [sideOf(job), sideOf(before)];
  // What a condition tells comes before the field of that name: `failed` is the condition, not the counter.
  const value = (side: Side, name: keyof Side | keyof JobStatus): unknown =>
    name in side ? side[name as keyof Side] : (side.status[name as keyof JobStatus] ?? zeros[name]);
  const changed: Changed = (...names) => names.some(name => !semanticEqual(value(now, name), value(old, name)));
  checkUncounted(errors, now.status);
  checkCompletion(errors, now, changed);
  checkFinished(errors, now, changed);
  checkIndexes(errors, now, changed);
  checkCounts(errors, now, changed);
  checkTransition(errors, now, old);
  return errors;
}
