/** Certificate requests from being asked to being certified: `kubectl certificate`, kubelets, what is refused. */
import assert from 'node:assert/strict';
import { webcrypto, X509Certificate } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { CertificateSigningRequest } from '#api/types';
import { user } from '#apiserver';
import { type Client, certificateSigningRequests, createClient } from '#client';
import { startCluster, type TestCluster } from '#cluster/testing';
import 'reflect-metadata';
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

async function requestPem(name: string, dnsNames: readonly string[] = []): Promise<string> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const names = dnsNames.map(value => ({ type: 'dns' as const, value }));
  const request = await Pkcs10CertificateRequestGenerator.create({
    name,
    keys: keys as never,
    signingAlgorithm: algorithm,
    extensions: names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : [],
  });
  return Buffer.from(request.toString('pem')).toString('base64');
}

describe('certificate requests', () => {
  let cluster: TestCluster;
  let client: Client;

  before(async () => {
    cluster = await startCluster();
    client = cluster.client;
  });
  after(() => cluster[Symbol.asyncDispose]());

  const clientUsages = ['digital signature', 'client auth'];

  async function ask(name: string, spec: object, as: Client = client): Promise<void> {
    const object = { metadata: { name }, spec } as unknown as CertificateSigningRequest;
    await as.resource(certificateSigningRequests).create(object);
  }

  async function approve(name: string): Promise<void> {
    const request = structuredClone(await client.resource(certificateSigningRequests).get(name));
    const conditions = [{ type: 'Approved', status: 'True', reason: 'KubectlApprove', message: 'approved' }];
    const approved = { ...request, status: { conditions } };
    await client.resource(certificateSigningRequests).subresource(name, 'approval', approved, { method: 'PUT' });
  }

  async function eventually(
    name: string,
    is: (request: CertificateSigningRequest) => boolean,
  ): Promise<CertificateSigningRequest> {
    for (let tries = 0; tries < 200; tries++) {
      const request = await client.resource(certificateSigningRequests).get(name);
      if (is(request)) return request;
      await cluster.clock.sleep(25);
    }
    assert.fail(`${name} never came to be as it should`);
  }

  const certificateOf = ({ status }: CertificateSigningRequest): X509Certificate =>
    new X509Certificate(Buffer.from(status!.certificate!, 'base64'));

  it('a client certificate is certified once it is approved, for as long as was asked', async () => {
    const request = await requestPem('CN=jane,O=dev');
    await ask('jane', {
      request,
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: clientUsages,
      expirationSeconds: 3600,
    });
    await cluster.clock.sleep(100);
    assert.equal((await client.resource(certificateSigningRequests).get('jane')).status?.certificate, undefined);
    await approve('jane');
    const certificate = certificateOf(await eventually('jane', ({ status }) => status?.certificate !== undefined));
    assert.match(certificate.subject, /CN=jane/);
    const lifeMs = Date.parse(certificate.validTo) - cluster.clock.now();
    assert.ok(lifeMs > 3_500_000 && lifeMs <= 3_600_000, `${lifeMs} ms`);
    const metrics = await client.transport.request({ method: 'GET', path: '/metrics' });
    const text = Buffer.concat(await Array.fromAsync(metrics.bytes())).toString();
    for (const family of ['requested', 'honored']) {
      const name = `apiserver_certificates_registry_csr_${family}_duration_total`;
      assert.match(text, new RegExp(`^${name}\\{signerName="kubernetes.io/kube-apiserver-client"\\} 1$`, 'm'));
    }
  });

  it('a request that its signer does not take fails, with the reason', async () => {
    await ask('wrong', {
      request: await requestPem('CN=jane'),
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['digital signature', 'server auth'],
    });
    await approve('wrong');
    const { status } = await eventually('wrong', each => (each.status?.conditions?.length ?? 0) > 1);
    const failed = status!.conditions!.find(({ type }) => type === 'Failed')!;
    assert.deepEqual(
      [failed.reason, failed.message],
      ['SignerValidationFailure', 'invalid usage for client certificate: server auth'],
    );
  });

  it('a kubelet that renews its own client certificate needs nobody', async () => {
    const node = createClient(cluster.controlPlane.apiServer.transport(user('system:node:n1', ['system:nodes'])));
    await client
      .resource({
        group: 'rbac.authorization.k8s.io',
        version: 'v1',
        resource: 'clusterrolebindings',
        kind: 'ClusterRoleBinding',
        namespaced: false,
      })
      .create({
        metadata: { name: 'kubelets-renew' },
        roleRef: {
          apiGroup: 'rbac.authorization.k8s.io',
          kind: 'ClusterRole',
          name: 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
        },
        subjects: [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'system:nodes' }],
      } as never);
    const signerName = 'kubernetes.io/kube-apiserver-client-kubelet';
    await ask(
      'n1',
      { request: await requestPem('CN=system:node:n1,O=system:nodes'), signerName, usages: clientUsages },
      node,
    );
    const done = await eventually('n1', ({ status }) => status?.certificate !== undefined);
    assert.equal(done.status!.conditions![0]!.reason, 'AutoApproved');
    assert.match(certificateOf(done).subject, /O=system:nodes/);
  });

  it('a kubelet’s serving certificate needs names, a node’s subject, and an approval', async () => {
    const signerName = 'kubernetes.io/kubelet-serving';
    const usages = ['digital signature', 'server auth'];
    await ask('serving', { request: await requestPem('CN=system:node:n1,O=system:nodes', ['n1']), signerName, usages });
    await ask('nameless', { request: await requestPem('CN=system:node:n1,O=system:nodes'), signerName, usages });
    await approve('serving');
    await approve('nameless');
    const served = certificateOf(await eventually('serving', ({ status }) => status?.certificate !== undefined));
    assert.equal(served.subjectAltName, 'DNS:n1');
    const { status } = await eventually('nameless', each => (each.status?.conditions?.length ?? 0) > 1);
    assert.equal(status!.conditions!.at(-1)!.message, 'DNS or IP subjectAltName is required');
  });
});
