/**
 * Custom resources through real clients: requests over HTTPS, and kubectl where what people see is the point. Named by
 * behaviour; what single answers look like in all detail is held against the recorded answers (test/oracle).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { systemClock } from '#base';
import type { ApiRequest, Transport } from '#client';
import { createAuthority } from '#pki';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { definers, definitions, refused, specOf, type Tree, thing, version } from '../support/custom-resources.ts';
import { kubectls } from '../support/kobune.ts';

const run = promisify(execFile);

let server: TestApiServer;
let transport: Transport;

before(async () => {
  server = await startTestApiServer({ controllers: true });
  transport = server.transport();
  await post('/api/v1/namespaces', { metadata: { name: 'a' } });
});
after(() => server[Symbol.asyncDispose]());

const { ask, get, post, put, remove, patch, define, established } = definers(() => transport);

test('what the schema does not know is pruned, what it defaults is filled in, and both on reading too', async () => {
  const group = 'prune.example.com';
  const base = await define(group, [version({ name: 'v1', schema: specOf({ a: { type: 'string' } }) })]);
  const path = `${base}/v1/namespaces/a/things`;
  const made = await post(path, thing(group, 'x', { a: '1', b: '2' }));
  assert.deepEqual(made['spec'], { a: '1' });
  const crd = await get(`${definitions}/things.${group}`);
  const schema = specOf({ b: { type: 'integer', default: 7 } });
  crd['spec'].versions = [version({ name: 'v1', schema, storage: true })];
  await put(`${definitions}/things.${group}`, crd);
  let shown = await get(`${path}/x`);
  for (let n = 0; n < 50 && shown['spec'].b === undefined; n++) shown = await get(`${path}/x`);
  assert.deepEqual(shown['spec'], { b: 7 });
  assert.deepEqual((await get(path))['items'][0].spec, { b: 7 });
  await remove(`${definitions}/things.${group}`);
});

test('the generation rises with what is not metadata, and empty maps are kept', async () => {
  const group = 'generation.example.com';
  const map = { type: 'object', additionalProperties: { type: 'integer' } };
  const base = await define(group, [version({ name: 'v1', schema: specOf({ m: map }) })]);
  const path = `${base}/v1/namespaces/a/things`;
  await post(path, thing(group, 'x', { m: {} }));
  const labelled = await patch(`${path}/x`, { metadata: { labels: { a: 'b' } } });
  assert.deepEqual([labelled['metadata'].generation, labelled['spec']], [1, { m: {} }]);
  assert.equal((await patch(`${path}/x`, { spec: { m: { n: 1 } } }))['metadata'].generation, 2);
});

test('strict field validation refuses unknown and duplicate fields', async () => {
  const group = 'strict.example.com';
  const base = await define(group, [version({ name: 'v1', schema: specOf({ a: { type: 'string' } }) })]);
  const path = `${base}/v1/namespaces/a/things`;
  const body = Buffer.from(
    `{"apiVersion":"${group}/v1","kind":"Thing","metadata":{"name":"x"},"spec":{"a":"1","a":"2","zz":1}}`,
  );
  const request: ApiRequest = {
    method: 'POST',
    path,
    query: [['fieldValidation', 'Strict']],
    headers: { 'content-type': 'application/json' },
    body,
  };
  const { code, message } = await refused(ask(request));
  assert.equal(code, 400);
  assert.match(message, /strict decoding error: duplicate field "spec.a", unknown field "spec.zz"/);
});

test('selectable fields narrow lists and watches, which objects enter and leave', async () => {
  const group = 'select.example.com';
  const schema = specOf({ color: { type: 'string' } });
  const base = await define(group, [version({ name: 'v1', schema, selectableFields: [{ jsonPath: '.spec.color' }] })]);
  const path = `${base}/v1/namespaces/a/things`;
  await post(path, thing(group, 'one', { color: 'red' }));
  await post(path, thing(group, 'two', { color: 'blue' }));
  const red: [string, string][] = [['fieldSelector', 'spec.color=red']];
  const list = await ask({ method: 'GET', path, query: red });
  assert.deepEqual(
    list['items'].map((item: Tree) => item['metadata'].name),
    ['one'],
  );
  const end = new AbortController();
  const query: [string, string][] = [...red, ['watch', '1'], ['resourceVersion', list['metadata'].resourceVersion]];
  const watch = await transport.request({ method: 'GET', path, query, signal: end.signal });
  const events = watch.events()[Symbol.asyncIterator]();
  await patch(`${path}/two`, { spec: { color: 'red' } });
  await patch(`${path}/one`, { spec: { color: 'blue' } });
  const seen = [(await events.next()).value, (await events.next()).value];
  end.abort();
  assert.deepEqual(
    seen.map(event => [event!.type, (event!.object as Tree)['metadata'].name]),
    [
      ['ADDED', 'two'],
      ['DELETED', 'one'],
    ],
  );
  const { message } = await refused(ask({ method: 'GET', path, query: [['fieldSelector', 'spec.size=1']] }));
  assert.equal(message, 'field label not supported: spec.size');
});

test('rules refuse, tell why by expression, compare with before, and let stand what was so', async () => {
  const group = 'rules.example.com';
  const properties = { a: { type: 'integer', maximum: 1000 }, b: { type: 'string', maxLength: 20 } };
  const rules = [
    { rule: 'self.a < 10', messageExpression: '"a must not be so with " + self.b' },
    { rule: 'self.a >= oldSelf.a', message: 'a never falls', reason: 'FieldValueForbidden', fieldPath: '.a' },
  ];
  const base = await define(group, [
    version({ name: 'v1', schema: specOf(properties, { 'x-kubernetes-validations': rules }) }),
  ]);
  const path = `${base}/v1/namespaces/a/things`;
  const tooLarge = await refused(post(path, thing(group, 'x', { a: 10, b: 'b' })));
  assert.equal(tooLarge.message, `Thing.${group} "x" is invalid: spec: Invalid value: a must not be so with b`);
  await post(path, thing(group, 'x', { a: 5 }));
  const fell = await refused(patch(`${path}/x`, { spec: { a: 4 } }));
  assert.equal(fell.message, `Thing.${group} "x" is invalid: spec.a: Forbidden: a never falls`);
  const crd = await get(`${definitions}/things.${group}`);
  const stricter = [{ rule: 'self.a < 3', message: 'small only' }];
  crd['spec'].versions[0].schema.openAPIV3Schema = specOf(properties, { 'x-kubernetes-validations': stricter });
  await put(`${definitions}/things.${group}`, crd);
  // The new rule is there once a new object is refused by it.
  for (let n = 0; n < 50; n++) {
    try {
      const trial = { method: 'POST', path, query: [['dryRun', 'All']], body: thing(group, 'y', { a: 5 }) } as const;
      await ask(trial);
    } catch {
      break;
    }
  }
  await patch(`${path}/x`, { metadata: { labels: { touched: 'yes' } } });
  const changed = await refused(patch(`${path}/x`, { spec: { b: 'new' } }));
  assert.match(changed.message, /small only/);
});

test('rules are not asked of an object without a name, and the refusal says so', async () => {
  const rule = { 'x-kubernetes-validations': [{ rule: 'self.a == "x"' }] };
  const schema = specOf({ a: { type: 'string', maxLength: 9 } }, rule);
  const base = await define('nameless.example.com', [version({ name: 'v1', schema })]);
  const { metadata: _, ...nameless } = thing('nameless.example.com', '', { a: 'y' });
  const { code, message } = await refused(post(`${base}/v1/namespaces/a/things`, nameless));
  assert.equal(code, 422);
  const required = 'metadata.name: Required value: name or generateName is required';
  const unchecked =
    '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
  assert.ok(message.endsWith(`is invalid: [${required}, ${unchecked}]`), message);
});

test('an object of another kind is asked of by rules all the same, and named as it names itself', async () => {
  const rule = { 'x-kubernetes-validations': [{ rule: 'self.a == "x"', message: 'not x' }] };
  const schema = specOf({ a: { type: 'string', maxLength: 9 } }, rule);
  const base = await define('miscalled.example.com', [version({ name: 'v1', schema })]);
  const other = { ...thing('miscalled.example.com', 'n', { a: 'y' }), kind: 'Other' };
  const { message } = await refused(post(`${base}/v1/namespaces/a/things`, other));
  const problems = '[kind: Invalid value: "Other": must be Thing, spec: Invalid value: not x]';
  assert.equal(message, `Other.miscalled.example.com "n" is invalid: ${problems}`);
});

test('a definition with a rule that costs too much is refused', async () => {
  const rule = 'self.all(x, self.all(y, x == y))';
  const list = { type: 'array', items: { type: 'string' }, 'x-kubernetes-validations': [{ rule }] };
  const spec = {
    group: 'cost.example.com',
    scope: 'Cluster',
    names: { plural: 'things', kind: 'Thing' },
    versions: [version({ name: 'v1', storage: true, schema: specOf({ l: list }) })],
  };
  const { message } = await refused(post(definitions, { metadata: { name: 'things.cost.example.com' }, spec }));
  assert.match(message, /estimated rule cost exceeds budget by factor of more than 100x/);
});

test('scale is read, written and patched, refused as an applied configuration as upstream does, and shown as a table', async () => {
  const group = 'scale.example.com';
  const schema = {
    type: 'object',
    properties: {
      spec: { type: 'object', properties: { replicas: { type: 'integer' } } },
      status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' } } },
    },
  };
  const paths = {
    specReplicasPath: '.spec.replicas',
    statusReplicasPath: '.status.replicas',
    labelSelectorPath: '.status.selector',
  };
  const base = await define(group, [version({ name: 'v1', schema, subresources: { status: {}, scale: paths } })]);
  const path = `${base}/v1/namespaces/a/things`;
  await post(path, thing(group, 'x', { replicas: 1 }));
  await patch(`${path}/x/status`, { status: { replicas: 1, selector: 'app=x' } });
  const scale = await get(`${path}/x/scale`);
  assert.deepEqual([scale['spec'], scale['status']], [{ replicas: 1 }, { replicas: 1, selector: 'app=x' }]);
  await put(`${path}/x/scale`, { ...scale, spec: { replicas: 3 } });
  assert.equal((await patch(`${path}/x/scale`, { spec: { replicas: 4 } }))['spec'].replicas, 4);
  const applied = await refused(
    ask({
      method: 'PATCH',
      path: `${path}/x/scale`,
      query: [
        ['fieldManager', 'applier'],
        ['force', 'true'],
      ],
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: Buffer.from(
        'apiVersion: autoscaling/v1\nkind: Scale\nmetadata: {name: x, namespace: a}\nspec: {replicas: 5}\n',
      ),
    }),
  );
  const why = 'request to convert CR to an invalid group/version: autoscaling/v1';
  assert.deepEqual(applied, {
    code: 500,
    message: `failed to convert new object (a/x; autoscaling/v1, Kind=Scale) to proper version: ${why}`,
  });
  assert.equal((await get(`${path}/x`))['spec'].replicas, 4);
  const table = await ask({
    method: 'GET',
    path: `${path}/x/scale`,
    headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' },
  });
  assert.deepEqual(
    table['columnDefinitions'].map((column: Tree) => column['name']),
    ['Name', 'Desired', 'Available', 'Age'],
  );
  assert.deepEqual(table['rows'][0].cells.slice(0, 3), ['x', 4, 1]);
});

interface Webhook extends AsyncDisposable {
  readonly url: string;
  readonly caBundle: string;
  /** What answers a review; changed by tests. */
  answer: (request: Tree) => Tree;
  /** How many reviews came. */
  calls: number;
}

