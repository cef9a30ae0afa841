/** What a controller says of the expressions of a ValidatingAdmissionPolicy, with custom kinds and parameters. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { validatingAdmissionPolicyStatus } from '#controllers';
import { startTestApiServer } from '../support/api-server.ts';
import { eventually } from '../support/eventually.ts';
import { type Sent, send } from '../support/http.ts';

interface Status {
  readonly observedGeneration?: number;
  readonly typeChecking?: { readonly expressionWarnings?: ReadonlyArray<{ fieldRef: string; warning: string }> };
}

const path = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';

const policy = (expression: string): object => ({
  metadata: { name: 'replicas' },
  spec: {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    matchConstraints: {
      resourceRules: [
        { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] },
        { apiGroups: ['example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['widgets'] },
      ],
    },
    validations: [{ expression, messageExpression: 'string(params.data.text)' }],
  },
});

const widgets = {
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { replicas: { type: 'string' } } } },
          },
        },
      },
    ],
  },
};

describe('type checking of policies', () => {
  it('is in their status, for the generation that was looked at', async () => {
    await using server = await startTestApiServer({ controllers: [validatingAdmissionPolicyStatus] });
    const ask = (sent: Sent) => send(server, sent);
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    assert.equal((await ask({ method: 'POST', path: definitions, body: widgets })).code, 201);
    const statusOf = (generation: number): Promise<Status> =>
      eventually('the policy is checked', async () => {
        const { status } = JSON.parse((await ask({ path: `${path}/replicas` })).text) as { status?: Status };
        return status?.observedGeneration === generation && status;
      });
    const wrong = policy('object.spec.replicas > 1 && params.nosuch == ""');
    assert.equal((await ask({ method: 'POST', path, body: wrong })).code, 201);
    const { typeChecking } = await statusOf(1);
    const [first, ...others] = typeChecking?.expressionWarnings ?? [];
    assert.deepEqual(others, []);
    assert.equal(first?.fieldRef, 'spec.validations[0].expression');
    assert.match(first.warning, /^apps\/v1, Kind=Deployment: ERROR: <input>:1:35: undefined field 'nosuch'\n/);
    assert.match(
      first.warning,
      /\nexample\.com\/v1, Kind=Widget: ERROR: .*no matching overload for '_>_' applied to '\(string, int\)'/,
    );
    const headers = { 'content-type': 'application/merge-patch+json' };
    const right = policy('has(object.spec.replicas)');
    assert.equal((await ask({ method: 'PATCH', path: `${path}/replicas`, headers, body: right })).code, 200);
    assert.equal((await statusOf(2)).typeChecking?.expressionWarnings, undefined);
  });
});
