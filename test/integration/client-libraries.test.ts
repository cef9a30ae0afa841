/** What client libraries and upstream's own integration tests rely on, each seen to differ once when they were run. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isStatusError, type KubeObject } from '#apimachinery';
import { systemClock } from '#base';
import { createAuthority } from '#pki';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { startHostileWebhook } from '../support/hostile-webhook.ts';

let server: TestApiServer;
before(async () => {
  server = await startTestApiServer();
});
after(() => server[Symbol.asyncDispose]());

test('an apply that differs by an empty map alone changes nothing, not even the time of its entry', async () => {
  const labels = { app: 'web' };
  const template = { metadata: { labels, annotations: {} }, spec: { containers: [{ name: 'c', image: 'c' }] } };
  const body = { apiVersion: 'apps/v1', kind: 'Deployment', spec: { selector: { matchLabels: labels }, template } };
  const apply = async (): Promise<KubeObject> => {
    const answer = await server.transport().request({
      method: 'PATCH',
      path: '/apis/apps/v1/namespaces/default/deployments/no-op',
      query: [['fieldManager', 'me']],
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: Buffer.from(JSON.stringify({ ...body, metadata: { name: 'no-op' } })),
    });
    return (await answer.json()) as unknown as KubeObject;
  };
  const first = await apply();
  await new Promise(resolve => setTimeout(resolve, 1100)); // the times of entries are whole seconds
  assert.equal((await apply()).metadata.resourceVersion, first.metadata.resourceVersion);
});

test('an apply with a key twice is warned of each, by its line', async () => {
  const answer = await server.transport().request({
    method: 'PATCH',
    path: '/api/v1/namespaces/default/configmaps/twice',
    query: [['fieldManager', 'me']],
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: Buffer.from(
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: twice\ndata:\n  a: x\n  a: z\n  b: x\n  b: z\n',
    ),
  });
  const texts = ['line 7: key \\"a\\" already set in map', 'line 9: key \\"b\\" already set in map'];
  assert.equal(answer.headers['warning'], texts.map(text => `299 - "${text}"`).join(', '));
});

test('the core group may be written with its slash', async () => {
  const made = await server.transport().request({
    method: 'POST',
    path: '/api/v1/namespaces/default/configmaps',
    body: { apiVersion: '/v1', kind: 'ConfigMap', metadata: { name: 'slashed' } },
  });
  assert.equal(((await made.json()) as unknown as KubeObject).apiVersion, 'v1');
});

test('the status of an APIService leaves its metadata alone', async () => {
  const path = '/apis/apiregistration.k8s.io/v1/apiservices';
  const spec = { group: 'g.example.com', version: 'v1', groupPriorityMinimum: 1, versionPriority: 1 };
  const metadata = { name: 'v1.g.example.com', labels: { a: 'b' } };
  const body = { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', metadata, spec };
  await server.transport().request({ method: 'POST', path, body });
  const answer = await server.transport().request({
    method: 'PATCH',
    path: `${path}/${metadata.name}/status`,
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { metadata: { labels: { a: 'c' } } },
  });
  assert.deepEqual(((await answer.json()) as unknown as KubeObject).metadata.labels, { a: 'b' });
});

test('a webhook whose bundle is its own certificate is trusted, as envtest sets them up', async () => {
  const host = '127.0.0.1';
  const authority = await createAuthority('webhook-ca', systemClock.now());
  const wanted = {
    commonName: 'hook',
    ipAddresses: [host],
    usages: ['server auth'],
    nowMs: systemClock.now(),
  } as const;
  const pair = await authority.issue(wanted);
  await using webhook = await startHostileWebhook(host, pair);
  const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
  const caBundle = Buffer.from(pair.certPem).toString('base64');
  const hook = {
    name: 'own.example.com',
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    clientConfig: { url: `https://${host}:${webhook.port}/text`, caBundle },
    rules: [{ apiGroups: ['batch'], apiVersions: ['v1'], operations: ['DELETE'], resources: ['jobs'] }],
    timeoutSeconds: 1,
  };
  const kind = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration' };
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['secrets'] }];
  const body = { ...kind, metadata: { name: 'own' }, webhooks: [{ ...hook, rules }] };
  await server.transport().request({ method: 'POST', path, body });
  const create = async (n: number): Promise<string> => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: `asked-${n}` } };
    try {
      await server.transport().request({ method: 'POST', path: '/api/v1/namespaces/default/secrets', body: secret });
      return '';
    } catch (error) {
      assert.ok(isStatusError(error));
      return error.message;
    }
  };
  let answer = '';
  for (let n = 0; answer === ''; n++) answer = await create(n); // configurations are learned from a watch
  assert.match(answer, /couldn't get version\/kind/, 'it was reached, and what it said was no review');
  await server.transport().request({ method: 'DELETE', path: `${path}/own` });
});

test('strict validation tells of the metadata of embedded objects last', async () => {
  const embedded = {
    type: 'object',
    'x-kubernetes-embedded-resource': true,
    'x-kubernetes-preserve-unknown-fields': true,
  };
  const openAPIV3Schema = { type: 'object', properties: { spec: { type: 'object', properties: { a: embedded } } } };
  const names = { plural: 'boxes', singular: 'box', kind: 'Box', listKind: 'BoxList' };
  const versions = [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }];
  const kind = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
  const spec = { group: 'boxes.example.com', scope: 'Cluster', names, versions };
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const definition = { ...kind, metadata: { name: 'boxes.boxes.example.com' }, spec };
  await server.transport().request({ method: 'POST', path, body: definition });
  const a = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'in', other: 1 } };
  const box = { apiVersion: 'boxes.example.com/v1', kind: 'Box', metadata: { name: 'b', x: 1 }, spec: { a, zz: 1 } };
  const create = (): Promise<string> =>
    server
      .transport()
      .request({
        method: 'POST',
        path: '/apis/boxes.example.com/v1/boxes',
        query: [['fieldValidation', 'Strict']],
        body: box,
      })
      .then(
        () => '',
        (error: Error) => error.message,
      );
  let text = await create();
  for (let n = 0; n < 200 && /not f/.test(text); n++) text = await create();
  const unknown = ['metadata.x', 'spec.zz', 'spec.a.metadata.other'].map(field => `unknown field "${field}"`);
  assert.ok(text.endsWith(unknown.join(', ')), text);
});

test('an init container in place is resized where the node declares that it can', async () => {
  const send = async (method: 'POST' | 'PATCH', path: string, body: object): Promise<string> => {
    const headers = {
      'content-type': method === 'PATCH' ? 'application/strategic-merge-patch+json' : 'application/json',
    };
    try {
      await server.transport().request({ method, path, headers, body: Buffer.from(JSON.stringify(body)) });
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  const init = (cpu: string): object => ({ name: 'i', image: 'i', resources: { requests: { cpu } } });
  const pods = '/api/v1/namespaces/default/pods';
  const pod = { containers: [{ name: 'c', image: 'c' }], initContainers: [init('1')], nodeName: 'declaring' };
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  assert.equal(await send('POST', accounts, { metadata: { name: 'default' } }), '');
  assert.equal(await send('POST', '/api/v1/nodes', { metadata: { name: 'declaring' } }), '');
  const status = (declaredFeatures: readonly string[]): Promise<string> =>
    send('PATCH', '/api/v1/nodes/declaring/status', { status: { allocatable: { cpu: '4' }, declaredFeatures } });
  assert.equal(await status([]), '');
  assert.equal(await send('POST', pods, { metadata: { name: 'resized' }, spec: pod }), '');
  const resize = (): Promise<string> =>
    send('PATCH', `${pods}/resized/resize`, { spec: { initContainers: [init('2')] } });
  const feature = 'InPlacePodVerticalScalingInitContainers';
  assert.equal(
    await resize(),
    `pods "resized" is forbidden: pod update requires features ${feature} which are not available on node "declaring"`,
  );
  assert.equal(await status([feature]), '');
  assert.equal(await resize(), '');
});

test('what is written in one version of a custom kind is shown to webhooks of the other', async () => {
  const openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const version = (name: string, storage: boolean): object => ({
    name,
    served: true,
    storage,
    schema: { openAPIV3Schema },
  });
  const group = 'bears.example.com';
  const names = { plural: 'pandas', singular: 'panda', kind: 'Panda', listKind: 'PandaList' };
  const spec = { group, scope: 'Cluster', names, versions: [version('v1', false), version('v2', true)] };
  await server.transport().request({
    method: 'POST',
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    body: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `pandas.${group}` },
      spec,
    },
  });
  const hook = (of: string): object => ({
    name: `${of}.example.com`,
    rules: [{ apiGroups: [group], apiVersions: [of], operations: ['CREATE'], resources: ['*/*'] }],
    clientConfig: { url: 'https://127.0.0.1:1/' },
    matchPolicy: 'Equivalent',
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    matchConditions: [{ name: 'own', expression: `object.apiVersion == '${group}/${of}'` }],
  });
  await server.transport().request({
    method: 'POST',
    path: '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
    body: {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'bears' },
      webhooks: [hook('v2')],
    },
  });
  const create = async (n: number): Promise<string> => {
    const body = { apiVersion: `${group}/v1`, kind: 'Panda', metadata: { name: `panda-${n}` } };
    const path = `/apis/${group}/v1/pandas`;
    return server
      .transport()
      .request({ method: 'POST', path, body })
      .then(
        () => '',
        (error: Error) => error.message,
      );
  };
  let answer = '';
  for (let n = 0; n < 500 && !answer.includes('webhook'); n++) answer = await create(n); // both are learned from watches
  assert.match(answer, /failed calling webhook "v2\.example\.com"/);
});

