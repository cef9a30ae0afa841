/** Events under both of their groups. Upstream: test/e2e/instrumentation/{core_events,events}.go. */
import assert from 'node:assert/strict';
import { CoreV1Api, EventsV1Api, V1MicroTime } from '@kubernetes/client-node';
import { mergePatch, strategicPatch } from './support/operations.ts';
import { refusal, row, useSubject } from './support/subject.ts';

const subject = useSubject();
const core = () => subject.api(CoreV1Api);
const events = () => subject.api(EventsV1Api);

const coreEvent = (name: string, namespace: string, labels: Record<string, string> = {}) => ({
  metadata: { name, labels },
  message: 'something has happened',
  reason: 'Tested',
  type: 'Normal',
  count: 1,
  involvedObject: { namespace, kind: 'Pod', name: 'some-pod' },
});

const newEvent = (name: string, namespace: string, labels: Record<string, string> = {}) => ({
  metadata: { name, labels },
  regarding: { namespace, kind: 'Pod', name: 'some-pod' },
  eventTime: new V1MicroTime(),
  note: 'something has happened',
  type: 'Normal',
  reason: 'Tested',
  action: 'Do',
  reportingController: 'test-controller',
  reportingInstance: 'test-node',
});

row('[sig-instrumentation] Events should manage the lifecycle of an event [Conformance]', async () => {
  const namespace = await subject.namespace();
  const labels = { 'testevent-constant': 'true' };
  const made = await core().createNamespacedEvent({ namespace, body: coreEvent('one', namespace, labels) as never });
  const found = await core().listEventForAllNamespaces({ labelSelector: 'testevent-constant=true' });
  assert.deepEqual(
    found.items.map(item => item.metadata.uid),
    [made.metadata.uid],
  );
  await core().patchNamespacedEvent({ name: 'one', namespace, body: { message: 'and again' } }, strategicPatch);
  const patched = await core().readNamespacedEvent({ name: 'one', namespace });
  assert.equal(patched.message, 'and again');
  const series = { count: 100, lastObservedTime: new V1MicroTime('2014-09-25T16:43:19.000Z') };
  await core().replaceNamespacedEvent({ name: 'one', namespace, body: { ...patched, series } });
  const replaced = await core().readNamespacedEvent({ name: 'one', namespace });
  assert.equal(replaced.series?.count, 100);
  assert.equal(replaced.message, 'and again');
  await core().deleteNamespacedEvent({ name: 'one', namespace });
  const left = await core().listEventForAllNamespaces({ labelSelector: 'testevent-constant=true' });
  assert.equal(left.items.length, 0);
});

row('[sig-instrumentation] Events should delete a collection of events [Conformance]', async () => {
  const namespace = await subject.namespace();
  for (const name of ['one', 'two', 'three']) {
    await core().createNamespacedEvent({ namespace, body: coreEvent(name, namespace, { of: 'set' }) as never });
  }
  await core().createNamespacedEvent({ namespace, body: coreEvent('other', namespace) as never });
  assert.equal((await core().listNamespacedEvent({ namespace, labelSelector: 'of=set' })).items.length, 3);
  await core().deleteCollectionNamespacedEvent({ namespace, labelSelector: 'of=set' });
  assert.deepEqual(
    (await core().listNamespacedEvent({ namespace })).items.map(item => item.metadata.name),
    ['other'],
  );
});

row(
  '[sig-instrumentation] Events API should ensure that an event can be fetched, patched, deleted, and listed [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    await events().createNamespacedEvent({ namespace, body: newEvent('one', namespace) });
    await core().createNamespacedEvent({ namespace, body: coreEvent('old', namespace) as never });
    const all = await events().listEventForAllNamespaces();
    assert.ok(all.items.some(item => item.metadata!.name === 'one' && item.metadata!.namespace === namespace));
    const select = async (fieldSelector: string) =>
      (await events().listNamespacedEvent({ namespace, fieldSelector })).items.map(item => item.metadata!.name);
    assert.deepEqual(await select('reportingController=test-controller'), ['one']);
    assert.deepEqual(await select('regarding.name=some-pod,reportingController!=test-controller'), ['old']);
    const bySource = await core().listNamespacedEvent({ namespace, fieldSelector: 'source=test-controller' });
    assert.deepEqual(
      bySource.items.map(item => item.metadata.name),
      ['one'],
    );
    const { message } = await refusal(400, select('reportingComponent=test-controller'));
    assert.equal(message, 'field label not supported: reportingComponent');

    const series = { count: 2, lastObservedTime: '2014-09-25T16:43:19.000000Z' };
    await events().patchNamespacedEvent({ name: 'one', namespace, body: { series } }, mergePatch);
    const patched = await events().readNamespacedEvent({ name: 'one', namespace });
    assert.equal(patched.series?.count, 2);
    patched.series!.count = 100;
    await events().replaceNamespacedEvent({ name: 'one', namespace, body: patched });
    const replaced = await events().readNamespacedEvent({ name: 'one', namespace });
    assert.equal(replaced.series?.count, 100);
    assert.equal(replaced.reportingController, 'test-controller');
    await events().deleteNamespacedEvent({ name: 'one', namespace });
    assert.deepEqual(await select('reportingController=test-controller'), []);
  },
);

row('[sig-instrumentation] Events API should delete a collection of events [Conformance]', async () => {
  const namespace = await subject.namespace();
  for (const name of ['one', 'two', 'three']) {
    await events().createNamespacedEvent({ namespace, body: newEvent(name, namespace, { of: 'set' }) });
  }
  assert.equal((await events().listNamespacedEvent({ namespace, labelSelector: 'of=set' })).items.length, 3);
  await events().deleteCollectionNamespacedEvent({ namespace, labelSelector: 'of=set' });
  assert.equal((await events().listNamespacedEvent({ namespace, labelSelector: 'of=set' })).items.length, 0);
});