/** A webhook that moves `spec.size` of v1 to `spec.dimensions.size` of v2 and back. */
function movedSize(request: Tree): Tree {
  const convertedObjects = request['objects'].map((object: Tree) => {
    // Fields whose owners are told may have been taken out.
    const size = object['spec']?.size ?? object['spec']?.dimensions?.size;
    const moved = request['desiredAPIVersion'].endsWith('/v2') ? { dimensions: { size } } : { size };
    return { ...object, apiVersion: request['desiredAPIVersion'], spec: moved };
  });
  return { uid: request['uid'], result: { status: 'Success' }, convertedObjects };
}

async function startWebhook(): Promise<Webhook> {
  const nowMs = systemClock.now();
  const authority = await createAuthority('webhook-ca', nowMs);
  const { certPem, keyPem } = await authority.issue({
    commonName: 'webhook',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
    usages: ['server auth'],
    nowMs,
  });
  const webhook = { answer: movedSize, calls: 0 };
  const https: Server = createServer({ cert: certPem, key: keyPem }, (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', part => parts.push(part));
    request.on('end', () => {
      webhook.calls++;
      const review = JSON.parse(Buffer.concat(parts).toString()) as Tree;
      const { apiVersion, kind } = review;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ apiVersion, kind, response: webhook.answer(review['request']) }));
    });
  });
  await new Promise<void>(resolve => https.listen(0, '127.0.0.1', resolve));
  const { port } = https.address() as AddressInfo;
  return Object.assign(webhook, {
    url: `https://127.0.0.1:${port}/convert`,
    caBundle: Buffer.from(authority.certPem).toString('base64'),
    async [Symbol.asyncDispose]() {
      https.closeAllConnections();
      await new Promise(resolve => https.close(resolve));
    },
  });
}

