/**
 * Webhooks of admission, with the webhook in this process. Upstream: test/e2e/apimachinery/webhook.go.
 */
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { CoreV1Api } from '@kubernetes/client-node';
import { eventually } from '../support/kobune.ts';
import { define } from './support/definitions.ts';
import type { Thing } from './support/operations.ts';
import { row, useSubject } from './support/subject.ts';
import { admissionAnswers, startWebhookServer, type WebhookServer } from './support/webhook-server.ts';

const subject = useSubject();
let server: WebhookServer;
before(async () => {
  server = await startWebhookServer(admissionAnswers);
});
after(() => server[Symbol.asyncDispose]());

type Kind = 'Mutating' | 'Validating';
const configMaps = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] };
const pathOf = (kind: Kind): string =>
  `/apis/admissionregistration.k8s.io/v1/${kind.toLowerCase()}webhookconfigurations`;

/** A webhook for the objects of one namespace, or of all where it is empty. */
function hook(namespace: string, path: string, rule: object = configMaps, more: object = {}): any {
  return {
    name: `${path.slice(1).replaceAll('/', '-')}.k8s.io`,
    clientConfig: server.config(path),
    rules: [rule],
    ...(namespace && { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } }),
    sideEffects: 'None',
    admissionReviewVersions: ['v1', 'v1beta1'],
    ...more,
  };
}

/** Registers webhooks and answers the configuration's path; the original takes a moment to obey it. */
async function register(kind: Kind, webhooks: readonly object[], labels: object = {}): Promise<string> {
  const name = subject.unique('webhook');
  const body = { metadata: { name, labels }, webhooks };
  const { status, text } = await subject.request('POST', pathOf(kind), { body });
  assert.equal(status, 201, text);
  return `${pathOf(kind)}/${name}`;
}

const remove = (path: string): Promise<unknown> => subject.request('DELETE', path);
const patch = async (path: string, body: object): Promise<Thing> => {
  const headers = { 'content-type': 'application/merge-patch+json' };
  const { status, text, json } = await subject.request('PATCH', path, { headers, body });
  assert.equal(status, 200, text);
  return json();
};

interface Made {
  readonly status: number;
  readonly message: string;
  readonly object: any;
}

async function make(path: string, body: object, method = 'POST'): Promise<Made> {
  const { status, text, json } = await subject.request(method, path, { body });
  const object = text.startsWith('{') ? json() : {};
  return { status, message: object.message ?? '', object };
}

