import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, EndpointSlice, Pod, ReplicaSet, Service } from '#api/types';
import { SteppedClock } from '#base';
import { fenceposts, newReplicaSetSize, proportionalScaling, scaleDownOld, scaledValue } from './deployment/rolling.ts';
import { calculateStatus, isComplete, withProgress } from './deployment/status.ts';
import { templateHash } from './deployment/template-hash.ts';
import { desiredGroups, reconcileSlices } from './endpoint-slice/slices.ts';
import { createTriggerTimes } from './endpoint-slice/trigger-times.ts';
import { createExpectations } from './expectations.ts';
import { createOwnerGraph } from './garbage-collector/graph.ts';
import { slowStart } from './pod-control.ts';
import { deletionOrder } from './replica-set/ranking.ts';
import { replicaSetStatus } from './replica-set/status.ts';

const nowMs = Date.UTC(2026, 0, 1);
const ago = (seconds: number): string => new Date(nowMs - seconds * 1000).toISOString().replace('.000', '');

function deployment(
  replicas: number,
  maxSurge: number | string,
  maxUnavailable: number | string,
  more: object = {},
): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', namespace: 'n', uid: 'd', generation: 1 },
    spec: {
      replicas,
      progressDeadlineSeconds: 600,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
      selector: {},
      template: { spec: { containers: [] } },
    },
    ...more,
  } as Deployment;
}

function set(name: string, replicas: number, available = replicas, ageSeconds = 100, annotations = {}): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, namespace: 'n', uid: name, creationTimestamp: ago(ageSeconds), annotations },
    spec: { replicas, selector: {} },
    status: { replicas, availableReplicas: available },
  } as ReplicaSet;
}

test('percentages: surge rounds up, unavailable down, never both nothing', () => {
  assert.equal(scaledValue('25%', 10, true), 3);
  assert.equal(scaledValue('25%', 10, false), 2);
  assert.deepEqual(fenceposts(deployment(1, '25%', '25%')), { maxSurge: 1, maxUnavailable: 0 });
  assert.deepEqual(fenceposts(deployment(10, 0, 0)), { maxSurge: 0, maxUnavailable: 1 });
  assert.deepEqual(fenceposts(deployment(3, 0, 5)), { maxSurge: 0, maxUnavailable: 3 });
});

test('a rollout grows the new set within the surge and shrinks the old within availability', () => {
  const d = deployment(10, 2, 2);
  assert.equal(newReplicaSetSize(d, [set('old', 10)], 0), 2);
  assert.equal(newReplicaSetSize(d, [set('old', 8), set('new', 4)], 4), 4);
  const shrink = (old: ReplicaSet[], fresh: ReplicaSet): Array<[string, number]> =>
    scaleDownOld(d, [...old, fresh], old, fresh).map(({ set: each, to }) => [each.metadata.name!, to]);
  assert.deepEqual(shrink([set('old', 10)], set('new', 2, 0)), [['old', 8]]);
  assert.deepEqual(shrink([set('old', 8)], set('new', 4, 4)), [['old', 4]]);
  assert.deepEqual(shrink([set('old', 8)], set('new', 4, 0)), []);
  assert.deepEqual(shrink([set('old', 10, 3)], set('new', 2, 2)), [['old', 6]]);
});

test('scaling during a rollout is spread in proportion and loses nothing to rounding', () => {
  const d = deployment(20, 5, 2);
  const aimed = { 'deployment.kubernetes.io/max-replicas': '15' };
  const scaled = proportionalScaling(d, set('new', 5, 5, 1, aimed), [set('old', 10, 10, 100, aimed)]);
  assert.equal(
    scaled.reduce((sum, each) => sum + each.to, 0),
    25,
  );
  assert.deepEqual(
    proportionalScaling(deployment(4, 1, 0), set('new', 2), []).map(each => each.to),
    [4],
  );
});

