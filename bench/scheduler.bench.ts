/**
 * How many plain pods a second the scheduler decides for and places, alone, on 5,000 nodes: no API server, no binding
 * calls. Budget: 680 (the original binds 340). Spread pods beside it. Run with `node bench/scheduler.bench.ts`.
 */
import type { Node, Pod } from '#api/types';
import { seededRandom } from '#base';
import { defaultFramework, PodInfo, scheduleOne } from '#scheduler';
// The parts that the loop is made of, without the loop.
import { Cache } from '../src/scheduler/cache.ts';

const nodeCount = 5000;
const podCount = 2000;
const budget = 680;

const node = (at: number): Node =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: `node-${at}`,
      labels: { 'kubernetes.io/hostname': `node-${at}`, 'topology.kubernetes.io/zone': `zone-${at % 3}` },
    },
    spec: {},
    status: { allocatable: { cpu: '4', memory: '32Gi', pods: '110' } },
  }) as unknown as Node;

const pod = (at: number, more: object = {}): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${at}`, namespace: 'default', uid: `uid-${at}`, labels: { app: 'bench' } },
    spec: {
      containers: [{ name: 'c', image: 'pause', resources: { requests: { cpu: '100m', memory: '500Mi' } } }],
      ...more,
    },
  }) as unknown as Pod;

function run(name: string, more: object): number {
  const cache = new Cache();
  for (let at = 0; at < nodeCount; at++) cache.setNode(node(at));
  const framework = defaultFramework();
  const random = seededRandom(1).float;
  const slowest: number[] = [];
  const begin = performance.now();
  for (let at = 0; at < podCount; at++) {
    const from = performance.now();
    const info = new PodInfo(pod(at, more));
    const decision = scheduleOne(framework, info, cache, { startAt: (at * 500) % nodeCount, random });
    if (!decision.node) throw new Error(decision.message);
    cache.assume(info, decision.node.name);
    slowest.push(performance.now() - from);
  }
  const perSecond = Math.round((podCount * 1000) / (performance.now() - begin));
  slowest.sort((a, b) => a - b);
  console.log(`${name}: ${perSecond} pods/s, p99 ${slowest[Math.floor(podCount * 0.99)]!.toFixed(2)} ms`);
  return perSecond;
}

const plain = run('plain', {});
run('spread over zones', {
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'topology.kubernetes.io/zone',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'bench' } },
    },
  ],
});
console.log(plain >= budget ? `within the budget of ${budget}` : `MISSES the budget of ${budget}`);
