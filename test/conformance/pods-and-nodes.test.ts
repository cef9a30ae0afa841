/**
 * What the API itself says about pods and nodes: templates, classes of service, sysctls, runtime classes, leases.
 * Upstream: test/e2e/{node,common/node}, by kind.
 */
import assert from 'node:assert/strict';
import { CoordinationV1Api, CoreV1Api, NodeV1Api, V1MicroTime } from '@kubernetes/client-node';
import { apiOperations, assertContains, Operations, strategicPatch } from './support/operations.ts';
import { refusal, row, useSubject } from './support/subject.ts';

const subject = useSubject();
const core = () => subject.api(CoreV1Api);
const pod = (name: string, spec: object = {}, container: object = {}) => ({
  metadata: { name },
  spec: { containers: [{ name: 'one', image: 'registry.example.com/none:1', ...container }], ...spec },
});

row('[sig-node] Lease lease API should be available [Conformance]', async () => {
  const namespace = await subject.namespace();
  const target = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases', kind: 'Lease' };
  const leases = new Operations(subject, { ...target, api: CoordinationV1Api, namespace });
  const spec = (holder: string, transitions: number) => ({
    holderIdentity: holder,
    leaseDurationSeconds: 30,
    acquireTime: new V1MicroTime('2026-01-01T00:00:00.123Z'),
    renewTime: new V1MicroTime('2026-01-01T00:00:05.123Z'),
    leaseTransitions: transitions,
  });
  const made = await leases.create({ metadata: { name: 'one', labels: { of: 'test' } }, spec: spec('a', 0) });
  assertContains((await leases.read('one'))['spec'], made['spec']);
  const replaced = await leases.replace({ ...made, spec: spec('b', 1) });
  assert.deepEqual([replaced['spec'].holderIdentity, replaced['spec'].leaseTransitions], ['b', 1]);
  const patched = await leases.patch('one', { spec: { leaseDurationSeconds: 60 } }, '', strategicPatch);
  assertContains((await leases.read('one'))['spec'], { holderIdentity: 'b', leaseDurationSeconds: 60 });
  assert.ok(BigInt(patched.metadata!.resourceVersion!) > BigInt(made.metadata!.resourceVersion!));
  await leases.create({ metadata: { name: 'two', labels: { of: 'test' } }, spec: spec('c', 0) });
  await leases.create({ metadata: { name: 'three' }, spec: spec('d', 0) });
  assert.equal((await leases.list({ labelSelector: 'of=test' })).items.length, 2);
  await leases.deleteCollection('of=test');
  assert.deepEqual(
    (await leases.list()).items.map(item => item.metadata!.name),
    ['three'],
  );
  await leases.delete('three');
  await refusal(404, leases.read('three'));
});

row('[sig-node] Node Lifecycle should run through the lifecycle of a node [Conformance]', async () => {
  const nodes = new Operations(subject, { group: '', version: 'v1', resource: 'nodes', kind: 'Node', api: CoreV1Api });
  const name = subject.unique('node');
  const ready = { type: 'Ready', status: 'True', reason: 'Test', message: 'by a test' };
  const made = await nodes.create({
    metadata: { name },
    spec: { unschedulable: true },
    status: { conditions: [ready] },
  });
  assert.equal((await nodes.read(name)).metadata!.uid, made.metadata!.uid);
  await nodes.patch(name, { metadata: { labels: { [name]: 'patched' } } }, '', strategicPatch);
  const [found, ...others] = (await nodes.list({ labelSelector: `${name}=patched` })).items;
  assert.equal(others.length, 0);
  found!.metadata!.labels![name] = 'updated';
  assert.equal((await nodes.replace(found!)).metadata!.labels![name], 'updated');
  await nodes.delete(name);
  await refusal(404, nodes.read(name));
});

const templates = async () =>
  new Operations(subject, {
    ...{ group: '', version: 'v1', resource: 'podtemplates', kind: 'PodTemplate', api: CoreV1Api },
    namespace: await subject.namespace(),
  });
const template = (name: string, labels: Record<string, string> = {}) => ({
  metadata: { name, labels },
  template: { spec: pod('unused').spec },
});