test('conditions: available, progressing, complete, deadline exceeded', () => {
  const d = deployment(2, 1, 0);
  const fresh = set('new', 2, 0);
  const first = withProgress(d, calculateStatus(d, [fresh], fresh, nowMs), fresh, [fresh], nowMs);
  const reasons = (status: Deployment['status']): string[] =>
    (status?.conditions ?? []).map(each => `${each.type}=${each.reason}`);
  assert.deepEqual(reasons(first.status), ['Available=MinimumReplicasUnavailable', 'Progressing=ReplicaSetUpdated']);
  const waiting = { ...d, status: first.status } as Deployment;
  const later = nowMs + 601_000;
  const late = withProgress(waiting, calculateStatus(waiting, [fresh], fresh, later), fresh, [fresh], later);
  assert.ok(reasons(late.status).includes('Progressing=ProgressDeadlineExceeded'));
  const ready = set('new', 2, 2);
  const done = withProgress(waiting, calculateStatus(waiting, [ready], ready, nowMs), ready, [ready], nowMs);
  assert.ok(isComplete(waiting, done.status));
  assert.ok(reasons(done.status).includes('Progressing=NewReplicaSetAvailable'));
});

test('a template has one hash, whatever the order of its fields, and another after a collision', () => {
  const a = { metadata: { labels: { a: '1', b: '2' } }, spec: { containers: [] } };
  const b = { metadata: { labels: { b: '2', a: '1' } }, spec: { containers: [] } };
  assert.equal(templateHash(a, 0), templateHash(b, 0));
  assert.notEqual(templateHash(a, 0), templateHash(a, 1));
  assert.match(templateHash(a, 0), /^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
});

function pod(
  name: string,
  more: { node?: string; phase?: string; readyFor?: number; restarts?: number; cost?: string; deleting?: boolean } = {},
): Pod {
  const { node, phase = 'Running', readyFor, restarts = 0, cost, deleting } = more;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'n',
      uid: name,
      creationTimestamp: ago(1000),
      labels: { app: 'a' },
      ...(cost && { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
      ...(deleting && { deletionTimestamp: ago(1) }),
    },
    spec: {
      containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 8080 }] }],
      ...(node && { nodeName: node }),
    },
    status: {
      phase,
      podIP: '10.0.0.1',
      podIPs: [{ ip: '10.0.0.1' }],
      containerStatuses: [{ name: 'c', restartCount: restarts }],
      ...(readyFor !== undefined && {
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: ago(readyFor) }],
      }),
    },
  } as unknown as Pod;
}

test('which pods go first: unassigned, pending, unready, cheap, crowded, young, restarting', () => {
  const order = (...list: Pod[]): string[] =>
    deletionOrder(list, new Map([['crowded', 3]]), nowMs).map(each => each.metadata.name!);
  assert.deepEqual(
    order(
      pod('old', { node: 'x', readyFor: 100_000 }),
      pod('young', { node: 'x', readyFor: 10 }),
      pod('cheap', { node: 'x', readyFor: 100_000, cost: '-5' }),
      pod('crowded', { node: 'crowded', readyFor: 100_000 }),
      pod('unready', { node: 'x' }),
      pod('pending', { node: 'x', phase: 'Pending' }),
      pod('unassigned', { phase: 'Pending' }),
    ),
    ['unassigned', 'pending', 'unready', 'cheap', 'crowded', 'young', 'old'],
  );
});

test("a ReplicaSet's status counts, waits for availability, and tells of failures", () => {
  const rs = { ...set('rs', 2), spec: { ...set('rs', 2).spec, minReadySeconds: 30 } } as ReplicaSet;
  const { status, recheckAfterMs } = replicaSetStatus(
    rs,
    [pod('a', { readyFor: 60 }), pod('b', { readyFor: 10 }), pod('c', { deleting: true })],
    undefined,
    nowMs,
  );
  assert.deepEqual(
    [status?.replicas, status?.readyReplicas, status?.availableReplicas, status?.terminatingReplicas],
    [2, 2, 1, 1],
  );
  assert.equal(recheckAfterMs, 20_000);
  const failed = replicaSetStatus(rs, [], new Error('quota'), nowMs).status?.conditions?.[0];
  assert.deepEqual([failed?.type, failed?.reason, failed?.message], ['ReplicaFailure', 'FailedCreate', 'quota']);
});

