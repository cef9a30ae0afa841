/** CronJobs. Upstream: pkg/apis/batch/{v1/defaults.go,validation}, pkg/registry/batch/cronjob/strategy.go. */
import { byteLength, type FieldError, FieldPath, invalidValue, notSupported } from '#apimachinery';
import { dropDisabledPodFields } from '../../../core/v1/pod/prepare.ts';
import type { KindRules, RuleContext } from '../../../kind.ts';
import { dropStatus, keepStatus } from '../../../strategies.ts';
import type { CronJob } from '../../../types.ts';
import { checkChoice, checkNonnegative, type Errors, requireText } from '../../../validation/common.ts';
import { cronRefusal, timeZoneRefusal } from '../../../validation/cron.ts';
import { shownSelector } from '../../../validation/internal-value.ts';
import { checkJobSpec } from '../../../validation/jobs.ts';
import { jobSpecDefaults } from '../job/rules.ts';

const path = FieldPath.of('spec');
const maxNameBytes = 52;

function checkSchedule(errors: Errors, job: CronJob, old: CronJob | null): void {
  const { schedule = '', timeZone } = job.spec;
  const at = path.child('schedule');
  if (!requireText(errors, at, schedule)) return;
  const refusal = cronRefusal(schedule);
  if (refusal) errors.push(invalidValue(at, schedule, refusal));
  if (!schedule.includes('TZ')) return;
  if (!old?.spec.schedule?.includes('TZ')) {
    const text = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
    errors.push(invalidValue(at, schedule, text));
  } else if (timeZone !== undefined) {
    errors.push(invalidValue(at, schedule, 'cannot use both timeZone field and TZ or CRON_TZ in schedule'));
  }
}

function checkTimeZone(errors: Errors, zone: string | undefined): void {
  if (zone === undefined) return;
  const at = path.child('timeZone');
  if (zone === '') {
    errors.push(invalidValue(at, zone, 'timeZone must be nil or non-empty string'));
    return;
  }
  for (const part of zone.split('/')) {
    const plain = /^[A-Za-z.\-_0-9+]{1,14}$/.test(part) && part !== '.' && part !== '..' && !part.startsWith('-');
    if (plain) continue;
    errors.push(invalidValue(at, zone, `unknown time zone ${zone}`));
    return;
  }
  if (zone.toLowerCase() === 'local') {
    const text = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
    errors.push(invalidValue(at, zone, text));
  }
  const refusal = timeZoneRefusal(zone);
  if (refusal) errors.push(invalidValue(at, zone, refusal));
}

function validate(job: CronJob, old: CronJob | null, context: RuleContext): FieldError[] {
  const errors: Errors = [];
  const { spec } = job;
  checkSchedule(errors, job, old);
  checkNonnegative(errors, path.child('startingDeadlineSeconds'), Number(spec.startingDeadlineSeconds ?? 0));
  if (old?.spec.timeZone !== spec.timeZone) checkTimeZone(errors, spec.timeZone);
  checkChoice(errors, path.child('concurrencyPolicy'), spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']);
  const own = spec.jobTemplate.spec!;
  const at = path.child('jobTemplate', 'spec');
  checkJobSpec(errors, at, own, { old: old?.spec.jobTemplate.spec?.template, context });
  if (own.selector)
    errors.push(invalidValue(at.child('selector'), shownSelector(own.selector), '`selector` will be auto-generated'));
  if (own.manualSelector) errors.push(notSupported(at.child('manualSelector'), true, ['nil', 'false']));
  checkNonnegative(errors, path.child('successfulJobsHistoryLimit'), spec.successfulJobsHistoryLimit);
  checkNonnegative(errors, path.child('failedJobsHistoryLimit'), spec.failedJobsHistoryLimit);
  const { name = '' } = job.metadata;
  if (!old && byteLength(name) > maxNameBytes) {
    const text = `must be no more than ${maxNameBytes} characters`;
    errors.push(invalidValue(FieldPath.of('metadata', 'name'), name, text));
  }
  return errors;
}

export const cronJobRules: KindRules<CronJob> = {
  defaults({ spec }) {
    if (!spec.concurrencyPolicy) spec.concurrencyPolicy = 'Allow';
    spec.suspend ??= false;
    spec.successfulJobsHistoryLimit ??= 3;
    spec.failedJobsHistoryLimit ??= 1;
    jobSpecDefaults(spec.jobTemplate.spec!);
  },
  prepareCreate(draft, context) {
    dropStatus(draft);
    dropDisabledPodFields(draft.spec.jobTemplate.spec?.template.spec, undefined, context);
  },
  prepareUpdate(draft, old, context) {
    keepStatus(draft, old);
    dropDisabledPodFields(
      draft.spec.jobTemplate.spec?.template.spec,
      old.spec.jobTemplate.spec?.template.spec,
      context,
    );
  },
  validate,
  metaOnStatus: [],
  generation: true,
  allowUnconditionalUpdate: true,
};