row('[sig-node] PodTemplates should run the lifecycle of PodTemplates [Conformance]', async () => {
  const operations = await templates();
  assert.deepEqual((await operations.listAll({ labelSelector: 'lifecycle=static' })).items, []);
  await operations.create(template('one', { lifecycle: 'static' }));
  const read = await operations.read('one');
  assert.equal(read['template'].spec.restartPolicy, 'Always');
  await operations.patch('one', { metadata: { labels: { lifecycle: 'patched' } } }, '', strategicPatch);
  assert.equal((await operations.read('one')).metadata!.labels!['lifecycle'], 'patched');
  await operations.delete('one');
  assert.deepEqual((await operations.listAll({ labelSelector: 'lifecycle=patched' })).items, []);
});

row('[sig-node] PodTemplates should delete a collection of pod templates [Conformance]', async () => {
  const operations = await templates();
  for (const name of ['one', 'two', 'three']) await operations.create(template(name, { of: 'set' }));
  assert.equal((await operations.list({ labelSelector: 'of=set' })).items.length, 3);
  await operations.deleteCollection('of=set');
  assert.equal((await operations.list()).items.length, 0);
});

row('[sig-node] PodTemplates should replace a pod template [Conformance]', async () => {
  const operations = await templates();
  const made = await operations.create(template('one'));
  const replaced = await operations.replace({
    ...made,
    metadata: { ...made.metadata, annotations: { updated: 'true' } },
  });
  assert.equal(replaced.metadata!.annotations!['updated'], 'true');
  assert.equal((await operations.read('one')).metadata!.annotations!['updated'], 'true');
});

row(
  '[sig-node] Pods Extended Pods Set QOS Class should be set on Pods with matching resource requests and limits for memory and cpu [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    const amounts = { cpu: '100m', memory: '100Mi' };
    const classOf = async (name: string, resources: object) => {
      await core().createNamespacedPod({ namespace, body: pod(name, {}, { resources }) });
      return (await core().readNamespacedPod({ namespace, name })).status!.qosClass;
    };
    assert.equal(await classOf('both', { requests: amounts, limits: amounts }), 'Guaranteed');
    assert.equal(await classOf('limits', { limits: amounts }), 'Guaranteed');
    assert.equal(await classOf('requests', { requests: amounts }), 'Burstable');
    assert.equal(await classOf('none', {}), 'BestEffort');
  },
);

row('[sig-node] Sysctls [LinuxOnly] [NodeConformance] should reject invalid sysctls [Conformance]', async () => {
  const namespace = await subject.namespace();
  const names = ['foo-', 'kernel.shmmax', 'safe-and-unsafe', 'bar..'];
  const sysctls = names.map(name => ({ name, value: '1' }));
  const body = pod('sysctls', { securityContext: { sysctls } });
  const { message } = await refusal(422, core().createNamespacedPod({ namespace, body }));
  assert.match(message, /spec\.securityContext\.sysctls\[0\]\.name: Invalid value: "foo-"/);
  assert.match(message, /spec\.securityContext\.sysctls\[3\]\.name: Invalid value: "bar\.\."/);
  assert.doesNotMatch(message, /safe-and-unsafe|shmmax/);
});

const runtimeClasses = {
  ...{ group: 'node.k8s.io', version: 'v1', resource: 'runtimeclasses', kind: 'RuntimeClass', api: NodeV1Api },
};

row('[sig-node] RuntimeClass should support RuntimeClasses API operations [Conformance]', () =>
  apiOperations(subject, runtimeClasses, {
    make: () => ({ handler: 'some-handler' }),
    async more(operations, object) {
      await refusal(409, operations.create({ metadata: { name: object.metadata!.name! }, handler: 'some-handler' }));
    },
  }),
);

row(
  '[sig-node] RuntimeClass should reject a Pod requesting a non-existent RuntimeClass [NodeConformance] [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    const body = pod('classy', { runtimeClassName: 'no-such-class' });
    const { message } = await refusal(403, core().createNamespacedPod({ namespace, body }));
    assert.match(message, /pods "classy" is forbidden: .*RuntimeClass "no-such-class" not found/);
  },
);

row(
  '[sig-node] RuntimeClass should reject a Pod requesting a deleted RuntimeClass [NodeConformance] [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    const classes = new Operations(subject, runtimeClasses);
    const name = subject.unique('class');
    await classes.create({ metadata: { name }, handler: 'some-handler' });
    const body = (of: string) => pod(of, { runtimeClassName: name });
    await core().createNamespacedPod({ namespace, body: body('before') });
    await classes.delete(name);
    await refusal(403, core().createNamespacedPod({ namespace, body: body('after') }));
    assert.equal((await core().listNamespacedPod({ namespace })).items.length, 1);
  },
);
