/**
 * Servers beside the API server: one that converts custom resources, and one with an API of its own.
 * Upstream: test/e2e/apimachinery/{crd_conversion_webhook,aggregator}.go.
 */
import assert from 'node:assert/strict';
import { hostAddress } from '../../src/cluster/host-address.ts';
import { eventually } from '../support/kobune.ts';
import { row, type Subject, useSubject } from './support/subject.ts';
import { type Answer, startWebhookServer, type WebhookServer } from './support/webhook-server.ts';

const subject = useSubject();
const string = { type: 'string' };

/** `hostPort` of the first version is `host` and `port` in the second. */
const convert: Answer = ({ body }) => {
  const { uid, desiredAPIVersion, objects } = body.request;
  const convertedObjects = objects.map(({ hostPort, host, port, ...object }: any) => {
    const whole = hostPort ?? `${host ?? ''}:${port ?? ''}`;
    const [first = '', second = ''] = whole.split(':');
    const parts = desiredAPIVersion.endsWith('v2') ? { host: first, port: second } : { hostPort: whole };
    return { ...object, ...parts, apiVersion: desiredAPIVersion };
  });
  const response = { uid, convertedObjects, result: { status: 'Success' } };
  return { apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview', response };
};

interface Converted {
  readonly group: string;
  path(version: string, name?: string): string;
  make(version: string, name: string, fields: object): Promise<any>;
  /** Makes another version the stored one. */
  store(version: string): Promise<void>;
}

async function convertedKind(own: Subject, server: WebhookServer, namespace: string): Promise<Converted> {
  const group = `${own.unique('stable').replaceAll('-', '')}.example.com`;
  const version = (name: string, stored: boolean, properties: object): object => ({
    name,
    served: true,
    storage: stored,
    schema: { openAPIV3Schema: { type: 'object', properties } },
  });
  const versions = (stored: string): object[] => [
    version('v1', stored === 'v1', { hostPort: string }),
    version('v2', stored === 'v2', { host: string, port: string }),
  ];
  const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const webhook = { clientConfig: server.config('/convert'), conversionReviewVersions: ['v1'] };
  const spec = {
    group,
    scope: 'Namespaced',
    names: { plural: 'ends', singular: 'end', kind: 'End', listKind: 'EndList' },
    conversion: { strategy: 'Webhook', webhook },
    versions: versions('v1'),
  };
  const made = await own.request('POST', crds, { body: { metadata: { name: `ends.${group}` }, spec } });
  assert.equal(made.status, 201, made.text);
  const path = (name: string, object = ''): string =>
    `/apis/${group}/${name}/namespaces/${namespace}/ends${object && `/${object}`}`;
  await eventually('both versions are served', async () => {
    const all = await Promise.all(['v1', 'v2'].map(each => own.request('GET', path(each))));
    return all.every(each => each.status === 200) ? true : undefined;
  });
  return {
    group,
    path,
    async make(name, object, fields) {
      const body = { apiVersion: `${group}/${name}`, kind: 'End', metadata: { name: object }, ...fields };
      const answer = await own.request('POST', path(name), { body });
      assert.equal(answer.status, 201, answer.text);
      return answer.json();
    },
    async store(name) {
      const headers = { 'content-type': 'application/merge-patch+json' };
      const body = { spec: { versions: versions(name) } };
      assert.equal((await own.request('PATCH', `${crds}/ends.${group}`, { headers, body })).status, 200);
    },
  };
}

row(
  '[sig-api-machinery] CustomResourceConversionWebhook [Privileged:ClusterAdmin] should be able to convert from CR v1 to CR v2 [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    await using server = await startWebhookServer({ '/convert': convert });
    const kind = await convertedKind(subject, server, namespace);
    await kind.make('v1', 'one', { hostPort: 'localhost:8080' });
    const read = await eventually('the other version is given', async () => {
      const answer = await subject.request('GET', kind.path('v2', 'one'));
      return answer.status === 200 ? answer.json() : undefined;
    });
    assert.equal(read.host, 'localhost');
    assert.equal(read.port, '8080');
    assert.equal(read.hostPort, undefined);
  },
);

row(
  '[sig-api-machinery] CustomResourceConversionWebhook [Privileged:ClusterAdmin] should be able to convert a non homogeneous list of CRs [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    await using server = await startWebhookServer({ '/convert': convert });
    const kind = await convertedKind(subject, server, namespace);
    await kind.make('v1', 'one', { hostPort: 'localhost:8080' });
    await kind.store('v2');
    await kind.make('v2', 'two', { host: 'example.com', port: '443' });
    const { items: first } = await subject.get(kind.path('v1'));
    assert.deepEqual(
      first.map((each: any) => each.hostPort),
      ['localhost:8080', 'example.com:443'],
    );
    const { items: second } = await subject.get(kind.path('v2'));
    assert.deepEqual(
      second.map((each: any) => `${each.host} ${each.port}`),
      ['localhost 8080', 'example.com 443'],
    );
  },
);

const wardle = 'wardle.example.com';
const version = `${wardle}/v1alpha1`;