function converted(webhook: Pick<Webhook, 'url' | 'caBundle'>): Tree {
  const { url, caBundle } = webhook;
  return {
    conversion: {
      strategy: 'Webhook',
      webhook: { conversionReviewVersions: ['v1'], clientConfig: { url, caBundle } },
    },
  };
}

const sizes = [
  version({ name: 'v1', storage: true, schema: specOf({ size: { type: 'string' } }) }),
  version({
    name: 'v2',
    schema: specOf({ dimensions: { type: 'object', properties: { size: { type: 'string' } } } }),
    selectableFields: [{ jsonPath: '.spec.dimensions.size' }],
  }),
];

test('a webhook converts what is created, read, listed, watched, selected and changed in another version', async () => {
  await using webhook = await startWebhook();
  const group = 'webhook.example.com';
  const base = await define(group, sizes, converted(webhook));
  const [v1, v2] = [`${base}/v1/namespaces/a/things`, `${base}/v2/namespaces/a/things`];
  await post(v1, thing(group, 'x', { size: 'L' }));
  assert.equal(webhook.calls, 0, 'the stored version needs no conversion');
  assert.deepEqual((await get(`${v2}/x`))['spec'], { dimensions: { size: 'L' } });
  const made = await post(v2, thing(group, 'y', { dimensions: { size: 'M' } }, 'v2'));
  assert.deepEqual([made['apiVersion'], made['spec']], [`${group}/v2`, { dimensions: { size: 'M' } }]);
  assert.deepEqual((await get(`${v1}/y`))['spec'], { size: 'M' });
  const list = await get(v2);
  assert.deepEqual(
    list['items'].map((item: Tree) => item['spec'].dimensions.size),
    ['L', 'M'],
  );
  const selected = await ask({ method: 'GET', path: v2, query: [['fieldSelector', 'spec.dimensions.size=M']] });
  assert.deepEqual(
    selected['items'].map((item: Tree) => item['metadata'].name),
    ['y'],
  );
  const end = new AbortController();
  const query: [string, string][] = [
    ['watch', '1'],
    ['resourceVersion', list['metadata'].resourceVersion],
  ];
  const watch = await transport.request({ method: 'GET', path: v2, query, signal: end.signal });
  const events = watch.events()[Symbol.asyncIterator]();
  const patched = await patch(`${v2}/x`, { spec: { dimensions: { size: 'XL' } } });
  assert.deepEqual(patched['spec'], { dimensions: { size: 'XL' } });
  const event = (await events.next()).value!;
  end.abort();
  assert.equal(event.type, 'MODIFIED');
  assert.deepEqual((event.object as Tree)['spec'], { dimensions: { size: 'XL' } });
  assert.deepEqual((await get(`${v1}/x`))['spec'], { size: 'XL' });
});

