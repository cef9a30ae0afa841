/**
 * Limits and priorities, as admission and validation see them.
 * Upstream: test/e2e/scheduling/{limit_range,preemption}.go.
 */
import assert from 'node:assert/strict';
import { CoreV1Api, SchedulingV1Api } from '@kubernetes/client-node';
import { assertContains, mergePatch, Operations, strategicPatch } from './support/operations.ts';
import { refusal, row, useSubject } from './support/subject.ts';

const subject = useSubject();
const core = () => subject.api(CoreV1Api);
const amounts = (cpu: string, memory: string, storage: string) => ({ cpu, memory, 'ephemeral-storage': storage });

const tooMuch = amounts('600m', '600Mi', '600Gi');
const limits = {
  type: 'Container',
  min: amounts('50m', '100Mi', '100Gi'),
  max: amounts('500m', '500Mi', '500Gi'),
  _default: amounts('500m', '500Mi', '500Gi'),
  defaultRequest: amounts('100m', '200Mi', '200Gi'),
};

row(
  '[sig-scheduling] LimitRange should create a LimitRange with defaults and ensure pod has those defaults applied. [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    const makePod = (name: string, requests: object, limitsOf: object = {}) =>
      core().createNamespacedPod({
        namespace,
        body: {
          metadata: { name },
          spec: {
            containers: [
              { name: 'one', image: 'none', resources: { requests: { ...requests }, limits: { ...limitsOf } } },
            ],
          },
        },
      });
    const path = `/api/v1/namespaces/${namespace}/limitranges`;
    const { metadata } = await core().listNamespacedLimitRange({ namespace });
    using watch = await subject.watch(path, { resourceVersion: metadata!.resourceVersion! });
    const body = { metadata: { name: 'limits' }, spec: { limits: [limits] } };
    const made = await core().createNamespacedLimitRange({ namespace, body });
    await watch.next('ADDED');
    assert.deepEqual(made.spec!.limits[0]!._default, limits._default);

    const bare = (await makePod('bare', {})).spec!.containers[0]!.resources!;
    assertContains(bare, { limits: limits._default, requests: limits.defaultRequest });
    const partial = await makePod('partial', { memory: '150Mi', 'ephemeral-storage': '150Gi' }, { cpu: '300m' });
    assertContains(partial.spec!.containers[0]!.resources, {
      limits: amounts('300m', '500Mi', '500Gi'),
      requests: amounts('300m', '150Mi', '150Gi'),
    });
    const few = await refusal(403, makePod('few', amounts('10m', '50Mi', '50Gi')));
    assert.match(few.message, /minimum cpu usage per Container is 50m, but request is 10m/);
    const many = await refusal(403, makePod('many', tooMuch, tooMuch));
    assert.match(many.message, /maximum cpu usage per Container is 500m, but limit is 600m/);

    made.spec!.limits[0]!.min = amounts('9m', '49Mi', '49Gi');
    await core().replaceNamespacedLimitRange({ name: 'limits', namespace, body: made });
    await watch.next('MODIFIED');
    await makePod('few', amounts('10m', '50Mi', '50Gi'));
    await refusal(403, makePod('many', tooMuch, tooMuch));
    await core().deleteNamespacedLimitRange({ name: 'limits', namespace });
    await watch.next('DELETED');
    await makePod('many', tooMuch, tooMuch);
  },
);

row('[sig-scheduling] LimitRange should list, patch and delete a LimitRange by collection [Conformance]', async () => {
  const [namespace, other] = [await subject.namespace(), await subject.namespace()];
  const label = subject.unique('limits');
  const labelSelector = `of=${label}`;
  for (const each of [namespace, other]) {
    const body = { metadata: { name: 'limits', labels: { of: label } }, spec: { limits: [limits] } };
    await core().createNamespacedLimitRange({ namespace: each, body });
  }
  assert.equal((await core().listLimitRangeForAllNamespaces({ labelSelector })).items.length, 2);
  const patch = {
    metadata: { labels: { patched: label } },
    spec: { limits: [{ type: 'Container', defaultRequest: { cpu: '50m' } }] },
  };
  await core().patchNamespacedLimitRange({ name: 'limits', namespace, body: patch }, strategicPatch);
  const patched = await core().listLimitRangeForAllNamespaces({ labelSelector: `patched=${label}` });
  assert.deepEqual(
    patched.items.map(item => [item.metadata!.namespace, item.spec!.limits[0]!.defaultRequest!['cpu']]),
    [[namespace, '50m']],
  );
  await core().deleteCollectionNamespacedLimitRange({ namespace, labelSelector: `patched=${label}` });
  const left = await core().listLimitRangeForAllNamespaces({ labelSelector });
  assert.deepEqual(
    left.items.map(item => item.metadata!.namespace),
    [other],
  );
});

row(
  '[sig-scheduling] SchedulerPreemption [Serial] PriorityClass endpoints verify PriorityClass endpoints can be operated with different HTTP methods [Conformance]',
  async () => {
    const target = { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses', kind: 'PriorityClass' };
    const classes = new Operations(subject, { ...target, api: SchedulingV1Api });
    const label = subject.unique('priority');
    const names = [`${label}-one`, `${label}-two`] as const;
    for (const [index, name] of names.entries()) {
      await classes.create({ metadata: { name, labels: { of: label } }, value: index + 1 });
    }
    const fixed = /value: (Forbidden: may not be changed in an update|Invalid value: .*field is immutable)/;
    assert.match((await refusal(422, classes.patch(names[0], { value: 10 }))).message, fixed);
    const second = await classes.read(names[1]);
    assert.match((await refusal(422, classes.replace({ ...second, value: 20 }))).message, fixed);
    await classes.patch(names[0], { description: 'told anew' }, '', mergePatch);
    await classes.replace({ ...second, description: 'told anew' });
    const { items } = await classes.list({ labelSelector: `of=${label}` });
    assert.deepEqual(
      items.map(item => [item['value'], item['description']]),
      [
        [1, 'told anew'],
        [2, 'told anew'],
      ],
    );
    await classes.deleteCollection(`of=${label}`);
    assert.equal((await classes.list({ labelSelector: `of=${label}` })).items.length, 0);
  },
);