/** An API server with one kind, which keeps its objects in memory. */
function sampleServer(): Record<string, Answer> {
  const objects = new Map<string, any>();
  const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
  const resource = { name: 'flunders', singularName: 'flunder', namespaced: true, kind: 'Flunder', verbs };
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Success' };
  return {
    [`/apis/${version}`]: () => ({
      kind: 'APIResourceList',
      apiVersion: 'v1',
      groupVersion: version,
      resources: [resource],
    }),
    '*': ({ method, url, body }) => {
      const [, , , , , namespace, kind, name = ''] = url.pathname.split('/');
      if (kind !== 'flunders') return undefined;
      if (method === 'POST') {
        const metadata = { ...body.metadata, namespace, uid: crypto.randomUUID(), resourceVersion: '1' };
        objects.set(body.metadata.name, { ...body, metadata });
        return objects.get(body.metadata.name);
      }
      if (method === 'DELETE' && name === '') objects.clear();
      if (method === 'DELETE') {
        objects.delete(name);
        return status;
      }
      if (name !== '') return objects.get(name);
      return {
        kind: 'FlunderList',
        apiVersion: version,
        metadata: { resourceVersion: '1' },
        items: [...objects.values()],
      };
    },
  };
}

row(
  '[sig-api-machinery] Aggregator Should be able to support the 1.17 Sample API Server using the current Aggregator [Conformance]',
  async () => {
    const host = hostAddress()!;
    const namespace = await subject.namespace();
    await using server = await startWebhookServer(sampleServer(), { host, names: [`sample-api.${namespace}.svc`] });
    const at = `/api/v1/namespaces/${namespace}/services`;
    const ports = [{ name: 'https', port: 7443, protocol: 'TCP', targetPort: server.port }];
    await subject.request('POST', at, { body: { metadata: { name: 'sample-api' }, spec: { ports } } });
    await subject.request('POST', `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, {
      body: {
        metadata: { name: 'sample-api-1', labels: { 'kubernetes.io/service-name': 'sample-api' } },
        addressType: 'IPv4',
        endpoints: [{ addresses: [host] }],
        ports: [{ name: 'https', port: server.port, protocol: 'TCP' }],
      },
    });
    const services = '/apis/apiregistration.k8s.io/v1/apiservices';
    const name = `v1alpha1.${wardle}`;
    const spec = {
      group: wardle,
      version: 'v1alpha1',
      groupPriorityMinimum: 2000,
      versionPriority: 200,
      service: { namespace, name: 'sample-api', port: 7443 },
      caBundle: server.caBundle,
    };
    const made = await subject.request('POST', services, {
      body: { metadata: { name, labels: { sample: 'yes' } }, spec },
    });
    assert.equal(made.status, 201, made.text);
    const flunders = `/apis/${version}/namespaces/${namespace}/flunders`;
    await eventually('the sample server is asked', async () => {
      const { status } = await subject.request('GET', flunders);
      return status === 200 ? true : undefined;
    });
    const { status } = await subject.get(`${services}/${name}/status`);
    assert.equal(status.conditions[0].reason, 'Passed');
    const flunder = { apiVersion: version, kind: 'Flunder', metadata: { name: 'one' }, spec: {} };
    assert.equal((await subject.request('POST', flunders, { body: flunder })).json().metadata.namespace, namespace);
    assert.equal((await subject.get(flunders)).items[0].metadata.name, 'one');
    assert.equal((await subject.get(`${flunders}/one`)).kind, 'Flunder');
    assert.equal((await subject.request('GET', `${flunders}/none`)).status, 404);
    const { groups } = await subject.get('/apis');
    assert.ok(groups.some((each: { name: string }) => each.name === wardle));
    assert.equal((await subject.get(`/apis/${version}`)).resources[0].name, 'flunders');
    assert.equal((await subject.request('DELETE', flunders)).status, 200);
    assert.deepEqual((await subject.get(flunders)).items, []);
    const headers = { 'content-type': 'application/merge-patch+json' };
    const changed = { metadata: { labels: { sample: 'changed' } }, spec: { versionPriority: 400 } };
    const patched = await subject.request('PATCH', `${services}/${name}`, { headers, body: changed });
    assert.equal(patched.json().spec.versionPriority, 400);
    const condition = { type: 'StatusUpdated', status: 'True', reason: 'E2E', message: 'Set from a test' };
    const conditions = [...status.conditions, condition];
    const told = await subject.request('PATCH', `${services}/${name}/status`, {
      headers,
      body: { status: { conditions } },
    });
    assert.ok(told.json().status.conditions.some((each: { type: string }) => each.type === 'StatusUpdated'));
    assert.equal((await subject.request('DELETE', `${services}?labelSelector=sample%3Dchanged`)).status, 200);
    await eventually('its paths are gone', async () =>
      (await subject.request('GET', flunders)).status === 404 ? true : undefined,
    );
  },
  { skip: hostAddress() ? undefined : 'this host has no address but loopback, and endpoints may not hold that' },
);
