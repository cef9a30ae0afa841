/**
 * Policies of admission, written in CEL.
 * Upstream: test/e2e/apimachinery/{validating,mutating}admissionpolicy.go.
 */
import assert from 'node:assert/strict';
import { AdmissionregistrationV1Api, AppsV1Api } from '@kubernetes/client-node';
import { eventually } from '../support/kobune.ts';
import { apiOperations, type KindUnderTest, type Thing } from './support/operations.ts';
import { refusal, row, useSubject } from './support/subject.ts';

const subject = useSubject();
const kind = (name: string, resource: string): KindUnderTest => ({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  resource,
  kind: name,
  api: AdmissionregistrationV1Api,
});
const deployments = { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] };

/** Of one namespace only. */
const matchConstraints = (namespace: string, rule: object = deployments): any => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
  resourceRules: [rule],
});

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image: 'registry.example.com/none:1' }] },
};
const selector = { matchLabels: { app: 'web' } };

function deploy(namespace: string, name: string, replicas: number, dryRun?: 'All') {
  const body = { metadata: { name }, spec: { replicas, selector, template } };
  return subject.api(AppsV1Api).createNamespacedDeployment({ namespace, body, ...(dryRun && { dryRun }) });
}

/** Makes a validating policy with its binding for a new namespace, and waits until it refuses one replica. */
async function validatingPolicy(spec: object): Promise<string> {
  const namespace = await subject.namespace();
  const api = subject.api(AdmissionregistrationV1Api);
  const policyName = `${namespace}.policy.example.com`;
  await api.createValidatingAdmissionPolicy({
    body: { metadata: { name: policyName }, spec: { matchConstraints: matchConstraints(namespace), ...spec } },
  });
  await api.createValidatingAdmissionPolicyBinding({
    body: { metadata: { name: `${namespace}.binding` }, spec: { policyName, validationActions: ['Deny'] } },
  });
  await eventually(
    'the policy is in force',
    () =>
      deploy(namespace, 'marker', 1, 'All').then(
        () => undefined,
        () => true,
      ),
    5_000,
  );
  return namespace;
}

row(
  '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should validate against a Deployment [Conformance]',
  async () => {
    const namespace = await validatingPolicy({
      validations: [
        {
          expression: 'object.spec.replicas > 1',
          messageExpression: "'wants replicas > 1, got ' + string(object.spec.replicas)",
        },
        { expression: "namespaceObject.metadata.name.startsWith('conformance')", message: 'of another namespace' },
      ],
    });
    const { reason, message } = await refusal(422, deploy(namespace, 'one', 1));
    assert.equal(reason, 'Invalid');
    assert.match(
      message,
      /ValidatingAdmissionPolicy '.*' with binding '.*' denied request: wants replicas > 1, got 1$/,
    );
    await deploy(namespace, 'two', 2);
    const body = { metadata: { name: 'other-kind' }, spec: { replicas: 1, selector, template } };
    await subject.api(AppsV1Api).createNamespacedReplicaSet({ namespace, body });
  },
);

row(
  '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should allow expressions to refer variables. [Conformance]',
  async () => {
    const namespace = await validatingPolicy({
      variables: [
        { name: 'replicas', expression: 'object.spec.replicas' },
        { name: 'oddReplicas', expression: 'variables.replicas % 2 == 1' },
      ],
      validations: [{ expression: 'variables.replicas > 1' }, { expression: 'variables.oddReplicas' }],
    });
    const { message } = await refusal(422, deploy(namespace, 'one', 1));
    assert.match(message, /failed expression: variables\.replicas > 1$/);
    assert.match(
      (await refusal(422, deploy(namespace, 'two', 2))).message,
      /failed expression: variables\.oddReplicas$/,
    );
    await deploy(namespace, 'three', 3);
  },
);

