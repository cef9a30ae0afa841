/** Namespaces and their parts. Upstream: test/e2e/apimachinery/namespace.go. */
import assert from 'node:assert/strict';
import { CoreV1Api } from '@kubernetes/client-node';
import { assertLater, mergePatch, strategicPatch } from './support/operations.ts';
import { row, useSubject } from './support/subject.ts';

const subject = useSubject();
const core = () => subject.api(CoreV1Api);

row('[sig-api-machinery] Namespaces [Serial] should patch a Namespace [Conformance]', async () => {
  const name = await subject.namespace();
  const before = await core().readNamespace({ name });
  const body = { metadata: { labels: { testLabel: 'testValue' } } };
  const patched = await core().patchNamespace({ name, body }, strategicPatch);
  assertLater(patched, before);
  const { labels } = (await core().readNamespace({ name })).metadata!;
  assert.equal(labels!['testLabel'], 'testValue');
  assert.equal(labels!['kubernetes.io/metadata.name'], name);
});

row('[sig-api-machinery] Namespaces [Serial] should apply an update to a Namespace [Conformance]', async () => {
  const name = await subject.namespace();
  const namespace = await core().readNamespace({ name });
  namespace.metadata!.labels![name] = 'updated';
  const replaced = await core().replaceNamespace({ name, body: namespace });
  assert.equal(replaced.metadata!.labels![name], 'updated');
  assert.deepEqual(replaced.spec!.finalizers, ['kubernetes']);
});

row('[sig-api-machinery] Namespaces [Serial] should apply changes to a namespace status [Conformance]', async () => {
  const name = await subject.namespace();
  assert.equal((await core().readNamespaceStatus({ name })).status!.phase, 'Active');
  const condition = (type: string) => ({ type, status: 'True', reason: 'Test', message: 'by a test' });
  const body = { metadata: { annotations: { told: 'so' } }, status: { conditions: [condition('StatusPatch')] } };
  const patched = await core().patchNamespaceStatus({ name, body }, mergePatch);
  assert.equal(patched.metadata!.annotations!['told'], 'so');
  assert.equal(patched.status!.conditions![0]!.type, 'StatusPatch');
  const current = await core().readNamespaceStatus({ name });
  current.status!.conditions!.push(condition('StatusUpdate'));
  const replaced = await core().replaceNamespaceStatus({ name, body: current });
  assert.deepEqual(
    replaced.status!.conditions!.map(each => each.type),
    ['StatusPatch', 'StatusUpdate'],
  );
  assert.equal(replaced.status!.phase, 'Active');
});

row('[sig-api-machinery] Namespaces [Serial] should apply a finalizer to a Namespace [Conformance]', async () => {
  const name = await subject.namespace();
  const finalize = async (finalizers: string[]) => {
    const namespace = await core().readNamespace({ name });
    namespace.spec!.finalizers = finalizers;
    return (await core().replaceNamespaceFinalize({ name, body: namespace })).spec!.finalizers;
  };
  const added = ['kubernetes', 'e2e.example.com/fakeFinalizer'];
  assert.deepEqual(await finalize(added), added);
  // The object itself does not take them.
  const namespace = await core().readNamespace({ name });
  const replaced = await core().replaceNamespace({ name, body: { ...namespace, spec: { finalizers: [] } } });
  assert.deepEqual(replaced.spec!.finalizers, added);
  assert.deepEqual(await finalize(['kubernetes']), ['kubernetes']);
});
