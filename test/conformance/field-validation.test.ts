/** `fieldValidation=Strict` on creates and applies. Upstream: test/e2e/apimachinery/field_validation.go. */
import assert from 'node:assert/strict';
import { type Definition, define } from './support/definitions.ts';
import { type RawAnswer, row, useSubject } from './support/subject.ts';

const subject = useSubject();
const strict = 'fieldManager=test&fieldValidation=Strict';

/** A POST of this text, in which fields may stand twice. */
async function createDeployment(metadata: string, spec: string): Promise<RawAnswer> {
  const body = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"${metadata}},"spec":{${spec}
    "selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
    "spec":{"containers":[{"name":"web","image":"none"}]}}}}`;
  const namespace = await subject.namespace();
  return subject.request('POST', `/apis/apps/v1/namespaces/${namespace}/deployments?${strict}`, { body });
}

row(
  '[sig-api-machinery] FieldValidation should detect unknown and duplicate fields of a typed object [Conformance]',
  async () => {
    const answer = await createDeployment('', '"unknownField":"foo","replicas":2,"replicas":3,');
    assert.equal(answer.status, 400);
    const expected = 'strict decoding error: unknown field "spec.unknownField", duplicate field "spec.replicas"';
    assert.ok(answer.json().message.endsWith(expected), answer.text);
  },
);

row(
  '[sig-api-machinery] FieldValidation should detect unknown metadata fields of a typed object [Conformance]',
  async () => {
    const answer = await createDeployment(',"unknownMeta":"foo"', '');
    assert.equal(answer.status, 400);
    assert.match(answer.json().message, /strict decoding error: unknown field "metadata\.unknownMeta"$/);
  },
);

const properties = {
  foo: { type: 'string' },
  cronSpec: { type: 'string', pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$' },
  ports: {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['containerPort', 'protocol'],
    items: {
      type: 'object',
      required: ['containerPort', 'protocol'],
      properties: {
        containerPort: { type: 'integer', format: 'int32' },
        protocol: { type: 'string' },
        name: { type: 'string' },
      },
    },
  },
};
const schema = (spec: object) => ({ type: 'object', properties: { spec: { type: 'object', ...spec } } });
const closed = schema({ properties });
const open = { 'x-kubernetes-preserve-unknown-fields': true };
const common = `  cronSpec: "* * * * */5"
  ports:
  - name: x
    containerPort: 80
    protocol: TCP
`;

/** Server-side apply of YAML text; `head` stands before spec and `spec` begins it. */
function apply({ group, kind, path }: Definition, head: string, spec: string): Promise<RawAnswer> {
  const body = `apiVersion: ${group}/v1\nkind: ${kind}\nmetadata:\n  name: mytest\n${head}spec:\n${spec}${common}`;
  const headers = { 'content-type': 'application/apply-patch+yaml' };
  return subject.request('PATCH', `${path()}/mytest?${strict}`, { headers, body });
}

row(
  '[sig-api-machinery] FieldValidation should create/apply a valid CR for CRD with validation schema [Conformance]',
  async () => {
    await using definition = await define(subject, { schema: closed });
    const answer = await apply(definition, '', '  foo: foo1\n');
    assert.equal(answer.status, 201, answer.text);
    assert.equal(answer.json().spec.ports[0].containerPort, 80);
  },
);

row(
  '[sig-api-machinery] FieldValidation should create/apply a CR with unknown fields for CRD with no validation schema [Conformance]',
  async () => {
    await using definition = await define(subject);
    const answer = await apply(definition, '', '  unknown: uk1\n');
    assert.equal(answer.status, 201, answer.text);
    assert.equal(answer.json().spec.unknown, 'uk1');
  },
);

row(
  '[sig-api-machinery] FieldValidation should create/apply an invalid CR with extra properties for CRD with validation schema [Conformance]',
  async () => {
    await using definition = await define(subject, { schema: closed });
    const answer = await apply(definition, 'unknownField: unknown\n', '  foo: foo1\n');
    assert.notEqual(answer.status, 201);
    assert.match(answer.json().message, /\.unknownField: field not declared in schema/);
  },
);

row(
  '[sig-api-machinery] FieldValidation should detect unknown metadata fields in both the root and embedded object of a CR [Conformance]',
  async () => {
    const template = {
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      properties: { metadata: { type: 'object', properties: { name: { type: 'string' } } }, spec: { type: 'object' } },
    };
    await using definition = await define(subject, {
      schema: schema({ ...open, properties: { ...properties, template } }),
    });
    const spec = `  template:
    apiversion: foo/v1
    kind: Sub
    metadata:
      unknownSubMeta: unknown
      name: subobject
`;
    const answer = await apply(definition, '  unknownMeta: unknown\n', spec);
    assert.notEqual(answer.status, 201);
    assert.match(
      answer.json().message,
      /\.spec\.template\.metadata\.unknownSubMeta: field not declared in schema|\.metadata\.unknownMeta: field not declared in schema/,
    );
  },
);

row(
  '[sig-api-machinery] FieldValidation should detect duplicates in a CR when preserving unknown fields [Conformance]',
  async () => {
    await using definition = await define(subject, { schema: schema({ ...open, properties }) });
    const answer = await apply(definition, '', '  unknown: uk1\n  foo: foo1\n  foo: foo2\n');
    assert.equal(answer.status, 400);
    assert.match(answer.json().message, /line 8: key "foo" already set in map/);
  },
);
