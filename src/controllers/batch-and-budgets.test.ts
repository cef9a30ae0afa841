import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterRole, CronJob, Job, Pod, PodDisruptionBudget } from '#api/types';
import { aggregatedRules } from './cluster-role-aggregation/cluster-role-aggregation.ts';
import { dueTime } from './cron-job/cron-job.ts';
import { parseSchedule } from './cron-job/schedule.ts';
import { budgetStatus, expectations } from './disruption/budget.ts';
import { podsToCollect } from './pod-gc/pod-gc.ts';
import { expiryOf } from './ttl-after-finished/ttl-after-finished.ts';

test('schedules name their next time', () => {
  const rows: Array<[string, string, string, string?]> = [
    ['* * * * *', '2026-01-01T00:00:30Z', '2026-01-01T00:01:00Z'],
    ['*/15 * * * *', '2026-01-01T00:15:00Z', '2026-01-01T00:30:00Z'],
    ['0 12 * * mon-fri', '2026-01-02T13:00:00Z', '2026-01-05T12:00:00Z'],
    ['30 6 1,15 * *', '2026-01-02T00:00:00Z', '2026-01-15T06:30:00Z'],
    ['0 0 13 * 5', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'],
    ['0 0 29 feb *', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
    ['@hourly', '2026-01-01T00:00:00Z', '2026-01-01T01:00:00Z'],
    ['@every 90s', '2026-01-01T00:00:00Z', '2026-01-01T00:01:30Z'],
    ['0 9 * * *', '2026-07-01T00:00:00Z', '2026-07-01T13:00:00Z', 'America/New_York'],
    // Half past two does not exist on the night when the clock is put forward.
    ['30 2 * * *', '2026-03-08T00:00:00-05:00', '2026-03-09T06:30:00Z', 'America/New_York'],
  ];
  for (const [text, after, wanted, zone] of rows) {
    const next = parseSchedule(text, zone).next(Date.parse(after));
    assert.equal(new Date(next!).toISOString(), new Date(wanted).toISOString(), text);
  }
  assert.equal(parseSchedule('0 0 31 2 *').next(0), undefined);
  for (const bad of ['', '* * * *', '60 * * * *', '*/0 * * * *', '5-1 * * * *', 'x * * * *', '@never']) {
    assert.throws(() => parseSchedule(bad), Error, bad);
  }
});

test('the latest missed time is due, unless its deadline is over', () => {
  const cron = (spec: object): CronJob =>
    ({ metadata: { creationTimestamp: '2026-01-01T00:00:30Z' }, spec }) as unknown as CronJob;
  const due = (spec: object, now: string): string | undefined => {
    const { dueMs } = dueTime(cron(spec), parseSchedule('0 * * * *'), Date.parse(now));
    return dueMs === undefined ? undefined : new Date(dueMs).toISOString();
  };
  assert.equal(due({}, '2026-01-01T00:59:00Z'), undefined);
  assert.equal(due({}, '2026-01-01T03:10:00Z'), '2026-01-01T03:00:00.000Z');
  assert.equal(due({ startingDeadlineSeconds: 60 }, '2026-01-01T03:10:00Z'), undefined);
  assert.equal(due({}, '2026-03-01T03:10:00Z'), '2026-03-01T03:00:00.000Z');
});

const pod = (name: string, ready = true): Pod =>
  ({
    metadata: { name, uid: name, creationTimestamp: name },
    spec: {},
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }) as unknown as Pod;

test('a budget allows what is healthy beyond what it asks for', () => {
  const budget = (spec: object, status: object = {}): PodDisruptionBudget =>
    ({ metadata: { generation: 2 }, spec, status }) as unknown as PodDisruptionBudget;
  const rows: Array<[object, Pod[], number, [allowed: number, desired: number, expected: number]]> = [
    [{ minAvailable: 1 }, [pod('a'), pod('b')], 2, [1, 1, 2]],
    [{ minAvailable: '60%' }, ['a', 'b', 'c', 'd'].map(name => pod(name)), 5, [1, 3, 5]],
    [{ maxUnavailable: 1 }, [pod('a'), pod('b', false)], 2, [0, 1, 2]],
    [{ maxUnavailable: '50%' }, [pod('a'), pod('b'), pod('c')], 3, [2, 1, 3]],
    [{ maxUnavailable: 1 }, [pod('a')], 0, [0, 0, 0]],
  ];
  for (const [spec, pods, scale, wanted] of rows) {
    const status = budgetStatus(budget(spec), pods, expectations(budget(spec), pods.length, scale), 0);
    assert.deepEqual([status.disruptionsAllowed, status.desiredHealthy, status.expectedPods], wanted);
  }
  const evicting = budget({ minAvailable: 1 }, { disruptedPods: { a: '2026-01-01T00:00:00Z' } });
  const status = budgetStatus(
    evicting,
    [pod('a'), pod('b')],
    { expected: 2, desiredHealthy: 1 },
    Date.UTC(2026, 0, 1, 0, 1),
  );
  assert.equal(status.currentHealthy, 1);
});

test('pods of missing nodes, pods deleted before they were placed, and too many finished ones are collected', () => {
  const lost = { ...pod('1'), spec: { nodeName: 'gone' } } as unknown as Pod;
  const unplaced = { ...pod('2'), metadata: { name: '2', deletionTimestamp: 'x' } } as unknown as Pod;
  const finished = ['3', '4'].map(name => ({ ...pod(name), status: { phase: 'Succeeded' } }) as unknown as Pod);
  const found = podsToCollect([lost, unplaced, ...finished, pod('5')], new Set(['gone']), 1);
  assert.deepEqual(
    [...found].map(([each, why]) => `${each.metadata.name} ${why}`),
    ['1 orphaned', '2 unscheduled', '3 terminated'],
  );
});

test('a finished Job expires', () => {
  const job = {
    metadata: {},
    spec: { ttlSecondsAfterFinished: 60 },
    status: { conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }] },
  } as unknown as Job;
  assert.equal(expiryOf(job), Date.UTC(2026, 0, 1, 0, 1));
  assert.equal(expiryOf({ ...job, status: {} } as Job), undefined);
});

test('an aggregated role has the rules of the roles it selects, each once', () => {
  const rule = { verbs: ['get'], resources: ['pods'], apiGroups: [''] };
  const role = (name: string, more: object): ClusterRole =>
    ({ metadata: { name, labels: { to: 'view' } }, ...more }) as unknown as ClusterRole;
  const view = role('view', {
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { to: 'view' } }] },
    rules: [],
  });
  const all = [view, role('b', { rules: [rule] }), role('a', { rules: [rule, { ...rule, verbs: ['list'] }] })];
  assert.deepEqual(aggregatedRules(view, all), [rule, { ...rule, verbs: ['list'] }]);
  assert.equal(aggregatedRules(all[1]!, all), undefined);
});