const configMapPath = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`;
const makeConfigMap = (namespace: string, data: object, name = subject.unique('map')): Promise<Made> =>
  make(configMapPath(namespace), { metadata: { name }, data });
const unwanted = { 'webhook-e2e-test': 'webhook-disallow' };
const start = { 'mutation-start': 'yes' };
const deniedBy = (name: string, why: string): string => `admission webhook "${name}" denied the request: ${why}`;
const noConfigMap = deniedBy('configmaps.k8s.io', 'the configmap contains unwanted key and value');

/** Until the webhook's effect is, or is no longer, seen. */
const settles = (what: string, seen: () => Promise<boolean>): Promise<unknown> =>
  eventually(what, async () => ((await seen()) ? true : undefined));
const isRefused = (namespace: string) => async (): Promise<boolean> =>
  (await makeConfigMap(namespace, unwanted)).status === 400;
const isMutated = (namespace: string) => async (): Promise<boolean> =>
  (await makeConfigMap(namespace, start)).object.data?.['mutation-stage-1'] === 'yes';
const not = (seen: () => Promise<boolean>) => async (): Promise<boolean> => !(await seen());

async function listing(kind: Kind, path: string, seen: (namespace: string) => () => Promise<boolean>): Promise<void> {
  const namespace = await subject.namespace();
  const labels = { list: namespace };
  for (let i = 0; i < 5; i++) await register(kind, [hook(namespace, path)], labels);
  const query = `?labelSelector=list%3D${namespace}`;
  assert.equal((await subject.get(pathOf(kind) + query)).items.length, 5);
  await settles('the webhooks are in force', seen(namespace));
  await subject.request('DELETE', pathOf(kind) + query);
  assert.equal((await subject.get(pathOf(kind) + query)).items.length, 0);
  await settles('the webhooks are gone', not(seen(namespace)));
}

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] listing mutating webhooks should work [Conformance]',
  () => listing('Mutating', '/mutating-configmaps', isMutated),
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] listing validating webhooks should work [Conformance]',
  () => listing('Validating', '/configmaps', isRefused),
);

async function changing(kind: Kind, path: string, seen: (namespace: string) => () => Promise<boolean>): Promise<void> {
  const namespace = await subject.namespace();
  const at = await register(kind, [hook(namespace, path)]);
  await settles('the webhook is in force', seen(namespace));
  const updated = await subject.get(at);
  updated.webhooks[0].rules[0].operations = ['UPDATE'];
  assert.equal((await make(at, updated, 'PUT')).status, 200);
  await settles('creations are not its business', not(seen(namespace)));
  await patch(at, { webhooks: [hook(namespace, path)] });
  await settles('creations are its business again', seen(namespace));
  await remove(at);
}

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] patching/updating a mutating webhook should work [Conformance]',
  () => changing('Mutating', '/mutating-configmaps', isMutated),
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] patching/updating a validating webhook should work [Conformance]',
  () => changing('Validating', '/configmaps', isRefused),
);

async function conditions(kind: Kind): Promise<void> {
  const namespace = await subject.namespace();
  const first = [{ name: 'expression-1', expression: "object.metadata.namespace == 'production'" }];
  const at = await register(kind, [hook(namespace, '/always-deny', configMaps, { matchConditions: first })]);
  const created = await subject.get(at);
  assert.deepEqual(created.webhooks[0].matchConditions, first);
  const second = [...first, { name: 'expression-2', expression: "request.resource.resource == 'configmaps'" }];
  created.webhooks[0].matchConditions = second;
  assert.equal((await make(at, created, 'PUT')).status, 200);
  assert.deepEqual((await subject.get(at)).webhooks[0].matchConditions, second);
  await remove(at);
}

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to create and update mutating webhook configurations with match conditions [Conformance]',
  () => conditions('Mutating'),
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to create and update validating webhook configurations with match conditions [Conformance]',
  () => conditions('Validating'),
);

async function wrongConditions(kind: Kind): Promise<void> {
  const wrong = [{ name: 'wrong', expression: '... [] bad expression' }];
  const webhooks = [hook('none', '/always-deny', configMaps, { matchConditions: wrong })];
  const { status, message } = await make(pathOf(kind), { metadata: { name: subject.unique('wrong') }, webhooks });
  assert.equal(status, 422);
  assert.match(
    message,
    /matchConditions\[0\]\.expression: Invalid value: "\.\.\. \[\] bad expression": compilation failed/,
  );
}

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should reject mutating webhook configurations with invalid match conditions [Conformance]',
  () => wrongConditions('Mutating'),
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should reject validating webhook configurations with invalid match conditions [Conformance]',
  () => wrongConditions('Validating'),
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to deny attaching pod [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    const name = 'to-be-attached-pod';
    const spec = { containers: [{ name: 'container1', image: 'registry.example.com/none:1' }] };
    await subject.api(CoreV1Api).createNamespacedPod({ namespace, body: { metadata: { name }, spec } });
    const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CONNECT'], resources: ['pods/attach'] };
    const at = await register('Validating', [hook(namespace, '/pods/attach', rule)]);
    const attach = `/api/v1/namespaces/${namespace}/pods/${name}/attach?stdin=true&container=container1`;
    const wanted = deniedBy('pods-attach.k8s.io', "attaching to pod 'to-be-attached-pod' is not allowed");
    await settles('attaching is refused', async () => (await make(attach, {})).message === wanted);
    await remove(at);
  },
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to deny custom resource creation, update and deletion [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    await using definition = await define(subject, { scope: 'Namespaced' });
    const rule = {
      apiGroups: [definition.group],
      apiVersions: ['*'],
      operations: ['CREATE', 'UPDATE', 'DELETE'],
      resources: [definition.plural],
    };
    const at = await register('Validating', [hook(namespace, '/custom-resource', rule)]);
    const path = definition.path(namespace);
    const message = deniedBy('custom-resource.k8s.io', 'the custom resource contains unwanted data');
    const create = (name: string, data: object): Promise<Made> => make(path, definition.object(name, { data }));
    await settles(
      'creations are refused',
      async () => (await create(subject.unique('no'), unwanted)).message === message,
    );
    assert.equal((await create('good', { fine: 'yes' })).status, 201);
    const marked = { ...(await subject.get(`${path}/good`)), data: unwanted };
    assert.equal((await make(`${path}/good`, marked, 'PUT')).message, message);
    await patch(at, { webhooks: [hook(namespace, '/custom-resource', { ...rule, operations: ['DELETE'] })] });
    await settles('the mark can be set', async () => (await make(`${path}/good`, marked, 'PUT')).status === 200);
    assert.equal((await make(`${path}/good`, {}, 'DELETE')).message, message);
    await remove(at);
    await settles('it can be deleted', async () => (await subject.request('DELETE', `${path}/good`)).status === 200);
  },
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to deny pod and configmap creation [Conformance]',
  async () => {
    const [namespace, exempt] = await Promise.all([subject.namespace(), subject.namespace()]);
    const pods = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] };
    const both = { ...configMaps, operations: ['CREATE', 'UPDATE', 'DELETE'] };
    const at = await register('Validating', [
      hook(namespace, '/pods', pods),
      hook(namespace, '/configmaps', both),
      hook(namespace, '/slow', configMaps, {
        timeoutSeconds: 1,
        failurePolicy: 'Fail',
        objectSelector: { matchLabels: { slow: 'yes' } },
      }),
    ]);
    const pod = (name: string, labels: object, container = 'c'): Promise<Made> =>
      make(`/api/v1/namespaces/${namespace}/pods`, {
        metadata: { name, labels },
        spec: { containers: [{ name: container, image: 'registry.example.com/none:1' }] },
      });
    const label = deniedBy('pods.k8s.io', 'the pod contains unwanted label');
    await settles('pods are refused', async () => (await pod(subject.unique('no'), unwanted)).message === label);
    const container = deniedBy('pods.k8s.io', 'the pod contains unwanted container name');
    assert.equal((await pod('no', {}, 'webhook-disallow')).message, container);
    const late = await make(configMapPath(namespace), { metadata: { name: 'late', labels: { slow: 'yes' } } });
    assert.match(late.message, /failed calling webhook "slow\.k8s\.io": .*(deadline exceeded|request canceled)/);
    assert.equal((await makeConfigMap(namespace, unwanted)).message, noConfigMap);
    assert.equal((await makeConfigMap(namespace, { fine: 'yes' }, 'fine')).status, 201);
    const update = { ...(await subject.get(`${configMapPath(namespace)}/fine`)), data: unwanted };
    assert.equal((await make(`${configMapPath(namespace)}/fine`, update, 'PUT')).message, noConfigMap);
    const headers = { 'content-type': 'application/merge-patch+json' };
    const changed = await subject.request('PATCH', `${configMapPath(namespace)}/fine`, {
      headers,
      body: { data: unwanted },
    });
    assert.equal(changed.json().message, noConfigMap);
    assert.equal((await makeConfigMap(exempt, unwanted)).status, 201);
    await remove(at);
  },
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should deny crd creation [Conformance]',
  async () => {
    const group = `${subject.unique('denied')}.example.com`;
    const rule = {
      apiGroups: ['apiextensions.k8s.io'],
      apiVersions: ['*'],
      operations: ['CREATE'],
      resources: ['customresourcedefinitions'],
    };
    const only = { objectSelector: { matchLabels: { group } } };
    const at = await register('Validating', [hook('', '/crd', rule, only)]);
    const crd = {
      metadata: { name: `things.${group}`, labels: { ...unwanted, group } },
      spec: {
        group,
        scope: 'Cluster',
        names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    };
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    const message = deniedBy('crd.k8s.io', 'the crd contains unwanted label');
    await settles('the definition is refused', async () => {
      const made = await make(path, crd);
      if (made.status === 201) await remove(`${path}/things.${group}`);
      return made.message === message;
    });
    await remove(at);
  },
);

row('[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should honor timeout [Conformance]', async () => {
  const namespace = await subject.namespace();
  const slow = async (more: object): Promise<Made> => {
    const at = await register('Validating', [hook(namespace, '/slow', configMaps, more)]);
    const made = await eventually('the webhook is asked', async () => {
      const begun = performance.now();
      const answer = await makeConfigMap(namespace, {});
      return performance.now() - begun > 900 ? answer : undefined;
    });
    await remove(at);
    return made;
  };
  const failed = await slow({ timeoutSeconds: 1, failurePolicy: 'Fail' });
  assert.equal(failed.status, 500);
  assert.match(failed.message, /context deadline exceeded/);
  assert.equal((await slow({ timeoutSeconds: 1, failurePolicy: 'Ignore' })).status, 201);
  assert.equal((await slow({ timeoutSeconds: 5, failurePolicy: 'Fail' })).status, 201);
  assert.equal((await slow({ failurePolicy: 'Fail' })).status, 201);
});

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should include webhook resources in discovery documents [Conformance]',
  async () => {
    const { groups } = await subject.get('/apis');
    const group = groups.find((each: { name: string }) => each.name === 'admissionregistration.k8s.io');
    assert.ok(group.versions.some((each: { version: string }) => each.version === 'v1'));
    assert.equal((await subject.get('/apis/admissionregistration.k8s.io')).name, 'admissionregistration.k8s.io');
    const { resources } = await subject.get('/apis/admissionregistration.k8s.io/v1');
    const names = resources.map((each: { name: string }) => each.name);
    for (const kind of ['mutating', 'validating']) assert.ok(names.includes(`${kind}webhookconfigurations`));
  },
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate configmap [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    const both = [1, 2].map(stage => ({ ...hook(namespace, '/mutating-configmaps'), name: `stage-${stage}.k8s.io` }));
    const at = await register('Mutating', both);
    const wanted = { ...start, 'mutation-stage-1': 'yes', 'mutation-stage-2': 'yes' };
    await eventually('both stages are seen', async () => {
      const { object } = await makeConfigMap(namespace, start);
      return object.data['mutation-stage-2'] ? (assert.deepEqual(object.data, wanted) ?? true) : undefined;
    });
    await remove(at);
  },
);

/** Makes objects of a kind whose creations two webhooks change, until both have. */
async function mutatedCustom(definition: Awaited<ReturnType<typeof define>>, namespace: string): Promise<any> {
  const rule = {
    apiGroups: [definition.group],
    apiVersions: ['*'],
    operations: ['CREATE', 'UPDATE'],
    resources: [definition.plural],
  };
  const both = [1, 2].map(stage => ({
    ...hook(namespace, '/mutating-custom-resource', rule),
    name: `stage-${stage}.k8s.io`,
  }));
  const at = await register('Mutating', both);
  let object: any;
  await settles('a webhook changes it', async () => {
    ({ object } = await make(definition.path(namespace), definition.object(subject.unique('c'), { data: start })));
    return object.data['mutation-stage-1'] === 'yes';
  });
  await remove(at);
  return object;
}

const inStages = { ...start, 'mutation-stage-1': 'yes', 'mutation-stage-2': 'yes' };

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate custom resource [Conformance]',
  async () => {
    await using definition = await define(subject, { scope: 'Namespaced' });
    assert.deepEqual((await mutatedCustom(definition, await subject.namespace())).data, inStages);
  },
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate custom resource with pruning [Conformance]',
  async () => {
    const string = { type: 'string' };
    const properties = { 'mutation-start': string, 'mutation-stage-1': string };
    const schema = { type: 'object', properties: { data: { type: 'object', properties } } };
    await using definition = await define(subject, { scope: 'Namespaced', schema });
    const { data } = await mutatedCustom(definition, await subject.namespace());
    assert.deepEqual(data, { ...start, 'mutation-stage-1': 'yes' });
  },
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate custom resource with different stored version [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    await using definition = await define(subject, { scope: 'Namespaced', versions: ['v1', 'v2'] });
    const rule = {
      apiGroups: [definition.group],
      apiVersions: ['v1', 'v2'],
      operations: ['CREATE', 'UPDATE'],
      resources: [definition.plural],
    };
    const at = await register('Mutating', [hook(namespace, '/mutating-custom-resource', rule)]);
    const path = definition.path(namespace);
    await settles('a webhook changes it', async () => {
      const { object } = await make(path, definition.object(subject.unique('c'), { data: start }));
      return object.data['mutation-stage-1'] === 'yes';
    });
    const { object } = await make(path, definition.object('one', { data: {} }));
    assert.deepEqual(object.data, {});
    const crd = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition.plural}.${definition.group}`;
    const { spec } = await subject.get(crd);
    const versions = spec.versions.map((each: { name: string }) => ({ ...each, storage: each.name === 'v2' }));
    await patch(crd, { spec: { versions } });
    const changed = await patch(`${path}/one`, { data: start });
    assert.deepEqual(changed['data'], { ...start, 'mutation-stage-1': 'yes' });
    await remove(at);
  },
);