test('what a webhook may not do, and one that does not answer, are told in upstream words', async () => {
  await using webhook = await startWebhook();
  const group = 'broken.example.com';
  const base = await define(group, sizes, converted(webhook));
  const v2 = `${base}/v2/namespaces/a/things`;
  await post(`${base}/v1/namespaces/a/things`, thing(group, 'x', { size: 'L' }));
  const about = `conversion webhook for ${group}/v1, Kind=Thing`;
  const answers: readonly [Webhook['answer'], string][] = [
    [({ uid }) => ({ uid, result: { status: 'Failure', message: 'no' } }), `${about} failed: no`],
    [({ uid }) => ({ uid, result: { status: 'Success' } }), `${about} returned 0 objects, expected 1`],
    [() => ({ uid: 'other', result: { status: 'Success' } }), `${about} failed: expected response.uid=`],
    [
      ({ uid, objects }) => ({ uid, result: { status: 'Success' }, convertedObjects: objects }),
      `${about} returned invalid object at index 0: invalid groupVersion (expected ${group}/v2, received ${group}/v1)`,
    ],
    [
      request => {
        const made = movedSize(request);
        made['convertedObjects'][0].metadata = { ...made['convertedObjects'][0].metadata, name: 'z' };
        return made;
      },
      `${about} returned invalid object: must have the same name: x != z`,
    ],
  ];
  for (const [answer, text] of answers) {
    webhook.answer = answer;
    const { code, message } = await refused(get(`${v2}/x`));
    assert.equal(code, 500);
    assert.ok(message.startsWith(text), `${message}\nis not\n${text}`);
  }
  const { url } = webhook;
  await webhook[Symbol.asyncDispose]();
  const { message } = await refused(get(`${v2}/x`));
  const { host } = new URL(url);
  assert.equal(message, `${about} failed: Post "${url}?timeout=30s": dial tcp ${host}: connect: connection refused`);
});

