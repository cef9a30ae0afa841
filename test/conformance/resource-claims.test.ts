/** Dynamic resource allocation: its four kinds. Upstream: test/e2e/dra/dra.go. */
import assert from 'node:assert/strict';
import { ResourceV1Api } from '@kubernetes/client-node';
import { apiOperations, type KindUnderTest } from './support/operations.ts';
import { row, useSubject } from './support/subject.ts';

const subject = useSubject();
const kind = (name: string, resource: string, namespace?: string): KindUnderTest => ({
  group: 'resource.k8s.io',
  version: 'v1',
  resource,
  kind: name,
  api: ResourceV1Api,
  ...(namespace && { namespace }),
});
const claim = { devices: { requests: [{ name: 'one', exactly: { deviceClassName: 'some-class' } }] } };

row('[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 DeviceClass [Conformance]', () =>
  apiOperations(subject, kind('DeviceClass', 'deviceclasses'), {
    make: () => ({ spec: { selectors: [{ cel: { expression: 'device.driver == "driver.example.com"' } }] } }),
  }),
);

row('[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaim [Conformance]', async () => {
  const allocation = {
    devices: { results: [{ request: 'one', driver: 'driver.example.com', pool: 'pool', device: 'device-1' }] },
  };
  await apiOperations(subject, kind('ResourceClaim', 'resourceclaims', await subject.namespace()), {
    make: () => ({ spec: structuredClone(claim) }),
    status: { patch: { allocation }, replace: {}, keepsMetadata: true },
    async more(operations, object) {
      const request = object['spec'].devices.requests[0];
      assert.deepEqual([request.exactly.allocationMode, request.exactly.count], ['ExactCount', 1]);
      assert.equal((await operations.read(object.metadata!.name!))['status']?.allocation, undefined);
    },
  });
});

row('[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaimTemplate [Conformance]', async () =>
  apiOperations(subject, kind('ResourceClaimTemplate', 'resourceclaimtemplates', await subject.namespace()), {
    make: () => ({ spec: { spec: structuredClone(claim) } }),
  }),
);

row('[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceSlice [Conformance]', () =>
  apiOperations(subject, kind('ResourceSlice', 'resourceslices'), {
    make: index => ({
      spec: {
        driver: 'driver.example.com',
        nodeName: 'some-node',
        pool: { name: `pool-${index}`, generation: 1, resourceSliceCount: 1 },
        devices: [{ name: 'device-1', capacity: { memory: { value: '1Gi' } } }],
      },
    }),
  }),
);
