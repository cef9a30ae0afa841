/**
 * Service accounts and their tokens, certificates, and what the server says about who may do what.
 * Upstream: test/e2e/auth/{certificates,service_accounts,subjectreviews}.go.
 */
import 'reflect-metadata';
import assert from 'node:assert/strict';
import type { webcrypto } from 'node:crypto';

import {
  AuthenticationV1Api,
  AuthorizationV1Api,
  CertificatesV1Api,
  CoreV1Api,
  type V1Pod,
} from '@kubernetes/client-node';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { apiOperations, type Operations, strategicPatch, type Thing } from './support/operations.ts';
import { row, useSubject } from './support/subject.ts';

const subject = useSubject();
const core = () => subject.api(CoreV1Api);

/** PEM of a certificate request for this name, in base64. */
async function certificateRequest(name: string): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
  });
  return Buffer.from(request.toString('pem')).toString('base64');
}

/** Approval and status, which only certificate requests have in this way. */
async function approveAndSign(operations: Operations, { metadata }: Thing): Promise<void> {
  const name = metadata!.name!;
  const condition = (type: string) => ({ type, status: 'True', reason: 'Test', message: 'by a test' });
  assert.equal((await operations.read(name, 'Approval')).metadata!.uid, metadata!.uid);
  const patch = {
    metadata: { annotations: { patchedapproval: 'true' } },
    status: { conditions: [condition('ApprovalPatch')] },
  };
  const patched = await operations.patch(name, patch, 'Approval');
  assert.equal(patched['status'].conditions[0].type, 'ApprovalPatch');
  assert.equal(patched.metadata!.annotations!['patchedapproval'], 'true');
  const approval = await operations.read(name, 'Approval');
  approval['status'].conditions.push(condition('Approved'));
  const approved = await operations.replace(approval, 'Approval');
  assert.deepEqual(
    approved['status'].conditions.map((each: { type: string }) => each.type),
    ['ApprovalPatch', 'Approved'],
  );
  const { certData } = subject.config.getCurrentUser()!;
  const signed = await operations.patch(name, { status: { certificate: certData } }, 'Status');
  assert.equal(signed['status'].certificate, certData);
  const status = await operations.read(name, 'Status');
  status['status'].conditions.push(condition('StatusUpdate'));
  const replaced = await operations.replace(status, 'Status');
  assert.equal(replaced['status'].conditions.at(-1).type, 'StatusUpdate');
  assert.equal(replaced['status'].certificate, certData);
}

row(
  '[sig-auth] Certificates API [Privileged:ClusterAdmin] should support CSR API operations [Conformance]',
  async () => {
    const request = await certificateRequest('a-test');
    await apiOperations(
      subject,
      {
        group: 'certificates.k8s.io',
        version: 'v1',
        resource: 'certificatesigningrequests',
        kind: 'CertificateSigningRequest',
        api: CertificatesV1Api,
      },
      {
        make: () => ({
          spec: { request, signerName: 'example.com/signer', expirationSeconds: 3600, usages: ['digital signature'] },
        }),
        async more(operations, object) {
          assert.equal(object['spec'].expirationSeconds, 3600);
          assert.ok(object['spec'].username, 'who asked is written by the server');
          await approveAndSign(operations, object);
        },
      },
    );
  },
);

row('[sig-auth] SubjectReview should support SubjectReview API operations [Conformance]', async () => {
  const namespace = await subject.namespace();
  const account = await core().createNamespacedServiceAccount({ namespace, body: { metadata: { name: 'e2e' } } });
  const user = `system:serviceaccount:${namespace}:e2e`;
  const groups = ['system:authenticated', 'system:serviceaccounts', `system:serviceaccounts:${namespace}`];
  const resourceAttributes = { verb: 'list', resource: 'configmaps', namespace, version: 'v1' };
  const spec = { resourceAttributes, user, groups, uid: account.metadata!.uid! };
  const review = async (): Promise<boolean[]> => {
    const api = subject.api(AuthorizationV1Api);
    const wide = await api.createSubjectAccessReview({ body: { spec } });
    const local = await api.createNamespacedLocalSubjectAccessReview({
      namespace,
      body: { metadata: { namespace }, spec },
    });
    const headers = { 'impersonate-user': user, 'impersonate-uid': spec.uid };
    // Node joins repeated headers, so that the groups come of the name.
    const { status } = await subject.request('GET', `/api/v1/namespaces/${namespace}/configmaps`, { headers });
    assert.ok(status === 200 || status === 403, String(status));
    return [wide.status!.allowed, local.status!.allowed, status === 200];
  };
  assert.deepEqual(await review(), [false, false, false]);
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }];
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  await subject.request('POST', `${rbac}/roles`, { body: { metadata: { name: 'reader' }, rules } });
  const body = {
    metadata: { name: 'reader' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
    subjects: [{ kind: 'ServiceAccount', name: 'e2e', namespace }],
  };
  assert.equal((await subject.request('POST', `${rbac}/rolebindings`, { body })).status, 201);
  for (let at = 0; at < 50 && !(await review())[0]; at++);
  assert.deepEqual(await review(), [true, true, true]);
});

