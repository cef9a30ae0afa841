/** What is deleted with its owners. Upstream: test/e2e/apimachinery/garbage_collector.go. */
import assert from 'node:assert/strict';
import { CoreV1Api, type V1OwnerReference } from '@kubernetes/client-node';
import { eventually } from '../support/kobune.ts';
import { mergePatch } from './support/operations.ts';
import { row, useSubject } from './support/subject.ts';

const subject = useSubject({ controllers: true });

row('[sig-api-machinery] Garbage collector should not be blocked by dependency circle [Conformance]', async () => {
  const core = subject.api(CoreV1Api);
  const namespace = await subject.namespace();
  const spec = { containers: [{ name: 'one', image: 'registry.example.com/none:1' }] };
  const pods = [];
  for (const name of ['first', 'second', 'third']) {
    pods.push(await core.createNamespacedPod({ namespace, body: { metadata: { name }, spec } }));
  }
  // Each is owned by the one before, the first by the last.
  for (const [at, pod] of pods.entries()) {
    const { name, uid } = pods.at(at - 1)!.metadata!;
    const owner: V1OwnerReference = {
      ...{ apiVersion: 'v1', kind: 'Pod', name: name!, uid: uid! },
      ...{ controller: true, blockOwnerDeletion: true },
    };
    const body = { metadata: { ownerReferences: [owner] } };
    await core.patchNamespacedPod({ name: pod.metadata!.name!, namespace, body }, mergePatch);
  }
  const { name, uid } = pods[0]!.metadata!;
  await core.deleteNamespacedPod({
    name: name!,
    namespace,
    propagationPolicy: 'Foreground',
    body: { preconditions: { uid: uid! }, propagationPolicy: 'Foreground' },
  });
  await eventually('all three are gone', async () => {
    const { items } = await core.listNamespacedPod({ namespace });
    return items.length === 0 || undefined;
  });
  assert.equal((await core.listNamespacedPod({ namespace })).items.length, 0);
});