test('a definition in a version that is built in takes nothing from it', async () => {
  const annotations = { 'api-approved.kubernetes.io': 'unapproved, testing only' };
  const schema = { openAPIV3Schema: { type: 'object' } };
  const versions = [
    { name: 'v1', served: true, storage: true, schema },
    { name: 'vfake', served: true, storage: false, schema },
  ];
  const define = async (plural: string, kind: string): Promise<void> => {
    const names = { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` };
    const spec = { group: 'networking.k8s.io', scope: 'Namespaced', names, versions };
    const metadata = { name: `${plural}.networking.k8s.io`, annotations };
    const body = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata, spec };
    await server.transport().request({
      method: 'POST',
      path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      body,
    });
  };
  await define('bars', 'Bar');
  await define('ingresses', 'Ingress');
  const listed = async (version: string): Promise<readonly string[]> => {
    const answer = await server
      .transport()
      .request({ method: 'GET', path: `/apis/networking.k8s.io/${version}` })
      .catch(() => undefined);
    const { resources } = ((await answer?.json()) ?? { resources: [] }) as { resources: { name: string }[] };
    return resources.map(({ name }) => name);
  };
  for (let n = 0; n < 500 && (await listed('vfake')).length < 2; n++)
    await server.transport().request({ method: 'GET', path: '/version' });
  assert.deepEqual([...(await listed('vfake'))].sort(), ['bars', 'ingresses']);
  const own = await listed('v1');
  for (const name of ['networkpolicies', 'ingresses/status']) assert.ok(own.includes(name), own.join());
  assert.ok(!own.includes('bars'));
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ingresses.networking.k8s.io';
  await server.transport().request({ method: 'DELETE', path });
  for (let n = 0; n < 500 && (await listed('vfake')).length > 1; n++)
    await server.transport().request({ method: 'GET', path: '/version' });
  const ingresses = await server.transport().request({ method: 'GET', path: '/apis/networking.k8s.io/v1/ingresses' });
  assert.equal(((await ingresses.json()) as { kind: string }).kind, 'IngressList');
});

test('a table of a watch with a wrong includeObject, and the export of long ago, are refused', async () => {
  const refused = (path: string, query: ReadonlyArray<readonly [string, string]>, accept: string): Promise<string> =>
    server
      .transport()
      .request({ method: 'GET', path, query, headers: { accept } })
      .then(
        () => '',
        (error: Error) => error.message,
      );
  const accept = 'application/json;as=Table;g=meta.k8s.io;v=v1';
  const watch = [
    ['watch', 'true'],
    ['includeObject', 'unrecognized'],
  ] as const;
  const why = `Invalid value: "unrecognized": must be 'Metadata', 'Object', 'None', or empty`;
  assert.ok((await refused('/api/v1/services', watch, accept)).includes(why));
  const message = 'the export parameter, deprecated since v1.14, is no longer supported';
  const path = '/api/v1/namespaces/default';
  assert.equal(await refused(path, [['export', 'true']], 'application/json'), message);
  assert.equal(await refused(path, [['export', 'false']], 'application/json'), '');
});

test('an embedded object has metadata when it is applied, whatever its schema says of that', async () => {
  const properties = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' } };
  const embedded = { type: 'object', 'x-kubernetes-embedded-resource': true, properties };
  const openAPIV3Schema = { type: 'object', properties: { inner: embedded } };
  const names = { plural: 'shells', singular: 'shell', kind: 'Shell', listKind: 'ShellList' };
  const versions = [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }];
  await server.transport().request({
    method: 'POST',
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    body: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'shells.shells.example.com' },
      spec: { group: 'shells.example.com', scope: 'Cluster', names, versions },
    },
  });
  const inner = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'pearl' } };
  const shell = { apiVersion: 'shells.example.com/v1', kind: 'Shell', metadata: { name: 's' }, inner };
  const apply = (): Promise<string> =>
    server
      .transport()
      .request({
        method: 'PATCH',
        path: '/apis/shells.example.com/v1/shells/s',
        query: [['fieldManager', 'me']],
        headers: { 'content-type': 'application/apply-patch+yaml' },
        body: Buffer.from(JSON.stringify(shell)),
      })
      .then(
        () => '',
        (error: Error) => error.message,
      );
  let answer = await apply();
  for (let n = 0; n < 500 && /not f/.test(answer); n++) answer = await apply();
  assert.equal(answer, '');
});

test('policies hold for the configurations of webhooks, not for policies', async () => {
  const group = 'admissionregistration.k8s.io';
  const post = (resource: string, body: object): Promise<string> =>
    server
      .transport()
      .request({ method: 'POST', path: `/apis/${group}/v1/${resource}`, body })
      .then(
        () => '',
        (error: Error) => error.message,
      );
  const apiVersion = `${group}/v1`;
  const resourceRules = [{ apiGroups: [group], apiVersions: ['*'], operations: ['CREATE'], resources: ['*'] }];
  const spec = { matchConstraints: { resourceRules }, validations: [{ expression: 'false', message: 'never' }] };
  const policy = { apiVersion, kind: 'ValidatingAdmissionPolicy', metadata: { name: 'never' }, spec };
  assert.equal(await post('validatingadmissionpolicies', policy), '');
  const binding = { policyName: 'never', validationActions: ['Deny'] };
  const kind = 'ValidatingAdmissionPolicyBinding';
  await post('validatingadmissionpolicybindings', { apiVersion, kind, metadata: { name: 'never' }, spec: binding });
  const configuration = (n: number): object => ({
    apiVersion,
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: `refused-${n}` },
  });
  let answer = '';
  for (let n = 0; n < 500 && answer === ''; n++)
    answer = await post('validatingwebhookconfigurations', configuration(n));
  assert.match(answer, /denied request: never/);
  assert.equal(await post('validatingadmissionpolicies', { ...policy, metadata: { name: 'another' } }), '');
  for (const resource of ['validatingadmissionpolicybindings', 'validatingadmissionpolicies'])
    await server.transport().request({ method: 'DELETE', path: `/apis/${group}/v1/${resource}/never` });
});