row(
  '[sig-auth] ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview [Conformance]',
  async () => {
    const namespace = await subject.namespace();
    await core().createNamespacedServiceAccount({ namespace, body: { metadata: { name: 'e2e' } } });
    const request = await core().createNamespacedServiceAccountToken({
      name: 'e2e',
      namespace,
      body: { spec: {} } as never,
    });
    const token = request.status!.token!;
    const api = subject.api(AuthenticationV1Api);
    const { status } = await api.createTokenReview({ body: { spec: { token } } });
    assert.equal(status!.authenticated, true);
    assert.equal(status!.error, undefined);
    assert.equal(status!.user!.username, `system:serviceaccount:${namespace}:e2e`);
    const { groups } = status!.user!;
    for (const group of ['system:serviceaccounts', `system:serviceaccounts:${namespace}`])
      assert.ok(groups!.includes(group));
    const forged = await api.createTokenReview({ body: { spec: { token: `${token.slice(0, -8)}AAAAAAAA` } } });
    assert.notEqual(forged.status!.authenticated, true);
  },
);

row('[sig-auth] ServiceAccounts should update a ServiceAccount [Conformance]', async () => {
  const namespace = await subject.namespace();
  const body = { metadata: { name: 'e2e' }, automountServiceAccountToken: false };
  const made = await core().createNamespacedServiceAccount({ namespace, body });
  assert.equal(made.automountServiceAccountToken, false);
  const replaced = await core().replaceNamespacedServiceAccount({
    name: 'e2e',
    namespace,
    body: { ...made, automountServiceAccountToken: true },
  });
  assert.equal(replaced.automountServiceAccountToken, true);
});

row('[sig-auth] ServiceAccounts should run through the lifecycle of a ServiceAccount [Conformance]', async () => {
  const namespace = await subject.namespace();
  const labelSelector = `lifecycle=${namespace}`;
  const body = { metadata: { name: 'e2e', labels: { lifecycle: namespace } } };
  const made = await core().createNamespacedServiceAccount({ namespace, body });
  const read = await core().readNamespacedServiceAccount({ name: 'e2e', namespace });
  assert.equal(read.metadata!.uid, made.metadata!.uid);
  using watch = await subject.watch(`/api/v1/namespaces/${namespace}/serviceaccounts`, { labelSelector });
  await watch.next('ADDED');
  const patch = { automountServiceAccountToken: false };
  await core().patchNamespacedServiceAccount({ name: 'e2e', namespace, body: patch }, strategicPatch);
  assert.equal((await watch.next('MODIFIED')).automountServiceAccountToken, false);
  const all = await core().listServiceAccountForAllNamespaces({ labelSelector });
  assert.deepEqual(
    all.items.map(item => [item.metadata!.namespace, item.automountServiceAccountToken]),
    [[namespace, false]],
  );
  await core().deleteCollectionNamespacedServiceAccount({ namespace });
  await watch.next('DELETED');
});

row('[sig-auth] ServiceAccounts should allow opting out of API token automount [Conformance]', async () => {
  const namespace = await subject.namespace();
  for (const [name, automountServiceAccountToken] of [
    ['mount', true],
    ['nomount', false],
  ] as const) {
    await core().createNamespacedServiceAccount({
      namespace,
      body: { metadata: { name }, automountServiceAccountToken },
    });
  }
  const mounts = ({ spec }: V1Pod): boolean =>
    spec!.containers.some(({ volumeMounts = [] }) =>
      volumeMounts.some(each => each.mountPath === '/var/run/secrets/kubernetes.io/serviceaccount'),
    );
  // The pod's word counts before the account's, and silence means yes.
  for (const account of ['default', 'mount', 'nomount']) {
    for (const own of [undefined, true, false]) {
      const body = {
        metadata: { name: `${account}-${own}` },
        spec: {
          containers: [{ name: 'one', image: 'none' }],
          serviceAccountName: account,
          ...(own !== undefined && { automountServiceAccountToken: own }),
        },
      };
      const pod = await core().createNamespacedPod({ namespace, body });
      assert.equal(mounts(pod), own ?? account !== 'nomount', body.metadata.name);
    }
  }
});