test('who owns a field is told across versions as the webhook converts', async () => {
  await using webhook = await startWebhook();
  const group = 'across.example.com';
  const base = await define(group, sizes, converted(webhook));
  const apply = (versionName: string, manager: string, spec: Tree): Promise<Tree> =>
    ask({
      method: 'PATCH',
      path: `${base}/${versionName}/namespaces/a/things/x`,
      body: thing(group, 'x', spec, versionName),
      headers: { 'content-type': 'application/apply-patch+yaml' },
      query: [['fieldManager', manager]],
    });
  await apply('v1', 'one', { size: 'L' });
  const { code, message } = await refused(apply('v2', 'two', { dimensions: { size: 'M' } }));
  assert.equal(code, 409);
  assert.match(message, /conflict with "one": \.spec\.size$/);
  const { spec, metadata } = await apply('v2', 'one', { dimensions: { size: 'M' } });
  assert.deepEqual(spec, { dimensions: { size: 'M' } });
  assert.deepEqual(
    metadata.managedFields.map((each: Tree) => [each['manager'], each['apiVersion']]),
    [['one', `${group}/v2`]],
  );
  const replaced = await put(`${base}/v1/namespaces/a/things/x`, {
    ...(await get(`${base}/v1/namespaces/a/things/x`)),
    spec: { size: 'S' },
  });
  assert.deepEqual(replaced['metadata'].managedFields.at(-1).fieldsV1, { 'f:spec': { 'f:size': {} } });
  const one = replaced['metadata'].managedFields.find((each: Tree) => each['manager'] === 'one');
  assert.equal(one?.fieldsV1['f:spec']?.['f:dimensions']?.['f:size'], undefined);
});

