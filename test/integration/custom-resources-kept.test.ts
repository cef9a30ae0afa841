/**
 * What custom resources keep, and what becomes of them as their definitions change: integers, nulls, defaults, watches,
 * bundles.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ApiRequest, Transport } from '#client';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { definers, definitions, refused, specOf, type Tree, thing, version } from '../support/custom-resources.ts';
import { eventually } from '../support/eventually.ts';

let server: TestApiServer;
let transport: Transport;

before(async () => {
  server = await startTestApiServer({ controllers: true });
  transport = server.transport();
  await post('/api/v1/namespaces', { metadata: { name: 'a' } });
});
after(() => server[Symbol.asyncDispose]());

const { ask, get, post, patch, define } = definers(() => transport);

test('integers that no double holds stay what they are, whoever writes, patches, shows or admits them', async () => {
  const group = 'wide.example.com';
  const base = await define(group, [
    version({
      name: 'v1',
      schema: specOf({ n: { type: 'integer', format: 'int64' }, m: { type: 'integer' } }),
      additionalPrinterColumns: [{ name: 'N', type: 'integer', jsonPath: '.spec.n' }],
    }),
  ]);
  const path = `${base}/v1/namespaces/a/things`;
  const text = async (request: Partial<ApiRequest>, at = `${path}/wide`): Promise<string> => {
    const answer = await transport.request({ method: 'GET', path: at, ...request });
    return Buffer.concat(await Array.fromAsync(answer.bytes())).toString();
  };
  const policy = { name: 'wide', generation: 1 };
  await post('/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies', {
    metadata: policy,
    spec: {
      matchConstraints: {
        resourceRules: [{ apiGroups: [group], apiVersions: ['v1'], resources: ['things'], operations: ['*'] }],
      },
      validations: [{ expression: 'object.spec.n == 9223372036854775807' }],
    },
  });
  await post('/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings', {
    metadata: { name: 'wide' },
    spec: { policyName: 'wide', validationActions: ['Deny'] },
  });
  const wide = /"?n"?: ?9223372036854775807/;
  const whole = `{"apiVersion":"${group}/v1","kind":"Thing","metadata":{"name":"wide"},"spec":{"n":9223372036854775807}}`;
  const json = { 'content-type': 'application/json' };
  assert.match(await text({ method: 'POST', body: Buffer.from(whole), headers: json }, path), wide);
  const merge = { 'content-type': 'application/merge-patch+json' };
  assert.match(await text({ method: 'PATCH', body: Buffer.from('{"spec":{"m":1}}'), headers: merge }), wide);
  const operations = '[{"op":"replace","path":"/spec/m","value":2}]';
  const jsonPatch = { 'content-type': 'application/json-patch+json' };
  assert.match(await text({ method: 'PATCH', body: Buffer.from(operations), headers: jsonPatch }), wide);
  const apply = {
    headers: { 'content-type': 'application/apply-patch+yaml' },
    query: [['fieldManager', 'other']] as [string, string][],
  };
  assert.match(await text({ method: 'PATCH', body: Buffer.from(whole), ...apply }), wide);
  assert.match(await text({ query: [['pretty', '1']] }), wide);
  assert.match(await text({ headers: { accept: 'application/yaml' } }), wide);
  assert.match(await text({ query: [['pretty', '1']] }, path), wide);
  const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
  assert.match(await text({ headers: table }), /"cells":\["wide",9223372036854775807\]/);
});

test('a null that an applied configuration leaves where none may stand is refused', async () => {
  const group = 'nulls.example.com';
  const inner = { type: 'object', properties: { a: { type: 'string' } } };
  const base = await define(group, [version({ name: 'v1', schema: specOf({ inner }) })]);
  const path = `${base}/v1/namespaces/a/things/one`;
  const apply = (spec: Tree): Promise<Tree> =>
    ask({
      method: 'PATCH',
      path,
      body: thing(group, 'one', spec),
      headers: { 'content-type': 'application/apply-patch+yaml' },
      query: [['fieldManager', 'm']],
    });
  await apply({ inner: { a: '1' } });
  const { code, message } = await refused(apply({ inner: null }));
  assert.equal(code, 422);
  assert.match(message, /spec\.inner: Invalid value: "null": spec\.inner in body must be of type object: "null"/);
});

test('a watch ends when the definition of what it watches changes', async () => {
  const group = 'changing.example.com';
  const base = await define(group, [version({ name: 'v1' })]);
  const watch = await transport.request({ method: 'GET', path: `${base}/v1/things`, query: [['watch', '1']] });
  const seen: string[] = [];
  const ended = (async () => {
    for await (const { type } of watch.events()) seen.push(type);
  })();
  const versions = [version({ name: 'v1' }), version({ name: 'v2' })].map((each, at) => ({
    ...each,
    storage: at === 0,
  }));
  await patch(`${definitions}/things.${group}`, { spec: { versions } });
  await ended;
  assert.deepEqual(seen, []);
});

test('defaults are filled in without what is unknown in the metadata of embedded objects', async () => {
  const group = 'embedding.example.com';
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', unknown: 'y' } };
  const whole = {
    type: 'object',
    'x-kubernetes-embedded-resource': true,
    'x-kubernetes-preserve-unknown-fields': true,
  };
  const base = await define(group, [version({ name: 'v1', schema: specOf({ pod: { ...whole, default: pod } }) })]);
  const made = await post(`${base}/v1/namespaces/a/things`, thing(group, 'one', {}));
  assert.deepEqual(made['spec'].pod.metadata, { name: 'x' });
});

test('a definition whose conversion webhook has a bundle that cannot be read is not established', async () => {
  const group = 'unreadable.example.com';
  const caBundle = Buffer.from('-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----').toString('base64');
  const clientConfig = { url: 'https://127.0.0.1:1/convert', caBundle };
  const webhook = { clientConfig, conversionReviewVersions: ['v1'] };
  await post(definitions, {
    metadata: { name: `things.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'things', kind: 'Thing' },
      versions: [{ ...version({ name: 'v1' }), storage: true }],
      conversion: { strategy: 'Webhook', webhook },
    },
  });
  const wanted = ['False', 'InvalidCABundle', 'The conversion webhook CABundle is invalid'];
  const found = await eventually('the definition is judged', async () => {
    const { status } = await get(`${definitions}/things.${group}`);
    const condition = status?.conditions?.find((each: Tree) => each['type'] === 'Established');
    return condition?.reason === 'Installing' ? undefined : condition;
  });
  assert.deepEqual([found.status, found.reason, found.message], wanted);
});