row(
  "[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate everything except 'skip-me' configmaps [Conformance]",
  async () => {
    const namespace = await subject.namespace();
    const matchConditions = [{ name: 'skip-me', expression: "object.metadata.name != 'skip-me'" }];
    const at = await register('Mutating', [hook(namespace, '/mutating-configmaps', configMaps, { matchConditions })]);
    await settles('others are changed', isMutated(namespace));
    assert.deepEqual((await makeConfigMap(namespace, start, 'skip-me')).object.data, start);
    await remove(at);
  },
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate pod and apply defaults after mutation [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] };
    const at = await register('Mutating', [hook(namespace, '/mutating-pods', rule)]);
    const spec = { containers: [{ name: 'c', image: 'registry.example.com/none:1' }] };
    const body = { metadata: { name: '' }, spec };
    const pod = await eventually('the pod is changed', async () => {
      const made = await make(`/api/v1/namespaces/${namespace}/pods`, {
        ...body,
        metadata: { name: subject.unique('p') },
      });
      return made.object.spec.initContainers ? made.object : undefined;
    });
    const [added] = pod.spec.initContainers;
    assert.equal(added.name, 'webhook-added-init-container');
    assert.equal(added.terminationMessagePolicy, 'File');
    await remove(at);
  },
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should not be able to mutate or prevent deletion of webhook configuration objects [Conformance]',
  async () => {
    const rule = {
      apiGroups: ['admissionregistration.k8s.io'],
      apiVersions: ['*'],
      operations: ['*'],
      resources: ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'],
    };
    const denying = await register('Validating', [hook('', '/always-deny', rule, { failurePolicy: 'Fail' })]);
    const labelling = await register('Mutating', [hook('', '/add-label', rule, { failurePolicy: 'Fail' })]);
    for (const kind of ['Validating', 'Mutating'] as const) {
      const at = await register(kind, [hook('none', '/always-deny')]);
      const { metadata } = await subject.get(at);
      assert.equal(metadata.labels?.['added-label'], undefined);
      assert.equal((await subject.request('DELETE', at)).status, 200);
    }
    await remove(denying);
    await remove(labelling);
  },
);

row(
  '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should unconditionally reject operations on fail closed webhook [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    const nobody = { url: 'https://127.0.0.1:1/configmaps', caBundle: server.caBundle };
    const more = { clientConfig: nobody, failurePolicy: 'Fail' };
    const at = await register('Validating', [hook(namespace, '/configmaps', configMaps, more)]);
    await settles('everything is refused', async () => {
      const { status, message } = await makeConfigMap(namespace, { fine: 'yes' });
      return status === 500 && message.includes('failed calling webhook');
    });
    await remove(at);
  },
);
