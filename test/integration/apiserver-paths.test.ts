/**
 * What paths, methods, encodings and deletions answer where a client asks for something odd: held against the original in
 * some 33,000 requests, of which these stand for the rules.
 */
import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { get } from 'node:https';
import { after, before, test } from 'node:test';
import type { KubeObject } from '#apimachinery';
import { type ApiRequest, createHttpsTransport, type Transport } from '#client';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';

let server: TestApiServer;
let transport: Transport;
before(async () => {
  server = await startTestApiServer({ controllers: true });
  const { certPem, keyPem } = server.admin;
  transport = createHttpsTransport({ server: server.url, caPem: server.authority.certPem, certPem, keyPem });
});
after(async () => {
  await transport[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

interface Refusal {
  readonly code: number;
  readonly message: string;
}

/** What a request is refused with. */
async function refusal(method: string, path: string, more: Partial<ApiRequest> = {}): Promise<Refusal> {
  try {
    const response = await transport.request({ method: method as ApiRequest['method'], path, ...more });
    await response.json();
  } catch (error) {
    const { status } = error as { status: Refusal };
    return { code: status.code, message: status.message };
  }
  throw new assert.AssertionError({ message: `${method} ${path} was not refused` });
}

const noPath = { code: 404, message: 'the server could not find the requested resource' };
const noMethod = { code: 405, message: 'the server does not allow this method on the requested resource' };
const pods = '/api/v1/namespaces/default/pods';
const reviews = '/apis/authentication.k8s.io/v1/tokenreviews';

test('paths that exist refuse methods, others are not found', async () => {
  assert.deepEqual(await refusal('PUT', pods, { body: {} }), noMethod);
  assert.deepEqual(await refusal('POST', `${pods}/x`, { body: {} }), noMethod);
  assert.deepEqual(await refusal('GET', reviews), noMethod);
  assert.deepEqual(await refusal('POST', `${reviews}/x`, { body: {} }), noPath);
  assert.deepEqual(await refusal('POST', '/api/v1/bindings', { body: {} }), noPath);
  assert.deepEqual(await refusal('GET', '/api/v1/pods/x'), noPath);
  assert.deepEqual(await refusal('GET', '/api/v1/namespaces/default/namespaces'), noPath);
  assert.deepEqual(await refusal('GET', '/api/v1/namespaces/default/nodes'), noPath);
});

test('what a subresource cannot be shown as is refused before it is looked for', async () => {
  const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
  const message =
    'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf';
  for (const path of ['/ephemeralcontainers', '/resize', '/log']) {
    assert.deepEqual(await refusal('GET', `${pods}/x${path}`, { headers: table }), { code: 406, message });
  }
  assert.equal((await refusal('GET', `${pods}/x/status`, { headers: table })).code, 404);
});

test('connections do not run dry', async () => {
  const dry = { code: 400, message: 'dryRun is not supported' };
  assert.deepEqual(await refusal('POST', `${pods}/x/exec`, { query: [['dryRun', 'All']] }), dry);
  assert.deepEqual(await refusal('GET', `${pods}/x/proxy`, { query: [['dryRun', '']] }), dry);
});

test('a list of metadata without items is null, and a list is no single object', async () => {
  const as = (form: string) => ({ accept: `application/json;as=${form};v=v1;g=meta.k8s.io` });
  const response = await transport.request({
    method: 'GET',
    path: pods,
    headers: as('PartialObjectMetadataList'),
  });
  assert.equal(((await response.json()) as { items: unknown }).items, null);
  assert.deepEqual(await refusal('GET', pods, { headers: as('PartialObjectMetadata') }), {
    code: 406,
    message: 'you requested PartialObjectMetadata, but the requested object is a list (*core.PodList)',
  });
});

test('continue tokens are read as Go reads base64', async () => {
  const why = async (token: string) =>
    (await refusal('GET', pods, { query: [['continue', token]] })).message.split('not valid: ')[1];
  assert.equal(await why('x'), 'illegal base64 data at input byte 0');
  assert.equal(await why('abcde'), 'illegal base64 data at input byte 4');
  assert.equal(await why('ab='), 'illegal base64 data at input byte 2');
  assert.equal(await why('abcd'), "invalid character 'i' looking for beginning of value");
});

test('deleted without more, Jobs and ReplicationControllers let their pods be', async () => {
  const containers = [{ name: 'a', image: 'x' }];
  const jobs = '/apis/batch/v1/namespaces/default/jobs';
  const template = { spec: { restartPolicy: 'Never', containers } };
  const controllers = '/api/v1/namespaces/default/replicationcontrollers';
  const labelled = { metadata: { labels: { a: 'b' } }, spec: { containers } };
  await transport.request({ method: 'POST', path: jobs, body: { metadata: { name: 'j' }, spec: { template } } });
  await transport.request({
    method: 'POST',
    path: controllers,
    body: { metadata: { name: 'r' }, spec: { selector: { a: 'b' }, template: labelled } },
  });
  for (const path of [`${jobs}/j`, `${controllers}/r`]) {
    const response = await transport.request({ method: 'DELETE', path });
    const { metadata } = (await response.json()) as { metadata: { finalizers?: string[] } };
    assert.ok(metadata.finalizers?.includes('orphan'), path);
    assert.equal(
      response.headers['warning']?.includes('child pods are preserved by default') ?? false,
      path === `${jobs}/j`,
    );
  }
});

test('components are asked how they are: the store answers, what does not run is refused', async () => {
  const path = '/api/v1/componentstatuses';
  const list = (await (await transport.request({ method: 'GET', path })).json()) as {
    metadata: object;
    items: { metadata: { name: string }; conditions: { type: string; status: string; message: string }[] }[];
  };
  assert.deepEqual(list.metadata, {});
  assert.deepEqual(list.items.map(each => each.metadata.name).sort(), ['controller-manager', 'etcd-0', 'scheduler']);
  const etcd = list.items.find(each => each.metadata.name === 'etcd-0');
  assert.deepEqual(etcd?.conditions, [{ type: 'Healthy', status: 'True', message: 'ok' }]);
  const one = await (await transport.request({ method: 'GET', path: `${path}/etcd-0` })).json();
  assert.deepEqual((one as { conditions: unknown }).conditions, etcd?.conditions);
  const none = { code: 404, message: 'componentstatus "nothing" not found' };
  assert.deepEqual(await refusal('GET', `${path}/nothing`), none);
});

test('routes that give one thing refuse to give another, indented for people', async () => {
  const give = (types: string) => ({
    code: 406,
    message: `406: Not Acceptable\n\nAvailable representations: ${types}`,
  });
  const text = { headers: { accept: 'text/html' } };
  assert.deepEqual(await refusal('GET', '/version', text), give('application/json'));
  assert.deepEqual(await refusal('GET', '/openid/v1/jwks', text), give('application/jwk-set+json'));
  const all = 'application/json, application/yaml, application/vnd.kubernetes.protobuf';
  assert.deepEqual(await refusal('GET', `${pods}/x`, text), give(all));
  assert.deepEqual(await refusal('GET', `${pods}/x/log`, text), give(`text/plain, ${all}`));
  const answer = await fetchRaw(`${pods}/x`, { accept: 'text/html' });
  assert.match(answer.body, /^\{\n {2}"kind": "Status",\n/);
  assert.equal(answer.headers['connection'], undefined);
  assert.equal(answer.headers['keep-alive'], undefined);
});

test('what the server makes for itself is owned by it', async () => {
  const owners = async (path: string): Promise<string[]> => {
    const { metadata } = (await (await transport.request({ method: 'GET', path })).json()) as KubeObject;
    return (metadata.managedFields ?? []).map(each => `${each.manager} ${each.operation}`);
  };
  for (const path of [
    '/api/v1/namespaces/default',
    '/api/v1/namespaces/default/services/kubernetes',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/admin',
    '/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical',
    '/apis/apiregistration.k8s.io/v1/apiservices/v1.apps',
    '/apis/networking.k8s.io/v1/ipaddresses/10.96.0.1',
  ]) {
    assert.deepEqual(await owners(path), ['kube-apiserver Update'], path);
  }
  assert.deepEqual(await owners('/apis/networking.k8s.io/v1/servicecidrs/kubernetes'), [
    'kubernetes-service-cidr-controller Apply',
    'kube-apiserver Update',
  ]);
});

test('bindings, evictions and token requests tell of owners named twice; unsafe evictions are refused', async () => {
  const namespace = '/api/v1/namespaces/default';
  const created = async (path: string, body: object): Promise<readonly string[]> => {
    const response = await transport.request({ method: 'POST', path, body: body as never });
    await response.json();
    return [response.headers['warning'] ?? []].flat();
  };
  const container = { name: 'a', image: 'registry.example/app:1' };
  const meta = { name: 'twice' };
  await created(`${namespace}/pods`, { metadata: meta, spec: { containers: [container] } });
  const owner = { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' };
  const twice = { metadata: { ...meta, ownerReferences: [owner, owner] } };
  const eviction = `${namespace}/pods/twice/eviction?dryRun=All`;
  const binding = { ...twice, target: { name: 'n' } };
  const warned = [
    await created(`${namespace}/pods/twice/binding?dryRun=All`, binding),
    await created(eviction, twice),
    await created(`${namespace}/serviceaccounts/default/token`, {
      metadata: { ownerReferences: [owner, owner] },
      spec: { audiences: [] },
    }),
  ];
  for (const warnings of warned) assert.match(warnings.join(), /contains duplicate entries; .*observed: u/);
  const deleteOptions = { ignoreStoreReadErrorWithClusterBreakingPotential: true };
  assert.deepEqual(await refusal('POST', eviction, { body: { metadata: meta, deleteOptions } }), {
    code: 422,
    message:
      'Eviction.policy "twice" is invalid: deleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential: ' +
      'Invalid value: true: can not be set for pod eviction, try after removing the option',
  });
});

test('evictions and bindings ask for their namespace before anything else', async () => {
  for (const path of ['pods/p/eviction', 'pods/p/binding', 'bindings']) {
    assert.deepEqual(await refusal('POST', `/api/v1/namespaces/none/${path}`, { body: {} }), {
      code: 404,
      message: 'namespaces "none" not found',
    });
  }
});

test('a log has no metadata', async () => {
  const log = '/api/v1/namespaces/default/pods/logged/log';
  const body = { metadata: { name: 'logged' }, spec: { containers: [{ name: 'a', image: 'registry.example/app:1' }] } };
  await (await transport.request({ method: 'POST', path: '/api/v1/namespaces/default/pods', body })).json();
  const as = (kind: string) => ({ headers: { accept: `application/json;as=${kind};g=meta.k8s.io;v=v1` } });
  assert.deepEqual(await refusal('GET', log, as('PartialObjectMetadata')), {
    code: 500,
    message: 'object does not implement the Object interfaces',
  });
  assert.deepEqual(await refusal('GET', log, as('PartialObjectMetadataList')), {
    code: 406,
    message: 'you requested PartialObjectMetadataList, but the requested object is not a list (*rest.LocationStreamer)',
  });
});

test('what is only read is judged by its method before its encoding', async () => {
  const headers = { accept: 'image/png' };
  for (const path of ['/api', '/api/', '/api/v1', '/apis/apps/v1', '/openid/v1/jwks/']) {
    assert.deepEqual(await refusal('POST', path, { headers }), noMethod, path);
  }
  assert.deepEqual(await refusal('GET', '/api/v2', { headers }), noPath);
  const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const message =
    'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf';
  assert.deepEqual(await refusal('GET', '/apis/', { headers: { accept: aggregated } }), { code: 406, message });
});

/** One request of HTTP/1.1, as it was answered. */
function fetchRaw(
  path: string,
  headers: Record<string, string>,
): Promise<{ headers: IncomingHttpHeaders; body: string }> {
  const { certPem: cert, keyPem: key } = server.admin;
  const options = { host: '127.0.0.1', port: server.port, path, headers, cert, key, ca: server.authority.certPem };
  return new Promise((resolve, reject) => {
    get(options, async response => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve({ headers: response.headers, body });
    }).on('error', reject);
  });
}

test('system priority classes are not deleted by name', async () => {
  const classes = '/apis/scheduling.k8s.io/v1/priorityclasses';
  const message =
    'priorityclasses.scheduling.k8s.io "system-node-critical" is forbidden: this is a system priority class and cannot be deleted';
  assert.deepEqual(await refusal('DELETE', `${classes}/system-node-critical`, { query: [['dryRun', 'All']] }), {
    code: 403,
    message,
  });
});

test('what is created of a pod is refused for its namespace before the pod is looked for', async () => {
  const gone = { code: 404, message: 'namespaces "nowhere" not found' };
  const path = '/api/v1/namespaces/nowhere/pods/p';
  const body = { metadata: { name: 'other' }, target: { name: 'n' } };
  assert.deepEqual(await refusal('POST', `${path}/eviction`, { body }), gone);
  assert.deepEqual(await refusal('POST', `${path}/binding`, { body }), gone);
});

test('an event that a patch leaves as it is keeps its resourceVersion', async () => {
  const path = '/api/v1/namespaces/default/events';
  const involvedObject = { kind: 'Pod', namespace: 'default', name: 'p' };
  const made = await transport.request({ method: 'POST', path, body: { metadata: { name: 'e' }, involvedObject } });
  const headers = { 'content-type': 'application/merge-patch+json' };
  const kept = await transport.request({ method: 'PATCH', path: `${path}/e`, headers, body: {} });
  const versions = [await made.json(), await kept.json()].map(each => (each as KubeObject).metadata.resourceVersion);
  assert.equal(versions[0], versions[1]);
});

test('a finalizer without a domain is told of once for each look at the metadata', async () => {
  const path = '/api/v1/namespaces/default/configmaps';
  await transport.request({ method: 'POST', path, body: { metadata: { name: 'finalized' } } });
  const headers = { 'content-type': 'application/merge-patch+json' };
  const body = { metadata: { finalizers: ['plain'] } };
  const refused = transport.request({ method: 'PATCH', path: `${path}/finalized`, headers, body });
  await assert.rejects(refused, (error: { status: { details?: { causes?: readonly unknown[] } } }) => {
    assert.equal(error.status.details?.causes?.length, 2);
    return true;
  });
});

test('a changed binding is told of its metadata, its own mistakes, the change of its metadata and of its role, in that order', async () => {
  const path = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings';
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
  await transport.request({ method: 'POST', path, body: { metadata: { name: 'ordered' }, roleRef } });
  const headers = { 'content-type': 'application/merge-patch+json' };
  const body = { metadata: { finalizers: ['plain'] }, roleRef: { name: 'edit' }, subjects: [{ kind: 'User' }] };
  const refused = transport.request({ method: 'PATCH', path: `${path}/ordered`, headers, body });
  await assert.rejects(refused, (error: { status: { details?: { causes?: ReadonlyArray<{ field: string }> } } }) => {
    const fields = error.status.details?.causes?.map(({ field }) => field);
    assert.deepEqual(fields, ['metadata.finalizers[0]', 'subjects[0].name', 'metadata.finalizers[0]', 'roleRef']);
    return true;
  });
});
