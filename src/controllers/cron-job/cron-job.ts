/**
 * Makes a Job at each time that a CronJob's schedule names.
 * Upstream: pkg/controller/cronjob/{cronjob_controllerv2,utils}.go.
 */
import type { CronJob, Job, ObjectReference } from '#api/types';
import { controllerOf, formatTime, isStatusError, objectKey, writeSorted } from '#apimachinery';
import { createController, cronJobs, jobs, type ReconcileResult } from '#client';
import type { ControllerContext, ControllerDefinition } from '../context.ts';
import { controllerReference, isNamespaceTerminating } from '../pod-control.ts';
import { parseSchedule, type Schedule } from './schedule.ts';

const ownerIndex = 'controller-uid';
const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
/** A schedule that was missed more often than this is reported. */
const manyMissed = 100;

export const cronJobController: ControllerDefinition = {
  name: 'cronjob-controller',
  serviceAccount: 'cronjob-controller',
  setUp: context => setUpCronJobs(context),
};

/** The latest time at or before `nowMs` that is still due, and how many were missed since the last one. */
export function dueTime(
  cron: CronJob,
  schedule: Schedule,
  nowMs: number,
): { dueMs: number | undefined; missed: number } {
  let sinceMs = Date.parse(String(cron.status?.lastScheduleTime ?? cron.metadata.creationTimestamp));
  const deadline = cron.spec.startingDeadlineSeconds;
  if (deadline !== undefined) sinceMs = Math.max(sinceMs, nowMs - deadline * 1000);
  let dueMs: number | undefined;
  let missed = 0;
  for (let at = schedule.next(sinceMs); at !== undefined && at <= nowMs; at = schedule.next(at)) {
    dueMs = at;
    if (++missed > manyMissed) {
      // Too many to walk: come back from the near past.
      for (
        let near = schedule.next(Math.max(at, nowMs - 3_600_000));
        near !== undefined && near <= nowMs;
        near = schedule.next(near)
      )
        dueMs = near;
      break;
    }
  }
  return { dueMs, missed };
}

const finishedAs = (job: Job): string | undefined =>
  job.status?.conditions?.find(each => (each.type === 'Complete' || each.type === 'Failed') && each.status === 'True')
    ?.type;

