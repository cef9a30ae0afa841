import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Draft, KubeObject } from '#apimachinery';
import type { EventsV1Event, HorizontalPodAutoscaler, Pod, PodList } from './types.ts';

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web' },
  spec: { containers: [{ name: 'web', ports: [{ containerPort: 80 }] }] },
};

test('a typed kind is an object of the API, and its draft may be changed', () => {
  const object: KubeObject = pod;
  const draft: Draft<Pod> = structuredClone(pod) as Draft<Pod>;
  draft.spec.containers[0]!.image = 'web:1';
  const list: PodList = { apiVersion: 'v1', kind: 'PodList', metadata: {}, items: [pod, draft] };
  assert.equal(list.items[1]!.spec.containers[0]!.image, 'web:1');
  assert.equal(object.metadata.name, 'web');
});

test('names that several groups share are told apart', () => {
  const event: Pick<EventsV1Event, 'note'> = { note: 'started' };
  const metrics: HorizontalPodAutoscaler['spec']['metrics'] = [];
  assert.deepEqual([event.note, metrics], ['started', []]);
});
