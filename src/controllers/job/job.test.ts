import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job, Pod } from '#api/types';
import { formatIndexes, parseIndexes, planJob, trackingFinalizer } from './accounting.ts';
import { templateFor } from './job.ts';

const nowMs = Date.UTC(2026, 0, 1, 1);

const job = (spec: object = {}, status: object = { startTime: '2026-01-01T00:59:00Z' }): Job =>
  ({
    metadata: { name: 'j', namespace: 'ns', uid: 'j' },
    spec: {
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } },
      ...spec,
    },
    status,
  }) as unknown as Job;

const pod = (uid: string, phase: string, more: { index?: number; counted?: boolean; ago?: number } = {}): Pod =>
  ({
    metadata: {
      name: uid,
      uid,
      creationTimestamp: new Date(nowMs - (more.ago ?? 3600) * 1000).toISOString(),
      finalizers: more.counted ? [] : [trackingFinalizer],
      annotations: more.index === undefined ? {} : { 'batch.kubernetes.io/job-completion-index': String(more.index) },
    },
    spec: { nodeName: 'n' },
    status: { phase },
  }) as unknown as Pod;

const types = (plan: ReturnType<typeof planJob>): string[] =>
  (plan.status.conditions ?? []).filter(each => each.status === 'True').map(each => `${each.type} ${each.reason}`);

test('indexes are written as ranges', () => {
  assert.equal(formatIndexes([5, 0, 1, 2, 7, 8]), '0-2,5,7,8');
  assert.deepEqual([...parseIndexes('0-2,5')], [0, 1, 2, 5]);
});

test('a Job makes as many pods as run side by side, and no more than are still wanted', () => {
  const create = (spec: object, ...pods: Pod[]): number => planJob({ job: job(spec), pods, nowMs }).create.length;
  assert.equal(create({}), 1);
  assert.equal(create({ parallelism: 3, completions: 2 }), 2);
  assert.equal(create({ parallelism: 2, completions: 3 }, pod('a', 'Running')), 1);
  assert.equal(create({ parallelism: 3, completions: undefined }, pod('a', 'Succeeded'), pod('b', 'Running')), 0);
  assert.equal(create({ suspend: true }), 0);
});

test('a success is first noted, then counted, then the Job is complete', () => {
  const first = planJob({ job: job(), pods: [pod('a', 'Succeeded')], nowMs });
  assert.deepEqual(first.status.uncountedTerminatedPods, { succeeded: ['a'] });
  assert.deepEqual(types(first), ['SuccessCriteriaMet CompletionsReached']);
  assert.equal(first.release.length, 1);
  const last = planJob({ job: job({}, first.status), pods: [pod('a', 'Succeeded', { counted: true })], nowMs });
  assert.equal(last.status.succeeded, 1);
  assert.deepEqual(types(last), ['SuccessCriteriaMet CompletionsReached', 'Complete CompletionsReached']);
  assert.ok(last.status.completionTime);
});

test('failures are tried again after a while, until the limit', () => {
  const soon = planJob({ job: job(), pods: [pod('a', 'Failed', { ago: 4 })], nowMs });
  assert.deepEqual([soon.create.length, soon.recheckAfterMs], [0, 6000]);
  const later = planJob({ job: job(), pods: [pod('a', 'Failed', { ago: 11 })], nowMs });
  assert.equal(later.create.length, 1);
  const over = planJob({ job: job({ backoffLimit: 0 }), pods: [pod('a', 'Failed')], nowMs });
  assert.deepEqual(types(over), ['FailureTarget BackoffLimitExceeded']);
  const end = planJob({
    job: job({ backoffLimit: 0 }, over.status),
    pods: [pod('a', 'Failed', { counted: true })],
    nowMs,
  });
  assert.deepEqual(types(end), ['FailureTarget BackoffLimitExceeded', 'Failed BackoffLimitExceeded']);
  assert.equal(end.status.failed, 1);
});

test('a deadline ends the Job and its pods', () => {
  const plan = planJob({ job: job({ activeDeadlineSeconds: 30 }), pods: [pod('a', 'Running')], nowMs });
  assert.deepEqual(types(plan), ['FailureTarget DeadlineExceeded']);
  assert.equal(plan.remove.length, 1);
});

test('an indexed Job gives each pod an index that is not done yet', () => {
  const indexed = job({ completionMode: 'Indexed', completions: 3, parallelism: 2 });
  const plan = planJob({
    job: indexed,
    pods: [pod('a', 'Succeeded', { index: 0 }), pod('b', 'Running', { index: 1 })],
    nowMs,
  });
  assert.deepEqual(plan.create, [2]);
  assert.equal(plan.status.completedIndexes, '0');
  const made = templateFor(indexed, 2);
  assert.equal(made.spec!.hostname, 'j-2');
  assert.equal(made.spec!.containers[0]!.env![0]!.name, 'JOB_COMPLETION_INDEX');
});

test('suspending deletes the pods and forgets the start', () => {
  const plan = planJob({ job: job({ suspend: true }), pods: [pod('a', 'Running')], nowMs });
  assert.deepEqual(types(plan), ['Suspended JobSuspended']);
  assert.equal(plan.status.startTime, undefined);
  assert.equal(plan.remove.length, 1);
});
