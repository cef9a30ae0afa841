import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../api-objects.ts';
import { evictionMessage, exceededThresholds, localStorageVerdict, type PodUse, rankForEviction } from './eviction.ts';

const Mi = 2 ** 20;

function use(name: string, usedMi: number, requestMi = 0, priority = 0): PodUse {
  const resources = requestMi > 0 ? { requests: { memory: `${requestMi}Mi` } } : {};
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { priority, containers: [{ name: 'main', resources }] },
  };
  return { pod, used: usedMi * Mi, containers: [{ name: 'main', used: usedMi * Mi }] };
}

test('a threshold is an amount or a share', () => {
  const observed = {
    'memory.available': { available: 50 * Mi, capacity: 1000 * Mi },
    'nodefs.available': { available: 20, capacity: 100 },
    'nodefs.inodesFree': { available: 4, capacity: 100 },
  };
  const thresholds = { 'nodefs.inodesFree': '5%', 'nodefs.available': '10%', 'memory.available': '100Mi' };
  const signals = exceededThresholds(thresholds, observed).map(({ signal }) => signal);
  assert.deepEqual(signals, ['memory.available', 'nodefs.inodesFree']);
});

test('pods above their requests go first, then by priority, then by what they use beyond', () => {
  const pods = [use('within', 50, 100), use('little', 10), use('much', 90), use('important', 500, 0, 10)];
  const critical = use('critical', 900, 0, 2_000_000_000);
  const order = rankForEviction([...pods, critical], 'memory').map(({ pod }) => pod.metadata.name);
  assert.deepEqual(order, ['much', 'little', 'important', 'within']);
});

test('messages are upstream’s', () => {
  const exceeded = { signal: 'memory.available', resource: 'memory', threshold: 100 * Mi, available: 50 * Mi };
  assert.equal(
    evictionMessage(exceeded, use('much', 90)),
    'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. ' +
      'Container main was using 90Mi, request is 0, has larger consumption of memory. ',
  );
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {},
    spec: {
      volumes: [{ name: 'e', emptyDir: { sizeLimit: '1Mi' } }],
      containers: [{ name: 'main', resources: { limits: { 'ephemeral-storage': '2Mi' } } }],
    },
  };
  const verdict = (emptyDir: number, container: number): string | undefined =>
    localStorageVerdict(pod, { emptyDirs: new Map([['e', emptyDir]]), containers: new Map([['main', container]]) });
  assert.equal(verdict(0, Mi), undefined);
  assert.equal(verdict(2 * Mi, 0), 'Usage of EmptyDir volume "e" exceeds the limit "1Mi". ');
  assert.equal(verdict(Mi, 3 * Mi), 'Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ');
});
