/**
 * Schemas of custom resources in the OpenAPI documents, and what kubectl makes of them.
 * Upstream: test/e2e/apimachinery/crd_publish_openapi.go.
 */
import assert from 'node:assert/strict';
import { eventually } from '../support/kobune.ts';
import { anything, type Definition, define } from './support/definitions.ts';
import { row, useSubject, whyNoKubectl } from './support/subject.ts';

const subject = useSubject();
const needsKubectl = { skip: whyNoKubectl() };

const bars = {
  description: 'List of Bars and their specs.',
  type: 'array',
  items: {
    type: 'object',
    required: ['name'],
    properties: {
      name: { description: 'Name of Bar.', type: 'string' },
      age: { description: 'Age of Bar.', type: 'string' },
      feeling: { description: 'Whether Bar is feeling great.', type: 'string', enum: ['Great', 'Down'] },
      bazs: { description: 'List of Bazs.', type: 'array', items: { type: 'string' } },
    },
  },
};
const foo = {
  description: 'Foo CRD for Testing',
  type: 'object',
  properties: {
    spec: { type: 'object', description: 'Specification of Foo', properties: { bars } },
    status: { type: 'object', description: 'Status of Foo', properties: { bars } },
  },
};

const nameOf = ({ group, kind }: Definition, version: string): string =>
  `${group.split('.').reverse().join('.')}.${version}.${kind}`;

/** The schema of a kind in version 2 without what every kind has; undefined when it is not there. */
async function published(definition: Definition, version = 'v1'): Promise<any> {
  const { definitions } = await subject.get('/openapi/v2');
  const found = definitions[nameOf(definition, version)];
  if (!found) return undefined;
  const { 'x-kubernetes-group-version-kind': gvk, properties = {}, ...rest } = found;
  assert.deepEqual(gvk, [{ group: definition.group, kind: definition.kind, version }]);
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...own } = properties;
  return { ...rest, ...(Object.keys(own).length > 0 && { properties: own }) };
}

const isPublished = (definition: Definition, version: string): Promise<true> =>
  eventually(`${version} is published`, async () => ((await published(definition, version)) ? true : undefined));
const isGone = (definition: Definition, version: string): Promise<true> =>
  eventually(`${version} is not published`, async () => ((await published(definition, version)) ? undefined : true));

interface Told {
  readonly code: number;
  readonly stderr: string;
}

/** The answers of `kubectl create` and, after a `delete`, of `kubectl apply`. */
async function createAndApply(definition: Definition, object: object): Promise<Told[]> {
  const answers: Told[] = [];
  for (const verb of ['create', 'apply']) {
    const answer = await subject.kubectl([verb, '-f', '-'], JSON.stringify(object));
    answers.push(answer);
    if (answer.code !== 0) continue;
    await subject.kubectl(['delete', `${definition.plural}.${definition.group}`, '--all', '--wait=false']);
  }
  return answers;
}

async function accepts(definition: Definition, object: object): Promise<void> {
  for (const { code, stderr } of await createAndApply(definition, object)) assert.equal(code, 0, stderr);
}

async function refuses(definition: Definition, object: object, text: RegExp): Promise<void> {
  for (const { code, stderr } of await createAndApply(definition, object)) {
    assert.notEqual(code, 0);
    assert.match(stderr, text);
  }
}

/** kubectl keeps discovery for a while; a name with its group finds what is new. */
async function explain({ plural, group }: Definition, path: string): Promise<string> {
  const { code, stdout, stderr } = await subject.kubectl(['explain', `${plural}.${path}`, `--api-version=${group}/v1`]);
  return code === 0 ? stdout : stderr;
}