test('an apply over fields of a version that is gone fails, an update forgets all owners', async () => {
  const group = 'forgotten.example.com';
  const schema = specOf({ a: { type: 'string' } });
  const base = await define(group, [version({ name: 'v2', schema }), version({ name: 'v1', schema })]);
  await post(`${base}/v1/namespaces/a/things`, thing(group, 'x', { a: '1' }, 'v1'));
  await patch(`${definitions}/things.${group}`, {
    spec: { versions: [{ ...version({ name: 'v2', schema }), storage: true }] },
  });
  const path = `${base}/v2/namespaces/a/things/x`;
  const { code, message } = await refused(
    ask({
      method: 'PATCH',
      path,
      body: thing(group, 'x', { a: '2' }, 'v2'),
      headers: { 'content-type': 'application/apply-patch+yaml' },
      query: [['fieldManager', 'one']],
    }),
  );
  assert.equal(code, 500);
  assert.equal(message, `request to convert CR to an invalid group/version: ${group}/v1`);
  assert.equal((await patch(path, { spec: { a: '3' } }))['metadata'].managedFields, undefined);
});

test('a webhook whose certificate nobody signed is not asked', async () => {
  await using webhook = await startWebhook();
  const other = await createAuthority('other-ca', systemClock.now());
  const group = 'unsigned.example.com';
  const caBundle = Buffer.from(other.certPem).toString('base64');
  const base = await define(group, sizes, converted({ url: webhook.url, caBundle }));
  const { code, message } = await refused(
    post(`${base}/v2/namespaces/a/things`, thing(group, 'x', { dimensions: { size: 'L' } }, 'v2')),
  );
  assert.equal(code, 500);
  assert.match(message, /x509: certificate signed by unknown authority$/);
  assert.equal(webhook.calls, 0);
});

test('without a webhook versions differ in their name alone, and another version may become the stored one', async () => {
  const group = 'versions.example.com';
  const schema = specOf({ a: { type: 'string' } });
  const base = await define(group, [version({ name: 'v1', schema }), version({ name: 'v2', schema })]);
  await post(`${base}/v1/namespaces/a/things`, thing(group, 'x', { a: '1' }));
  assert.equal((await get(`${base}/v2/namespaces/a/things/x`))['apiVersion'], `${group}/v2`);
  const name = `things.${group}`;
  const crd = await get(`${definitions}/${name}`);
  for (const each of crd['spec'].versions) each.storage = each.name === 'v2';
  assert.deepEqual((await put(`${definitions}/${name}`, crd))['status'].storedVersions, ['v1', 'v2']);
  const shown = await get(`${base}/v1/namespaces/a/things/x`);
  assert.deepEqual([shown['apiVersion'], shown['spec']], [`${group}/v1`, { a: '1' }]);
  // A write without a change moves it to the stored version.
  const moved = await put(`${base}/v1/namespaces/a/things/x`, shown);
  assert.notEqual(moved['metadata'].resourceVersion, shown['metadata'].resourceVersion);
  const again = await put(`${base}/v1/namespaces/a/things/x`, moved);
  assert.equal(again['metadata'].resourceVersion, moved['metadata'].resourceVersion);
  const now = await get(`${definitions}/${name}`);
  now['spec'].versions = now['spec'].versions.filter((each: Tree) => each['name'] === 'v2');
  const dropped = await refused(put(`${definitions}/${name}`, now));
  assert.match(dropped.message, /status.storedVersions\[0\]: Invalid value: "v1": missing from spec.versions/);
});

test('names that another definition has are not given, and are given when it goes', async () => {
  const group = 'names.example.com';
  await define(group, [version({ name: 'v1' })]);
  const spec = {
    group,
    scope: 'Namespaced',
    names: { plural: 'others', kind: 'Thing' },
    versions: [version({ name: 'v1', storage: true })],
  };
  await post(definitions, { metadata: { name: `others.${group}` }, spec });
  let other = await get(`${definitions}/others.${group}`);
  for (let n = 0; n < 50 && !other['status'].conditions?.length; n++)
    other = await get(`${definitions}/others.${group}`);
  const [names, ready] = other['status'].conditions;
  assert.deepEqual([names.type, names.status, names.reason], ['NamesAccepted', 'False', 'ListKindConflict']);
  assert.deepEqual([ready.type, ready.status, ready.reason], ['Established', 'False', 'NotAccepted']);
  assert.equal(other['status'].acceptedNames.plural, 'others');
  await remove(`${definitions}/things.${group}`);
  await established(`others.${group}`);
});

