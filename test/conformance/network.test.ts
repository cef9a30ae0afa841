/**
 * Services and where they lead, ingresses, addresses, as far as the API alone is concerned.
 * Upstream: test/e2e/network/{apiserver,endpoints,endpointslice,ingress,ingressclass,service,service_cidrs}.go.
 */
import assert from 'node:assert/strict';
import { CoreV1Api, DiscoveryV1Api, KubeConfig, NetworkingV1Api } from '@kubernetes/client-node';
import { hostAddress } from '../../src/cluster/host-address.ts';
import { apiOperations, assertContains, type KindUnderTest, mergePatch, Operations } from './support/operations.ts';
import { startServerProcess } from './support/server-process.ts';
import { refusal, row, useSubject } from './support/subject.ts';

const subject = useSubject();
const kind = (name: string, resource: string, namespace?: string): KindUnderTest => ({
  group: 'networking.k8s.io',
  version: 'v1',
  resource,
  kind: name,
  api: NetworkingV1Api,
  ...(namespace && { namespace }),
});
const core = () => subject.api(CoreV1Api);

row('[sig-network] API Server should provide secure master service [Conformance]', async () => {
  const { spec } = await core().readNamespacedService({ name: 'kubernetes', namespace: 'default' });
  assert.ok(spec!.ports!.some(port => port.name === 'https' && port.port === 443));
});

row(
  '[sig-network] API Server should have Endpoints and EndpointSlices pointing to API Server [Conformance]',
  async () => {
    await using server = await startServerProcess();
    const config = new KubeConfig();
    config.loadFromFile(server.kubeconfig);
    const endpoints = await config
      .makeApiClient(CoreV1Api)
      .readNamespacedEndpoints({ name: 'kubernetes', namespace: 'default' });
    const slices = await config
      .makeApiClient(DiscoveryV1Api)
      .listNamespacedEndpointSlice({ namespace: 'default', labelSelector: 'kubernetes.io/service-name=kubernetes' });
    const [subset] = endpoints.subsets!;
    assert.deepEqual(
      subset!.addresses!.map(each => each.ip),
      [hostAddress()],
    );
    assert.deepEqual(
      subset!.ports!.map(each => each.port),
      [server.port],
    );
    const ofFamily = slices.items.filter(slice => slice.addressType === 'IPv4');
    assert.deepEqual(
      ofFamily.flatMap(slice => slice.endpoints!.flatMap(each => each.addresses)),
      subset!.addresses!.map(each => each.ip),
    );
    assert.deepEqual(
      ofFamily.flatMap(slice => slice.ports!.map(each => each.port)),
      subset!.ports!.map(each => each.port),
    );
  },
  hostAddress() ? {} : { skip: 'this host has no address but loopback, and endpoints may not hold that' },
);

row('[sig-network] EndpointSlice should support creating EndpointSlice API operations [Conformance]', async () => {
  const namespace = await subject.namespace();
  const target = { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices', kind: 'EndpointSlice' };
  await apiOperations(
    subject,
    { ...target, api: DiscoveryV1Api, namespace },
    {
      make: index => ({ addressType: 'IPv4', endpoints: [{ addresses: [`1.2.3.${index + 1}`] }] }),
    },
  );
});

row('[sig-network] Endpoints should test the lifecycle of an Endpoint [Conformance]', async () => {
  const namespace = await subject.namespace();
  const labels = { 'test-endpoint-static': 'true' };
  const made = await core().createNamespacedEndpoints({
    namespace,
    body: {
      metadata: { name: 'places', labels },
      subsets: [{ addresses: [{ ip: '10.0.0.24' }], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] }],
    },
  });
  const all = await core().listEndpointsForAllNamespaces({ labelSelector: 'test-endpoint-static=true' });
  assert.deepEqual(
    all.items.map(item => item.metadata!.name),
    ['places'],
  );
  using watch = await subject.watch(`/api/v1/namespaces/${namespace}/endpoints`, {
    resourceVersion: made.metadata!.resourceVersion!,
    labelSelector: 'test-endpoint-static=true',
  });
  const replaced = await core().replaceNamespacedEndpoints({
    name: 'places',
    namespace,
    body: { ...made, metadata: { ...made.metadata, labels: { ...labels, updated: 'true' } } },
  });
  assert.equal((await watch.next('MODIFIED')).metadata.labels.updated, 'true');
  assert.deepEqual(replaced.subsets, made.subsets);
  const subsets = [{ addresses: [{ ip: '10.0.0.25' }], ports: [{ name: 'other', port: 8080, protocol: 'TCP' }] }];
  await core().patchNamespacedEndpoints({ name: 'places', namespace, body: { subsets } }, mergePatch);
  assert.deepEqual((await watch.next('MODIFIED')).subsets, subsets);
  assertContains((await core().readNamespacedEndpoints({ name: 'places', namespace })).subsets, subsets);
  await core().deleteCollectionNamespacedEndpoints({ namespace, labelSelector: 'test-endpoint-static=true' });
  await watch.next('DELETED');
  assert.match((await refusal(404, core().readNamespacedEndpoints({ name: 'places', namespace }))).reason, /NotFound/);
});