test('slices: endpoints stay where they are, room is used, empty slices go but one', () => {
  const service = {
    metadata: { name: 's', namespace: 'n' },
    spec: { ports: [{ port: 80, targetPort: 'http' }] },
  } as unknown as Service;
  const groups = desiredGroups(
    service,
    [pod('a', { readyFor: 1 }), pod('b', {}), pod('done', { phase: 'Succeeded' })],
    () => undefined,
  );
  assert.deepEqual(
    groups.map(each => [each.ports[0]?.port, each.endpoints.map(one => one.conditions?.ready)]),
    [[8080, [true, false]]],
  );
  const made = reconcileSlices(service, [], groups);
  assert.equal(made.create.length, 1);
  const existing = { metadata: { name: 's-1', namespace: 'n' }, ...made.create[0]! } as EndpointSlice;
  const none = desiredGroups(service, [], () => undefined);
  const emptied = reconcileSlices(service, [existing], none);
  assert.deepEqual([emptied.create.length, emptied.remove.length], [1, 1]);
  const grown = reconcileSlices(
    service,
    [existing],
    desiredGroups(service, [pod('a', { readyFor: 1 }), pod('b', {}), pod('c', {})], () => undefined),
  );
  assert.deepEqual(
    grown.update[0]?.endpoints?.map(each => each.targetRef?.name),
    ['a', 'b', 'c'],
  );
});

test('expectations hold a controller back until seen, or until five minutes passed', async () => {
  const clock = new SteppedClock();
  const expectations = createExpectations(clock);
  expectations.expect('k', 1, ['u']);
  assert.equal(expectations.satisfied('k'), false);
  expectations.created('k');
  expectations.deleted('k', 'u');
  assert.equal(expectations.satisfied('k'), true);
  expectations.expect('k', 1);
  await clock.advance(301_000);
  assert.equal(expectations.satisfied('k'), true);
});

test('slow start stops after the first failing batch', async () => {
  const tried: number[] = [];
  await assert.rejects(
    slowStart(20, async index => {
      tried.push(index);
      if (index === 2) throw new Error('quota');
    }),
    /quota/,
  );
  assert.deepEqual(tried, [0, 1, 2]);
});

test('the owner graph follows changes of owners', () => {
  const graph = createOwnerGraph();
  const resource = { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true };
  const object = (uid: string, ...owners: string[]) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      uid,
      name: uid,
      ownerReferences: owners.map(each => ({ apiVersion: 'v1', kind: 'X', name: each, uid: each })),
    },
  });
  graph.set(resource, object('a', 'o1', 'o2'));
  graph.set(resource, object('b', 'o1'));
  assert.deepEqual(
    [...graph.dependents('o1')].map(node => node.uid),
    ['a', 'b'],
  );
  graph.set(resource, object('a', 'o2'));
  assert.deepEqual(
    [...graph.dependents('o1')].map(node => node.uid),
    ['b'],
  );
  graph.remove('b');
  assert.deepEqual([...graph.dependents('o1')], []);
  assert.equal(graph.size, 1);
});

test('the time that endpoints changed at is the earliest that is new', () => {
  const times = createTriggerTimes();
  const service = {
    metadata: { name: 's', namespace: 'ns', creationTimestamp: '2026-01-01T00:00:00Z' },
  } as unknown as Service;
  const ready = (name: string, lastTransitionTime: string): Pod =>
    ({ metadata: { name }, status: { conditions: [{ type: 'Ready', lastTransitionTime }] } }) as unknown as Pod;
  assert.equal(times.next(service, []), '2026-01-01T00:00:00Z');
  assert.equal(times.next(service, []), undefined);
  const pods = [ready('b', '2026-01-01T00:02:00Z'), ready('a', '2026-01-01T00:01:00Z')];
  assert.equal(times.next(service, pods), '2026-01-01T00:01:00Z');
  assert.equal(times.next(service, pods), undefined);
  times.forget('ns/s');
  assert.equal(times.next(service, []), '2026-01-01T00:00:00Z');
});