test('the server owns what it writes to the status of a definition', async () => {
  const group = 'owned.example.com';
  await define(group, [version({ name: 'v1' })]);
  const { metadata } = await get(`${definitions}/things.${group}`);
  const entry = metadata.managedFields.find((each: Tree) => each['subresource'] === 'status');
  assert.deepEqual([entry.manager, entry.operation], ['kube-apiserver', 'Update']);
  assert.deepEqual(Object.keys(entry.fieldsV1['f:status']), ['f:acceptedNames', 'f:conditions']);
});

test('a definition goes after its instances, and those after their finalizers', async () => {
  const group = 'gone.example.com';
  const base = await define(group, [version({ name: 'v1' })]);
  const path = `${base}/v1/namespaces/a/things`;
  const kept = { ...thing(group, 'x', {}), metadata: { name: 'x', finalizers: ['example.com/hold'] } };
  await post(path, kept);
  await post(path, thing(group, 'y', {}));
  const marked = await remove(`${definitions}/things.${group}`);
  assert.deepEqual(marked['metadata'].finalizers, ['customresourcecleanup.apiextensions.k8s.io']);
  let left = await get(path);
  for (let n = 0; n < 100 && left['items'].length > 1; n++) left = await get(path);
  assert.deepEqual(
    left['items'].map((item: Tree) => item['metadata'].name),
    ['x'],
  );
  const late = await refused(post(path, thing(group, 'z', {})));
  const why = 'create not allowed while custom resource definition is terminating';
  assert.deepEqual(late, { code: 403, message: `things.${group} "z" is forbidden: ${why}` });
  await patch(`${path}/x`, { metadata: { finalizers: null } });
  const query: [string, string][] = [
    ['watch', '1'],
    ['fieldSelector', `metadata.name=things.${group}`],
  ];
  const end = new AbortController();
  const watch = await transport.request({ method: 'GET', path: definitions, query, signal: end.signal });
  for await (const { type } of watch.events()) if (type === 'DELETED') break;
  end.abort();
  assert.equal((await refused(get(`${definitions}/things.${group}`))).code, 404);
});

test('kubectl explains, gets with the definition’s columns, and scales custom resources', async t => {
  const [kubectl] = [...kubectls().values()].slice(-1);
  if (!kubectl) return t.skip('no kubectl on this machine');
  const group = 'kubectl.example.com';
  const schema = {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        description: 'What is wanted.',
        required: ['size'],
        properties: { size: { type: 'string', description: 'How large.' }, replicas: { type: 'integer', default: 1 } },
      },
      status: { type: 'object', properties: { replicas: { type: 'integer' } } },
    },
  };
  const base = await define(group, [
    version({
      name: 'v1',
      schema,
      additionalPrinterColumns: [{ name: 'Size', type: 'string', jsonPath: '.spec.size' }],
      subresources: { scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' } },
    }),
  ]);
  await post(`${base}/v1/namespaces/a/things`, thing(group, 'x', { size: 'L' }));
  const call = async (...args: string[]): Promise<string> =>
    (await run(kubectl, ['--kubeconfig', server.kubeconfig(), ...args])).stdout;
  const explained = await call('explain', `things.${group}.spec`);
  assert.match(explained, /What is wanted\./);
  assert.match(explained, /size\s+<string> -required-\n\s+How large\./);
  const lines = (await call('get', `things.${group}`, '-n', 'a')).trim().split('\n');
  assert.match(lines[0]!, /^NAME\s+SIZE$/);
  assert.match(lines[1]!, /^x\s+L$/);
  await call('scale', `things.${group}/x`, '-n', 'a', '--replicas=3');
  assert.equal((await get(`${base}/v1/namespaces/a/things/x`))['spec'].replicas, 3);
});
