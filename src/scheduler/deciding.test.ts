import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod } from '#api/types';
import { selectorFromSet } from '#apimachinery';
import { Cache } from './cache.ts';
import { PodInfo } from './node-info.ts';
import { defaultFramework } from './profile.ts';
import { scheduleOne } from './schedule-one.ts';

let serial = 0;
const node = (name: string, more: { labels?: object; spec?: object; cpu?: string; pods?: string } = {}): Node =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...more.labels } },
    spec: more.spec ?? {},
    status: { allocatable: { cpu: more.cpu ?? '4', memory: '8Gi', pods: more.pods ?? '110' } },
  }) as unknown as Node;

const pod = (more: { spec?: object; labels?: object; cpu?: string; on?: string; namespace?: string } = {}): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${++serial}`, namespace: more.namespace ?? 'ns', uid: `u${serial}`, labels: more.labels ?? {} },
    spec: {
      containers: [{ name: 'c', image: 'i', resources: more.cpu ? { requests: { cpu: more.cpu } } : {} }],
      ...(more.on && { nodeName: more.on }),
      ...more.spec,
    },
  }) as unknown as Pod;

function decide(cache: Cache, wanted: Pod): string {
  const options = { startAt: 0, random: () => 0.99 };
  const decision = scheduleOne(defaultFramework(), new PodInfo(wanted), cache, options);
  return decision.node ? decision.node.name : decision.message;
}

function cacheOf(
  nodes: readonly Node[],
  pods: readonly Pod[] = [],
  lookups?: ConstructorParameters<typeof Cache>[0],
): Cache {
  const cache = new Cache(lookups);
  for (const each of nodes) cache.setNode(each);
  for (const each of pods) cache.setPod(each);
  return cache;
}

const notHelpful = (count: number): string =>
  `. no new claims to deallocate, preemption: 0/${count} nodes are available: ${count} Preemption is not helpful for scheduling.`;
const noVictims = (count: number): string =>
  `. no new claims to deallocate, preemption: 0/${count} nodes are available: ${count} No preemption victims found for incoming pod.`;

const term = (app: string, topologyKey = 'zone', more: object = {}): object => ({
  topologyKey,
  labelSelector: { matchLabels: { app } },
  ...more,
});
const required = (kind: 'podAffinity' | 'podAntiAffinity', ...terms: object[]): object => ({
  affinity: { [kind]: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const a = node('a', { labels: { zone: 'x' } });
const b = node('b', { labels: { zone: 'y' } });

test('a node must have room, and why it has none is said in upstream words', () => {
  assert.equal(decide(cacheOf([]), pod()), 'no nodes available to schedule pods');
  assert.equal(decide(cacheOf([a]), pod({ cpu: '5' })), `0/1 nodes are available: 1 Insufficient cpu${notHelpful(1)}`);
  const full = cacheOf([a], [pod({ cpu: '3', on: 'a' })]);
  assert.equal(decide(full, pod({ cpu: '2' })), `0/1 nodes are available: 1 Insufficient cpu${noVictims(1)}`);
  assert.equal(decide(cacheOf([a, b], [pod({ cpu: '3', on: 'a' })]), pod({ cpu: '2' })), 'b');
});

test('required pod affinity goes beside the other pod, in its namespace, or begins its own group', () => {
  const target = pod({ labels: { app: 'db' }, on: 'b' });
  const near = { spec: required('podAffinity', term('db')) };
  assert.equal(decide(cacheOf([a, b], [target]), pod(near)), 'b');
  assert.equal(
    decide(cacheOf([a, b]), pod(near)),
    `0/2 nodes are available: 2 node(s) didn't match pod affinity rules${notHelpful(2)}`,
  );
  assert.match(decide(cacheOf([a, b], [target]), pod({ ...near, namespace: 'other' })), /didn't match pod affinity/);
  const anywhere = { spec: required('podAffinity', term('db', 'zone', { namespaceSelector: {} })), namespace: 'other' };
  assert.equal(decide(cacheOf([a, b], [target]), pod(anywhere)), 'b');
  assert.equal(decide(cacheOf([a]), pod({ labels: { app: 'db' }, ...near })), 'a');
  assert.match(decide(cacheOf([node('c')]), pod({ labels: { app: 'db' }, ...near })), /didn't match pod affinity/);
});

test('required anti-affinity counts both ways', () => {
  const apart = required('podAntiAffinity', term('db'));
  const target = pod({ labels: { app: 'db' }, on: 'a' });
  assert.equal(decide(cacheOf([a, b], [target]), pod({ spec: apart })), 'b');
  const alone = cacheOf([a], [pod({ labels: { app: 'web' }, spec: apart, on: 'a' })]);
  assert.equal(
    decide(alone, pod({ labels: { app: 'db' } })),
    `0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules${noVictims(1)}`,
  );
});

test('an anti-affine pod of higher priority takes the place of the other', () => {
  const cache = cacheOf([a], [pod({ labels: { app: 'db' }, on: 'a' })]);
  const wanted = new PodInfo(pod({ spec: { priority: 10, ...required('podAntiAffinity', term('db')) } }));
  const decision = scheduleOne(defaultFramework(), wanted, cache, { startAt: 0, random: () => 0 });
  assert.equal(decision.node, undefined);
  assert.equal(decision.preemption?.victims.length, 1);
});

test('preferred affinity draws, preferred anti-affinity repels', () => {
  const other = pod({ labels: { app: 'db' }, on: 'b' });
  const preferred = (kind: string): object => ({
    affinity: {
      [kind]: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: term('db') }] },
    },
  });
  assert.equal(decide(cacheOf([a, b], [other]), pod({ spec: preferred('podAffinity') })), 'b');
  assert.equal(decide(cacheOf([a, b], [other]), pod({ spec: preferred('podAntiAffinity') })), 'a');
});

test('a hard spread constraint bounds the skew', () => {
  const spread = (more: object = {}): object => ({
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'zone',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { app: 'w' } },
        ...more,
      },
    ],
  });
  const there = [pod({ labels: { app: 'w' }, on: 'a' })];
  assert.equal(decide(cacheOf([a, b], there), pod({ labels: { app: 'w' }, spec: spread() })), 'b');
  const closed = node('b', { labels: { zone: 'y' }, spec: { unschedulable: true } });
  assert.equal(
    decide(cacheOf([a, closed], there), pod({ labels: { app: 'w' }, spec: spread() })),
    "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable." +
      ' no new claims to deallocate, preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod,' +
      ' 1 Preemption is not helpful for scheduling.',
  );
  assert.equal(decide(cacheOf([a, closed], there), pod({ labels: { app: 'w' }, spec: spread({ maxSkew: 2 }) })), 'a');
  assert.match(decide(cacheOf([node('c')]), pod({ spec: spread() })), /\(missing required label\)/);
});

test('pods that a Service or controller selects are spread over nodes unasked', () => {
  const lookups = { namespaceLabels: () => ({}), siblingSelector: () => selectorFromSet({ app: 'w' }) };
  const there = [pod({ labels: { app: 'w' }, on: 'a' }), pod({ labels: { app: 'w' }, on: 'a' })];
  const others = [1, 2, 3].map(() => pod({ cpu: '100m', on: 'b' }));
  assert.equal(decide(cacheOf([a, b], [...there, ...others], lookups), pod({ labels: { app: 'w' } })), 'b');
});
