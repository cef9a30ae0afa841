/**
 * The kinds of storage.k8s.io, and volumes that only a driver can mount.
 * Upstream: test/e2e/storage/{csi_inline,csi_node,csistoragecapacity,storageclass,volume_attachment}.go.
 */
import assert from 'node:assert/strict';
import { CoreV1Api, StorageV1Api } from '@kubernetes/client-node';
import { apiOperations, type KindUnderTest, Operations } from './support/operations.ts';
import { row, useSubject } from './support/subject.ts';

const subject = useSubject();
const kind = (name: string, resource: string, namespace?: string): KindUnderTest => ({
  group: 'storage.k8s.io',
  version: 'v1',
  resource,
  kind: name,
  api: StorageV1Api,
  ...(namespace && { namespace }),
});

row('[sig-storage] CSIInlineVolumes should run through the lifecycle of a CSIDriver [Conformance]', () =>
  apiOperations(subject, kind('CSIDriver', 'csidrivers'), {
    make: () => ({ spec: { attachRequired: false, podInfoOnMount: true, volumeLifecycleModes: ['Ephemeral'] } }),
    async more(_operations, object) {
      const { storageCapacity, fsGroupPolicy, requiresRepublish } = object['spec'];
      assert.deepEqual([storageCapacity, fsGroupPolicy, requiresRepublish], [false, 'ReadWriteOnceWithFSType', false]);
    },
  }),
);

row('[sig-storage] CSIInlineVolumes should support CSIVolumeSource in Pod API [Conformance]', async () => {
  const core = subject.api(CoreV1Api);
  const namespace = await subject.namespace();
  const driver = subject.unique('driver');
  const labels = { conformance: driver };
  const body = {
    metadata: { name: 'inline', labels },
    spec: {
      containers: [
        { name: 'one', image: 'none', volumeMounts: [{ name: 'data', mountPath: '/data', readOnly: true }] },
      ],
      volumes: [{ name: 'data', csi: { driver, readOnly: true, volumeAttributes: { of: 'one' } } }],
      restartPolicy: 'Never',
    },
  };
  const { metadata } = await core.createNamespacedPod({ namespace, body });
  const pods = await core.listPodForAllNamespaces({ labelSelector: `conformance=${driver}` });
  assert.equal(pods.items.length, 1);
  const read = await core.readNamespacedPod({ name: 'inline', namespace });
  const volume = read.spec!.volumes!.find(each => each.name === 'data')!;
  assert.equal(volume.csi?.driver, driver);
  assert.deepEqual(volume.csi.volumeAttributes, { of: 'one' });
  using watch = await subject.watch(`/api/v1/namespaces/${namespace}/pods`, {
    resourceVersion: metadata!.resourceVersion!,
  });
  await core.deleteNamespacedPod({ name: 'inline', namespace });
  await watch.until('DELETED');
});

row('[sig-storage] CSINodes CSI Conformance should run through the lifecycle of a csinode [Conformance]', () =>
  apiOperations(subject, kind('CSINode', 'csinodes'), {
    make: index => ({ spec: { drivers: [{ name: 'driver.example.com', nodeID: `node-${index}` }] } }),
    async more(operations, object) {
      const drivers = [...object['spec'].drivers, { name: 'second.example.com', nodeID: 'other', topologyKeys: null }];
      const patched = await operations.patch(object.metadata!.name!, { spec: { drivers } });
      assert.equal(patched['spec'].drivers.length, 2);
    },
  }),
);

row('[sig-storage] CSIStorageCapacity should support CSIStorageCapacities API operations [Conformance]', async () =>
  apiOperations(subject, kind('CSIStorageCapacity', 'csistoragecapacities', await subject.namespace()), {
    make: () => ({ storageClassName: 'a-class', capacity: '1Gi', nodeTopology: { matchLabels: { zone: 'a' } } }),
    async more(operations, object) {
      const patched = await operations.patch(object.metadata!.name!, { capacity: '2Gi' });
      assert.equal(patched['capacity'], '2Gi');
    },
  }),
);

row(
  '[sig-storage] StorageClasses CSI Conformance should run through the lifecycle of a StorageClass [Conformance]',
  () =>
    apiOperations(subject, kind('StorageClass', 'storageclasses'), {
      make: () => ({ provisioner: 'driver.example.com' }),
      async more(_operations, object) {
        assert.equal(object['reclaimPolicy'], 'Delete');
        assert.equal(object['volumeBindingMode'], 'Immediate');
      },
    }),
);

const attachment = (volume: string) => ({
  spec: { attacher: 'driver.example.com', nodeName: 'some-node', source: { persistentVolumeName: volume } },
});

row(
  '[sig-storage] VolumeAttachment Conformance should run through the lifecycle of a VolumeAttachment [Conformance]',
  () =>
    apiOperations(subject, kind('VolumeAttachment', 'volumeattachments'), {
      make: index => attachment(`volume-${index}`),
    }),
);

row(
  '[sig-storage] VolumeAttachment Conformance should apply changes to a volumeattachment status [Conformance]',
  async () => {
    const operations = new Operations(subject, kind('VolumeAttachment', 'volumeattachments'));
    const name = subject.unique('attachment');
    const made = await operations.create({ metadata: { name }, ...attachment('volume') });
    assert.equal(made['status'].attached, false);
    const patched = await operations.patch(name, { status: { attached: true } }, 'Status');
    assert.equal(patched['status'].attached, true);
    const read = await operations.read(name, 'Status');
    assert.equal(read['status'].attached, true);
    const replaced = await operations.replace({ ...read, status: { ...read['status'], attached: false } }, 'Status');
    assert.equal(replaced['status'].attached, false);
    assert.deepEqual(replaced['spec'], made['spec']);
    await operations.delete(name);
  },
);