function setUpCronJobs(context: ControllerContext): ReturnType<ControllerDefinition['setUp']> {
  const { client, clock, events } = context;
  const crons = context.informers.informer(cronJobs);
  const jobInformer = context.informers.informer(jobs);
  jobInformer.addIndex(ownerIndex, job => {
    const owner = controllerOf(job);
    return owner ? [owner.uid] : [];
  });

  const removeJob = async (cron: CronJob, job: Job): Promise<void> => {
    const { name = '', namespace = '' } = job.metadata;
    try {
      await client.resource(jobs).namespace(namespace).delete(name, { propagationPolicy: 'Background' });
      events.event(cron, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
    } catch (error) {
      if (isStatusError(error, 'NotFound')) return;
      events.event(cron, 'Warning', 'FailedDelete', `Deleted job: ${(error as Error).message}`);
      throw error;
    }
  };
  const cleanUp = async (cron: CronJob, owned: readonly Job[]): Promise<void> => {
    const prune = async (type: string, limit: number | undefined): Promise<void> => {
      if (limit === undefined) return;
      const done = owned.filter(job => finishedAs(job) === type);
      done.sort((a, b) => String(a.status?.startTime ?? '').localeCompare(String(b.status?.startTime ?? '')));
      for (const job of done.slice(0, Math.max(0, done.length - limit))) await removeJob(cron, job);
    };
    await prune('Complete', cron.spec.successfulJobsHistoryLimit ?? 3);
    await prune('Failed', cron.spec.failedJobsHistoryLimit ?? 1);
  };
  const createJob = async (cron: CronJob, dueMs: number): Promise<Job | undefined> => {
    const { metadata, spec } = cron.spec.jobTemplate;
    const job = {
      metadata: {
        ...(metadata?.labels && { labels: metadata.labels }),
        annotations: { ...metadata?.annotations, [scheduledAnnotation]: formatTime(dueMs) },
        name: `${cron.metadata.name}-${Math.floor(dueMs / 60_000)}`,
        ownerReferences: [controllerReference(cron)],
      },
      spec,
    };
    try {
      const made = await client
        .resource(jobs)
        .namespace(cron.metadata.namespace!)
        .create(job as Partial<Job>);
      events.event(cron, 'Normal', 'SuccessfulCreate', `Created job ${made.metadata.name}`);
      return made;
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined;
      if (isStatusError(error, 'AlreadyExists')) {
        return await client.resource(jobs).namespace(cron.metadata.namespace!).get(job.metadata.name);
      }
      events.event(cron, 'Warning', 'FailedCreate', `Error creating job: ${(error as Error).message}`);
      throw error;
    }
  };
  const referenceOf = (job: Job): ObjectReference =>
    ({
      kind: 'Job',
      namespace: job.metadata.namespace,
      name: job.metadata.name,
      uid: job.metadata.uid,
      apiVersion: 'batch/v1',
      resourceVersion: job.metadata.resourceVersion,
    }) as ObjectReference;

  /** `active` and `lastSuccessfulTime` as the Jobs show them, with events for what is new. */
  const observe = (
    cron: CronJob,
    owned: readonly Job[],
  ): { active: ObjectReference[]; lastSuccessfulTime: unknown } => {
    const active = [...(cron.status?.active ?? [])];
    let lastSuccessfulTime: unknown = cron.status?.lastSuccessfulTime;
    for (const job of owned) {
      const at = active.findIndex(each => each.uid === job.metadata.uid);
      const end = finishedAs(job);
      if (
        end === 'Complete' &&
        job.status?.completionTime &&
        !(String(lastSuccessfulTime ?? '') >= String(job.status.completionTime))
      ) {
        lastSuccessfulTime = job.status.completionTime;
      }
      if (at < 0 && !end) {
        const message = `Saw a job that the controller did not create or forgot: ${job.metadata.name}`;
        events.event(cron, 'Warning', 'UnexpectedJob', message);
      } else if (at >= 0 && end) {
        active.splice(at, 1);
        events.event(cron, 'Normal', 'SawCompletedJob', `Saw completed job: ${job.metadata.name}, condition: ${end}`);
      }
    }
    const kept = active.filter(({ uid, name }) => {
      if (owned.some(job => job.metadata.uid === uid)) return true;
      events.event(cron, 'Normal', 'MissingJob', `Active job went missing: ${name}`);
      return false;
    });
    return { active: kept, lastSuccessfulTime };
  };

  const controller = createController(context, {
    name: 'cronjob',
    workers: 5,
    async reconcile(key): Promise<ReconcileResult | undefined> {
      const cron = crons.get(key);
      if (!cron || cron.metadata.deletionTimestamp) return undefined;
      const owned = [...jobInformer.byIndex(ownerIndex, cron.metadata.uid!)];
      await cleanUp(cron, owned);
      let { active, lastSuccessfulTime } = observe(cron, owned);
      let lastScheduleTime: unknown = cron.status?.lastScheduleTime;
      const write = async (): Promise<void> => {
        const status = {
          ...(active.length > 0 && { active }),
          ...(lastScheduleTime ? { lastScheduleTime } : {}),
          ...(lastSuccessfulTime ? { lastSuccessfulTime } : {}),
        };
        if (writeSorted(status) === writeSorted(cron.status ?? {})) return;
        await client.resource(cronJobs).updateStatus({ ...cron, status } as CronJob);
      };
      let schedule: Schedule;
      try {
        schedule = parseSchedule(cron.spec.schedule, cron.spec.timeZone);
      } catch (error) {
        const message = `unparseable schedule: ${cron.spec.schedule} : ${(error as Error).message}`;
        events.event(cron, 'Warning', 'UnparseableSchedule', message);
        await write();
        return undefined;
      }
      const nowMs = clock.now();
      const later = (): { requeueAfterMs: number } => ({
        requeueAfterMs: Math.max(0, (schedule.next(nowMs) ?? nowMs + 3_600_000) - nowMs) + 100,
      });
      if (cron.spec.suspend) {
        await write();
        return undefined;
      }
      const { dueMs, missed } = dueTime(cron, schedule, nowMs);
      if (missed > manyMissed) {
        const message =
          'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';
        events.event(cron, 'Warning', 'TooManyMissedTimes', message);
      }
      if (dueMs === undefined) {
        await write();
        return later();
      }
      if (cron.spec.concurrencyPolicy === 'Forbid' && active.length > 0) {
        events.event(
          cron,
          'Normal',
          'JobAlreadyActive',
          'Not starting job because prior execution is running and concurrency policy is Forbid',
        );
        await write();
        return later();
      }
      if (cron.spec.concurrencyPolicy === 'Replace') {
        for (const job of owned) if (active.some(each => each.uid === job.metadata.uid)) await removeJob(cron, job);
        active = [];
      }
      const made = await createJob(cron, dueMs);
      if (!made) return undefined;
      active = [...active.filter(each => each.uid !== made.metadata.uid), referenceOf(made)];
      lastScheduleTime = formatTime(dueMs);
      await write();
      return later();
    },
  });

  const enqueue = (cron: CronJob): void => controller.queue.add(objectKey(cron));
  const jobChanged = (job: Job): void => {
    const owner = controllerOf(job);
    if (owner?.kind === 'CronJob') controller.queue.add(`${job.metadata.namespace}/${owner.name}`);
  };
  crons.addHandler({ added: enqueue, updated: enqueue });
  jobInformer.addHandler({ added: jobChanged, updated: jobChanged, deleted: jobChanged });
  return controller;
}