/** Makes a mutating policy with its binding for a new namespace, and answers a Deployment that it has changed. */
async function mutated(expression: string, isMutated: (object: Thing) => boolean): Promise<Thing> {
  const namespace = await subject.namespace();
  const root = '/apis/admissionregistration.k8s.io/v1';
  const policyName = `${namespace}.policy.example.com`;
  const mutations = [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }];
  const policy = {
    metadata: { name: policyName },
    spec: { matchConstraints: matchConstraints(namespace), reinvocationPolicy: 'Never', mutations },
  };
  const made = await subject.request('POST', `${root}/mutatingadmissionpolicies`, { body: policy });
  assert.equal(made.status, 201, made.text);
  const binding = { metadata: { name: `${namespace}.binding` }, spec: { policyName } };
  const bound = await subject.request('POST', `${root}/mutatingadmissionpolicybindings`, { body: binding });
  assert.equal(bound.status, 201, bound.text);
  await eventually(
    'the policy is in force',
    async () => isMutated((await deploy(namespace, 'marker', 1, 'All')) as unknown as Thing) || undefined,
    5_000,
  );
  await deploy(namespace, 'stored', 1);
  return (await subject.api(AppsV1Api).readNamespacedDeployment({ name: 'stored', namespace })) as unknown as Thing;
}

row(
  '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should mutate a Deployment [Conformance]',
  async () => {
    const deployment = await mutated(
      'Object{spec: Object.spec{replicas: 1337}}',
      object => object['spec'].replicas === 1337,
    );
    assert.equal(deployment['spec'].replicas, 1337);
    assert.equal(deployment['spec'].template.spec.containers[0].name, 'web');
  },
);

row(
  '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should mutate a Deployment with annotations [Conformance]',
  async () => {
    const deployment = await mutated(
      'Object{metadata: Object.metadata{annotations: {"mutated-by": "admission-policy"}}}',
      object => object.metadata!.annotations?.['mutated-by'] === 'admission-policy',
    );
    assert.equal(deployment.metadata!.annotations!['mutated-by'], 'admission-policy');
  },
);

/** Matches nothing that any test makes. */
const elsewhere = matchConstraints('no-such-namespace');

row(
  '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should support ValidatingAdmissionPolicy API operations [Conformance]',
  () =>
    apiOperations(subject, kind('ValidatingAdmissionPolicy', 'validatingadmissionpolicies'), {
      make: () => ({
        spec: { matchConstraints: elsewhere, validations: [{ expression: 'object.spec.replicas <= 100' }] },
      }),
      status: {
        keepsMetadata: true,
        patch: {
          conditions: [
            {
              type: 'Patched',
              status: 'True',
              reason: 'Test',
              message: 'by a test',
              lastTransitionTime: new Date('2026-01-01T00:00:00Z'),
            },
          ],
        },
        replace: {
          conditions: [
            {
              type: 'Replaced',
              status: 'True',
              reason: 'Test',
              message: 'by a test',
              lastTransitionTime: new Date('2026-01-02T00:00:00Z'),
            },
          ],
        },
      },
      async more(_operations, object) {
        assert.equal(object['spec'].failurePolicy, 'Fail');
        assert.equal(object['spec'].matchConstraints.matchPolicy, 'Equivalent');
      },
    }),
);

row(
  '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should support ValidatingAdmissionPolicyBinding API operations [Conformance]',
  () =>
    apiOperations(subject, kind('ValidatingAdmissionPolicyBinding', 'validatingadmissionpolicybindings'), {
      make: () => ({ spec: { policyName: 'no-such-policy', validationActions: ['Deny'] } }),
    }),
);

row(
  '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should support MutatingAdmissionPolicy API operations [Conformance]',
  () =>
    apiOperations(subject, kind('MutatingAdmissionPolicy', 'mutatingadmissionpolicies'), {
      make: () => ({
        spec: {
          matchConstraints: elsewhere,
          reinvocationPolicy: 'Never',
          mutations: [
            {
              patchType: 'ApplyConfiguration',
              applyConfiguration: { expression: 'Object{spec: Object.spec{replicas: 1}}' },
            },
          ],
        },
      }),
    }),
);

row(
  '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should support MutatingAdmissionPolicyBinding API operations [Conformance]',
  () =>
    apiOperations(subject, kind('MutatingAdmissionPolicyBinding', 'mutatingadmissionpolicybindings'), {
      make: () => ({ spec: { policyName: 'no-such-policy' } }),
    }),
);
