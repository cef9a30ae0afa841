import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DaemonSet, Node, Pod, StatefulSet } from '#api/types';
import { templateFor as daemonTemplate, nodeOf, planNodes, planUpdate } from './daemon-set/placement.ts';
import { ordinalOf, planSteps, type StatefulView, statefulStatus, templateFor } from './stateful-set/identity.ts';

const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };

const node = (name: string, spec: object = {}): Node => ({ metadata: { name, labels: {} }, spec }) as unknown as Node;

const pod = (
  name: string,
  more: { hash?: string; ready?: boolean; phase?: string; node?: string; going?: boolean } = {},
): Pod =>
  ({
    metadata: {
      name,
      namespace: 'ns',
      uid: name,
      labels: { 'controller-revision-hash': more.hash ?? 'h1' },
      ...(more.going && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: { ...(more.node && { nodeName: more.node }) },
    status: {
      phase: more.phase ?? 'Running',
      conditions: [{ type: 'Ready', status: more.ready === false ? 'False' : 'True' }],
    },
  }) as unknown as Pod;

const daemons = (spec: object = {}): DaemonSet =>
  ({ metadata: { name: 'd', namespace: 'ns' }, spec: { template, ...spec } }) as unknown as DaemonSet;

test('a DaemonSet puts one pod on each node that takes it', () => {
  const nodes = [
    node('a'),
    node('b'),
    node('cordoned', {
      unschedulable: true,
      taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }],
    }),
    node('tainted', { taints: [{ key: 'own', effect: 'NoSchedule' }] }),
    node('evicting', { taints: [{ key: 'own', effect: 'NoExecute' }] }),
  ];
  const there = new Map([
    ['a', [pod('p1', { node: 'a' })]],
    ['tainted', [pod('p2', { node: 'tainted' })]],
    ['evicting', [pod('p3', { node: 'evicting' })]],
  ]);
  const plan = planNodes(daemons(), nodes, there);
  assert.deepEqual(plan.create, ['b', 'cordoned']);
  assert.deepEqual(
    plan.remove.map(each => each.metadata.name),
    ['p3'],
  );
  const failed = planNodes(daemons(), [node('a')], new Map([['a', [pod('p1', { node: 'a', phase: 'Failed' })]]]));
  assert.deepEqual([failed.create, failed.remove.length, failed.failed.length], [[], 1, 1]);
});

test('a daemon pod is pinned to its node before it is scheduled', () => {
  const made = daemonTemplate(template as never, 'a', 'h1', '1');
  assert.equal(nodeOf({ metadata: {}, spec: made.spec } as unknown as Pod), 'a');
  assert.equal(made.spec!.tolerations!.length, 6);
});

test('a rolling update of daemons replaces broken pods at once and others one by one', () => {
  const there = new Map([
    ['a', [pod('p1', { node: 'a' })]],
    ['b', [pod('p2', { node: 'b' })]],
    ['c', [pod('p3', { node: 'c', ready: false })]],
  ]);
  const names = (pods: readonly Pod[]): string[] => pods.map(each => each.metadata.name!);
  assert.deepEqual(names(planUpdate(daemons(), there, 3, 'h2', 0)), ['p3']);
  there.delete('c');
  assert.deepEqual(names(planUpdate(daemons(), there, 2, 'h2', 0)), ['p1']);
  const two = daemons({ updateStrategy: { rollingUpdate: { maxUnavailable: '100%' } } });
  assert.deepEqual(names(planUpdate(two, there, 2, 'h2', 0)), ['p1', 'p2']);
});

const stateful = (spec: object = {}): StatefulSet =>
  ({
    metadata: { name: 'web', namespace: 'ns' },
    spec: { replicas: 3, serviceName: 'web', template, selector: { matchLabels: { app: 'x' } }, ...spec },
  }) as unknown as StatefulSet;

const view = (set: StatefulSet, pods: Pod[], updateHash = 'h1'): StatefulView => ({
  set,
  pods,
  currentHash: 'h1',
  updateHash,
  nowMs: 0,
});
const steps = (...args: Parameters<typeof view>): string[] =>
  planSteps(view(...args)).map(step =>
    step.act === 'create' ? `+${step.ordinal} ${step.revision}` : `-${step.pod.metadata.name}`,
  );

test('a StatefulSet grows and shrinks in order, one pod at a time', () => {
  assert.deepEqual(steps(stateful(), []), ['+0 update']);
  assert.deepEqual(steps(stateful(), [pod('web-0', { ready: false })]), []);
  assert.deepEqual(steps(stateful(), [pod('web-0')]), ['+1 update']);
  assert.deepEqual(steps(stateful(), [pod('web-0'), pod('web-1', { phase: 'Failed' })]), ['-web-1']);
  assert.deepEqual(steps(stateful({ replicas: 1 }), [pod('web-0'), pod('web-1'), pod('web-2')]), ['-web-2']);
  assert.deepEqual(steps(stateful({ replicas: 1 }), [pod('web-0'), pod('web-1'), pod('web-2', { going: true })]), []);
  assert.deepEqual(steps(stateful({ podManagementPolicy: 'Parallel' }), []), ['+0 update', '+1 update', '+2 update']);
  assert.deepEqual(steps(stateful({ ordinals: { start: 5 }, replicas: 1 }), []), ['+5 update']);
});

test('a rolling update goes from the last pod to the partition', () => {
  const all = [pod('web-0'), pod('web-1'), pod('web-2')];
  assert.deepEqual(steps(stateful(), all, 'h2'), ['-web-2']);
  assert.deepEqual(steps(stateful(), [pod('web-0'), pod('web-1'), pod('web-2', { hash: 'h2' })], 'h2'), ['-web-1']);
  const parted = stateful({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } });
  assert.deepEqual(steps(parted, [pod('web-0'), pod('web-1'), pod('web-2', { hash: 'h2' })], 'h2'), []);
  assert.deepEqual(steps(parted, [pod('web-1'), pod('web-2')], 'h2'), ['+0 current']);
  assert.deepEqual(steps(stateful({ updateStrategy: { type: 'OnDelete' } }), all, 'h2'), []);
});

test('a StatefulSet pod has its own name, host and claims; its status moves on when the update is complete', () => {
  const set = stateful({ volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] });
  const made = templateFor(set, template as never, 1, 'h1');
  assert.equal(made.spec!.hostname, 'web-1');
  assert.deepEqual(made.spec!.volumes, [{ name: 'data', persistentVolumeClaim: { claimName: 'data-web-1' } }]);
  assert.equal(ordinalOf(set, pod('web-01')), -1);
  const done = statefulStatus(view(stateful({ replicas: 1 }), [pod('web-0', { hash: 'h2' })], 'h2'), {
    current: 'web-a',
    update: 'web-b',
  });
  assert.equal(done.currentRevision, 'web-b');
  assert.equal(done.readyReplicas, 1);
});