row(
  '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD with validation schema [Conformance]',
  async () => {
    await using definition = await define(subject, { schema: foo });
    assert.deepEqual(await published(definition), foo);
    const object = (...list: object[]) => definition.object('test-foo', { spec: { bars: list } });
    await accepts(definition, object({ name: 'test-bar' }));
    await refuses(definition, object({ name: 'test-bar', feeling: 'None' }), /Unsupported value: "None"/);
    await refuses(definition, definition.object('test-foo', { spec: { foo: true } }), /unknown field "spec\.foo"/);
    await refuses(
      definition,
      object({ age: '10' }),
      /missing required field "name"|spec\.bars\[0\]\.name: Required value/,
    );
    assert.match(await explain(definition, ''), /Foo CRD for Testing.*apiVersion\s+<string>.*spec\s+<Object>/s);
    assert.match(await explain(definition, 'metadata'), /Standard object's metadata.*creationTimestamp\s+<string>/s);
    assert.match(await explain(definition, 'spec'), /Specification of Foo.*bars\s+<\[\]Object>\s+List of Bars/s);
    assert.match(await explain(definition, 'spec.bars'), /List of Bars.*bazs\s+<\[\]string>.*name\s+<string>/s);
    assert.match(await explain(definition, 'spec.bars2'), /field "bars2" does not exist/);
  },
  needsKubectl,
);

row(
  '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD without validation schema [Conformance]',
  async () => {
    await using definition = await define(subject);
    assert.deepEqual(await published(definition), { type: 'object' });
    await accepts(definition, definition.object('test', { a: { b: [{ c: 'd' }] } }));
    assert.match(await explain(definition, ''), /DESCRIPTION:\s+<empty>/);
  },
  needsKubectl,
);

row(
  '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD preserving unknown fields at the schema root [Conformance]',
  async () => {
    await using definition = await define(subject, { schema: { ...foo, ...anything } });
    assert.deepEqual(await published(definition), { type: 'object' });
    await accepts(definition, definition.object('test', { a: { b: [{ c: 'd' }] } }));
    assert.match(await explain(definition, ''), new RegExp(`KIND:\\s+${definition.kind}`));
  },
  needsKubectl,
);

row(
  '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD preserving unknown fields in an embedded object [Conformance]',
  async () => {
    const open = { 'x-kubernetes-preserve-unknown-fields': true };
    const properties = {
      spec: {
        description: 'Specification of Waldo',
        type: 'object',
        ...open,
        properties: { dummy: { type: 'string' } },
      },
      status: { description: 'Status of Waldo', type: 'object', ...open },
    };
    await using definition = await define(subject, {
      schema: { type: 'object', description: 'preserving', properties },
    });
    // What version 2 cannot say of open objects is left out.
    const shown = (description: string) => ({ description, ...open });
    assert.deepEqual(await published(definition), {
      description: 'preserving',
      type: 'object',
      properties: { spec: shown('Specification of Waldo'), status: shown('Status of Waldo') },
    });
    await accepts(definition, definition.object('test', { spec: { a: null, b: [{ c: 'd' }] } }));
    assert.match(await explain(definition, ''), /preserving.*spec\s+<Object>\s+Specification of Waldo/s);
  },
  needsKubectl,
);

row(
  '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of different groups [Conformance]',
  async () => {
    await using first = await define(subject, { schema: foo });
    await using second = await define(subject);
    assert.notEqual(first.group, second.group);
    assert.deepEqual(await published(first), foo);
    assert.deepEqual(await published(second), { type: 'object' });
  },
);

row(
  '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of same group but different versions [Conformance]',
  async () => {
    {
      await using definition = await define(subject, { schema: foo, versions: ['v2', 'v3'] });
      for (const version of ['v2', 'v3']) assert.deepEqual(await published(definition, version), foo);
    }
    const group = `${subject.unique('shared')}.example.com`;
    await using first = await define(subject, { schema: foo, group, versions: ['v4'] });
    await using second = await define(subject, { schema: foo, group, versions: ['v5'] });
    assert.deepEqual(await published(first, 'v4'), foo);
    assert.deepEqual(await published(second, 'v5'), foo);
    assert.equal(await published(first, 'v5'), undefined);
  },
);

row(
  '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of same group and version but different kinds [Conformance]',
  async () => {
    const group = `${subject.unique('shared')}.example.com`;
    await using first = await define(subject, { schema: foo, group });
    await using second = await define(subject, { group });
    assert.deepEqual(await published(first), foo);
    assert.deepEqual(await published(second), { type: 'object' });
  },
);

/** A change to a definition by JSON patch. */
async function change({ crd }: Definition, operations: readonly object[]): Promise<void> {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata!.name}`;
  const headers = { 'content-type': 'application/json-patch+json' };
  const answer = await subject.request('PATCH', path, { headers, body: operations });
  assert.equal(answer.status, 200, answer.text);
}

row(
  '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] updates the published spec when one version gets renamed [Conformance]',
  async () => {
    await using definition = await define(subject, { schema: foo, versions: ['v2', 'v3'] });
    await isPublished(definition, 'v3');
    await change(definition, [
      { op: 'test', path: '/spec/versions/1/name', value: 'v3' },
      { op: 'replace', path: '/spec/versions/1/name', value: 'v4' },
    ]);
    await isPublished(definition, 'v4');
    await isGone(definition, 'v3');
    for (const version of ['v2', 'v4']) assert.deepEqual(await published(definition, version), foo);
  },
);

row(
  '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] removes definition from spec when one version gets changed to not be served [Conformance]',
  async () => {
    await using definition = await define(subject, { schema: foo, versions: ['v5', 'v6alpha1'] });
    await isPublished(definition, 'v6alpha1');
    await change(definition, [{ op: 'replace', path: '/spec/versions/1/served', value: false }]);
    await isGone(definition, 'v6alpha1');
    assert.deepEqual(await published(definition, 'v5'), foo);
    await eventually('version 3 has the other too', async () => {
      const { paths } = await subject.get('/openapi/v3');
      return paths[`apis/${definition.group}/v5`] && true;
    });
  },
);
