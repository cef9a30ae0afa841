/** Rows of the kinds of batch. Upstream: pkg/printers/internalversion/printers.go. */
import { humanDuration, parseTimeMs } from '#apimachinery';
import type { CronJob, Job } from '../types.ts';
import { age, containerCells, type Row, type RowOf, row, selectorText } from './cells.ts';

function completions({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  return (spec.parallelism ?? 0) > 1 ? `${succeeded}/1 of ${spec.parallelism}` : `${succeeded}/1`;
}

function jobDuration({ status }: Job, nowMs: number): string {
  if (!status?.startTime) return '';
  const end = status.completionTime ? parseTimeMs(status.completionTime) : nowMs;
  return humanDuration(end - parseTimeMs(status.startTime));
}

function jobState({ metadata, status }: Job): string {
  const has = (type: string): boolean => status?.conditions?.find(each => each.type === type)?.status === 'True';
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (metadata.deletionTimestamp) return 'Terminating';
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(has) ?? 'Running';
}

function jobRow(job: Job, nowMs: number): Row {
  const { metadata, spec } = job;
  return row(
    metadata.name ?? '',
    jobState(job),
    completions(job),
    jobDuration(job, nowMs),
    age(metadata.creationTimestamp, nowMs),
    ...containerCells(spec.template.spec?.containers),
    selectorText(spec.selector),
  );
}

function cronJobRow({ metadata, spec, status }: CronJob, nowMs: number): Row {
  const job = spec.jobTemplate.spec;
  return row(
    metadata.name ?? '',
    spec.schedule,
    spec.timeZone ?? '<none>',
    spec.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False',
    status?.active?.length ?? 0,
    status?.lastScheduleTime ? age(status.lastScheduleTime, nowMs) : '<none>',
    age(metadata.creationTimestamp, nowMs),
    ...containerCells(job?.template.spec?.containers),
    selectorText(job?.selector),
  );
}

/** By kind. */
export const rows: Readonly<Record<string, RowOf>> = { CronJob: cronJobRow, Job: jobRow };