row('[sig-network] Ingress API should support creating Ingress API operations [Conformance]', async () => {
  const backend = { service: { name: 'default-backend', port: { number: 80 } } };
  await apiOperations(subject, kind('Ingress', 'ingresses', await subject.namespace()), {
    make: () => ({
      spec: {
        defaultBackend: backend,
        rules: [
          { host: 'a.example.com', http: { paths: [{ path: '/', pathType: 'ImplementationSpecific', backend }] } },
        ],
      },
    }),
    status: {
      patch: { loadBalancer: { ingress: [{ ip: '169.1.1.1' }] } },
      replace: { loadBalancer: { ingress: [{ ip: '169.1.1.1' }, { hostname: 'b.example.com' }] } },
    },
  });
});

row('[sig-network] IngressClass API should support creating IngressClass API operations [Conformance]', () =>
  apiOperations(subject, kind('IngressClass', 'ingressclasses'), {
    make: () => ({ spec: { controller: 'example.com/controller' } }),
  }),
);

row('[sig-network] ServiceCIDR and IPAddress API should support IPAddress API operations [Conformance]', () =>
  apiOperations(subject, kind('IPAddress', 'ipaddresses'), {
    make: index => ({
      metadata: { name: `192.0.2.${index + 1}` },
      spec: { parentRef: { group: '', resource: 'services', name: 'none', namespace: 'default' } },
    }),
  }),
);

row('[sig-network] ServiceCIDR and IPAddress API should support ServiceCIDR API operations [Conformance]', () =>
  apiOperations(subject, kind('ServiceCIDR', 'servicecidrs'), {
    make: index => ({ spec: { cidrs: [`10.20${index}.0.0/24`] } }),
    status: {
      keepsMetadata: true,
      patch: {
        conditions: [
          {
            type: 'Patched',
            status: 'True',
            reason: 'Test',
            message: '',
            lastTransitionTime: new Date('2026-01-01T00:00:00Z'),
          },
        ],
      },
      replace: {
        conditions: [
          {
            type: 'Replaced',
            status: 'True',
            reason: 'Test',
            message: '',
            lastTransitionTime: new Date('2026-01-02T00:00:00Z'),
          },
        ],
      },
    },
  }),
);

const service = (name: string, labels: Record<string, string>, type = 'ClusterIP') => ({
  metadata: { name, labels },
  spec: { type, ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 80 }] },
});

row('[sig-network] Services should complete a service status lifecycle [Conformance]', async () => {
  const namespace = await subject.namespace();
  const target = { group: '', version: 'v1', resource: 'services', kind: 'Service', api: CoreV1Api, namespace };
  const services = new Operations(subject, target);
  const made = await services.create(service('web', { 'test-service-static': 'true' }, 'LoadBalancer'));
  using watch = await subject.watch(services.path, { resourceVersion: made.metadata!.resourceVersion! });
  assert.deepEqual((await services.read('web', 'Status'))['status'], made['status']);

  const loadBalancer = { ingress: [{ ip: '203.0.113.1' }] };
  const patch = { metadata: { annotations: { patchedstatus: 'true' } }, status: { loadBalancer } };
  assertContains(await services.patch('web', patch, 'Status'), patch);
  assert.equal((await watch.next('MODIFIED')).metadata.annotations.patchedstatus, 'true');

  const current = await services.read('web', 'Status');
  const condition = {
    type: 'StatusUpdate',
    status: 'True',
    reason: 'Test',
    message: 'by a test',
    lastTransitionTime: new Date(),
  };
  const replaced = await services.replace(
    { ...current, status: { ...current['status'], conditions: [condition] } },
    'Status',
  );
  assert.equal(replaced['status'].conditions[0].reason, 'Test');
  assertContains(replaced['status'], { loadBalancer });
  await watch.next('MODIFIED');

  const relabelled = await services.patch('web', { metadata: { labels: { 'test-service': 'patched' } } });
  assert.equal(relabelled.metadata!.labels!['test-service'], 'patched');
  assertContains(relabelled['status'], { loadBalancer });
  await services.delete('web');
  await watch.until('DELETED');
});

row('[sig-network] Services should delete a collection of services [Conformance]', async () => {
  const namespace = await subject.namespace();
  for (const [name, of] of [
    ['one', 'a'],
    ['two', 'a'],
    ['three', 'b'],
  ] as const) {
    await core().createNamespacedService({ namespace, body: service(name, { of }) });
  }
  assert.equal((await core().listNamespacedService({ namespace })).items.length, 3);
  await core().deleteCollectionNamespacedService({ namespace, labelSelector: 'of=a' });
  const left = await core().listNamespacedService({ namespace });
  assert.deepEqual(
    left.items.map(item => item.metadata!.name),
    ['three'],
  );
});

row('[sig-network] Services should find a service from listing all namespaces [Conformance]', async () => {
  const { items } = await core().listServiceForAllNamespaces();
  assert.ok(items.some(({ metadata }) => metadata!.name === 'kubernetes' && metadata!.namespace === 'default'));
});
