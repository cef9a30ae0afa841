/** What JSON patches of a MutatingAdmissionPolicy may make of an object, and with what others are refused. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { startTestApiServer } from '../support/api-server.ts';
import { eventually } from '../support/eventually.ts';
import { type Sent, send } from '../support/http.ts';

const group = '/apis/admissionregistration.k8s.io/v1';
const maps = '/api/v1/namespaces/default/configmaps';

const policy = (expression: string): object => ({
  metadata: { name: 'p' },
  spec: {
    matchConstraints: {
      resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
    },
    mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression } }],
    reinvocationPolicy: 'Never',
  },
});

it('what a patch makes is read strictly, as an object of the same kind', async () => {
  await using server = await startTestApiServer();
  const ask = (sent: Sent) => send(server, sent);
  const set = (path: string, value: string): string => `[JSONPatch{op: 'add', path: '${path}', value: ${value}}]`;
  const failed = 'Internal error occurred: ';
  const cases: readonly (readonly [expression: string, outcome: string])[] = [
    [set('/foo', "'x'"), `${failed}strict decoding error: unknown field "foo"`],
    [
      set('/kind', "'Foo'"),
      `${failed}no kind "Foo" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"`,
    ],
    [
      set('/kind', "'Secret'"),
      `${failed}failed to convert object: converting (v1.Secret) to (core.ConfigMap): unknown conversion`,
    ],
    [
      set('/kind', '1'),
      `${failed}couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string`,
    ],
    [set('/data', "{'a': duration('1s')}"), '1s'],
    [set('/data', "{'a': Object{a: 1} == Object{a: 1} ? 'same' : 'other'}"), 'same'],
  ];
  const binding = { metadata: { name: 'p' }, spec: { policyName: 'p' } };
  assert.equal(
    (await ask({ method: 'POST', path: `${group}/mutatingadmissionpolicybindings`, body: binding })).code,
    201,
  );
  for (const [expression, outcome] of cases) {
    const body = policy(expression);
    assert.equal(
      (await ask({ method: 'POST', path: `${group}/mutatingadmissionpolicies`, body })).code,
      201,
      expression,
    );
    await eventually(expression, async () => {
      const { text } = await ask({ method: 'POST', path: `${maps}?dryRun=All`, body: { metadata: { name: 'm' } } });
      const { message, data } = JSON.parse(text) as { message?: string; data?: { a?: string } };
      return (message ?? data?.a) === outcome;
    });
    await ask({ method: 'DELETE', path: `${group}/mutatingadmissionpolicies/p` });
  }
});
