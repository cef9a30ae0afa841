/**
 * ConfigMaps and Secrets as objects: keys, changes, immutability.
 * Upstream: test/e2e/common/node/{configmap,secrets}.go, test/e2e/common/storage/{configmap,secrets}_volume.go.
 */
import assert from 'node:assert/strict';
import { CoreV1Api } from '@kubernetes/client-node';
import { mergePatch, strategicPatch } from './support/operations.ts';
import { refusal, row, useSubject } from './support/subject.ts';

const subject = useSubject();
const core = () => subject.api(CoreV1Api);
const base64 = (text: string): string => Buffer.from(text).toString('base64');

row('[sig-node] ConfigMap should fail to create ConfigMap with empty key [Conformance]', async () => {
  const namespace = await subject.namespace();
  const body = { metadata: { name: 'empty-key' }, data: { '': 'value' } };
  const { message } = await refusal(422, core().createNamespacedConfigMap({ namespace, body }));
  assert.match(message, /data\[\]: Invalid value: "": a valid config key must/);
});

row('[sig-node] ConfigMap should update ConfigMap successfully [NodeConformance] [Conformance]', async () => {
  const namespace = await subject.namespace();
  const made = await core().createNamespacedConfigMap({ namespace, body: { metadata: { name: 'one' } } });
  await core().replaceNamespacedConfigMap({ name: 'one', namespace, body: { ...made, data: { key: 'value' } } });
  const read = await core().readNamespacedConfigMap({ name: 'one', namespace });
  assert.deepEqual(read.data, { key: 'value' });
  const stale = core().replaceNamespacedConfigMap({ name: 'one', namespace, body: { ...made, data: { key: 'late' } } });
  assert.equal((await refusal(409, stale)).reason, 'Conflict');
});

row('[sig-node] ConfigMap should run through a ConfigMap lifecycle [Conformance]', async () => {
  const namespace = await subject.namespace();
  const labelSelector = 'test-configmap-static=true';
  const labels = { 'test-configmap-static': 'true' };
  const { metadata } = await core().createNamespacedConfigMap({
    namespace,
    body: { metadata: { name: 'one', labels }, data: { valueName: 'value' } },
  });
  using watch = await subject.watch(`/api/v1/namespaces/${namespace}/configmaps`, { labelSelector });
  assert.equal((await watch.next('ADDED')).metadata.uid, metadata!.uid);
  const body = { metadata: { labels: { 'test-configmap': 'patched' } }, data: { valueName: 'value1' } };
  await core().patchNamespacedConfigMap({ name: 'one', namespace, body }, strategicPatch);
  assert.equal((await watch.next('MODIFIED')).metadata.labels['test-configmap'], 'patched');
  const all = await core().listConfigMapForAllNamespaces({ labelSelector });
  const own = all.items.filter(item => item.metadata!.namespace === namespace);
  assert.deepEqual(
    own.map(item => item.data),
    [{ valueName: 'value1' }],
  );
  await core().deleteCollectionNamespacedConfigMap({ namespace, labelSelector });
  await watch.next('DELETED');
  assert.deepEqual((await core().listNamespacedConfigMap({ namespace, labelSelector })).items, []);
});

row('[sig-node] Secrets should fail to create secret due to empty secret key [Conformance]', async () => {
  const namespace = await subject.namespace();
  const body = { metadata: { name: 'empty-key' }, data: { '': base64('value') } };
  const { message } = await refusal(422, core().createNamespacedSecret({ namespace, body }));
  assert.match(message, /data\[\]: Invalid value: "": a valid config key must/);
});

row('[sig-node] Secrets should patch a secret [Conformance]', async () => {
  const namespace = await subject.namespace();
  const labels = { 'testsecret-constant': 'true' };
  await core().createNamespacedSecret({
    namespace,
    body: { metadata: { name: 'one', labels }, type: 'Opaque', data: { key: base64('value') } },
  });
  const body = { metadata: { labels: { testsecret: 'true' } }, data: { key: base64('value1') } };
  await core().patchNamespacedSecret({ name: 'one', namespace, body }, strategicPatch);
  const found = await core().listSecretForAllNamespaces({ labelSelector: 'testsecret=true' });
  assert.equal(found.items.find(item => item.metadata!.namespace === namespace)?.data?.['key'], base64('value1'));
  await core().deleteCollectionNamespacedSecret({ namespace, labelSelector: 'testsecret=true' });
  const left = await core().listSecretForAllNamespaces({ labelSelector: 'testsecret-constant=true' });
  assert.ok(!left.items.some(item => item.metadata!.namespace === namespace));
});

row('[sig-storage] ConfigMap should be immutable if `immutable` field is set [Conformance]', async () => {
  const namespace = await subject.namespace();
  const made = await core().createNamespacedConfigMap({
    namespace,
    body: { metadata: { name: 'fixed' }, data: { key: 'one' } },
  });
  const replace = (change: object) =>
    core().replaceNamespacedConfigMap({ name: 'fixed', namespace, body: { ...made, ...change } as never });
  made.metadata!.resourceVersion = (await replace({ data: { key: 'two' } })).metadata!.resourceVersion!;
  made.metadata!.resourceVersion = (await replace({ data: { key: 'two' }, immutable: true })).metadata!
    .resourceVersion!;
  const data = await refusal(422, replace({ data: { key: 'three' }, immutable: true }));
  assert.match(data.message, /data: Forbidden: field is immutable when `immutable` is set/);
  const flag = await refusal(422, replace({ data: { key: 'two' }, immutable: false }));
  assert.match(flag.message, /immutable: Forbidden: field is immutable when `immutable` is set/);
  await refusal(422, replace({ data: { key: 'three' }, immutable: false }));
  const body = { metadata: { labels: { still: 'changeable' } } };
  await core().patchNamespacedConfigMap({ name: 'fixed', namespace, body }, mergePatch);
  await core().deleteNamespacedConfigMap({ name: 'fixed', namespace });
});

row('[sig-storage] Secrets should be immutable if `immutable` field is set [Conformance]', async () => {
  const namespace = await subject.namespace();
  const made = await core().createNamespacedSecret({
    namespace,
    body: { metadata: { name: 'fixed' }, data: { key: base64('one') } },
  });
  const replace = (change: object) =>
    core().replaceNamespacedSecret({ name: 'fixed', namespace, body: { ...made, ...change } as never });
  made.metadata!.resourceVersion = (await replace({ stringData: { key: 'two' } })).metadata!.resourceVersion!;
  const two = { data: { key: base64('two') } };
  made.metadata!.resourceVersion = (await replace({ ...two, immutable: true })).metadata!.resourceVersion!;
  const data = await refusal(422, replace({ data: { key: base64('three') }, immutable: true }));
  assert.match(data.message, /data: Forbidden: field is immutable when `immutable` is set/);
  const flag = await refusal(422, replace({ ...two, immutable: false }));
  assert.match(flag.message, /immutable: Forbidden: field is immutable when `immutable` is set/);
  await core().deleteNamespacedSecret({ name: 'fixed', namespace });
});
