/** ClusterTrustBundles behind their feature and `--runtime-config`: who may write them, and what the cluster publishes. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isStatusError } from '#apimachinery';
import { systemClock } from '#base';
import { type Client, createClient, pods } from '#client';
import { clusterTrustBundlePublisher } from '#controllers';
import { createAuthority, fixedTrust } from '#pki';
import { bundleName } from '../../src/controllers/cluster-trust-bundle-publisher/cluster-trust-bundle-publisher.ts';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { eventually } from '../support/eventually.ts';

const signer = 'kubernetes.io/kube-apiserver-serving';
const bundles = {
  group: 'certificates.k8s.io',
  version: 'v1beta1',
  resource: 'clustertrustbundles',
  kind: 'ClusterTrustBundle',
  namespaced: false,
};
/** Pods are made without an account. */
const disableAdmissionPlugins = ['ServiceAccount'];
const features = {
  disableAdmissionPlugins,
  featureGates: { ClusterTrustBundle: true, ClusterTrustBundleProjection: true },
  runtimeConfig: { 'certificates.k8s.io/v1beta1/clustertrustbundles': 'true' },
};
interface Bundle {
  readonly metadata: { readonly name?: string };
  readonly spec?: { readonly signerName?: string; readonly trustBundle?: string };
}

const mounting = (name: string) => ({
  metadata: { name },
  spec: {
    automountServiceAccountToken: false,
    containers: [{ name: 'c', image: 'x' }],
    volumes: [{ name: 'v', projected: { sources: [{ clusterTrustBundle: { name: 'a', path: 'ca.pem' } }] } }],
  },
});

describe('ClusterTrustBundles', () => {
  let server: TestApiServer;
  let client: Client;
  before(async () => {
    server = await startTestApiServer({ config: features, controllers: [clusterTrustBundlePublisher('v1beta1')] });
    client = createClient(server.transport());
  });
  after(() => server[Symbol.asyncDispose]());

  it('one holds whom the cluster is believed by; those of before are taken away', async () => {
    const { pem } = fixedTrust(server.authority.certPem);
    const name = bundleName(signer, pem);
    const published = await eventually('the bundle of the cluster', () =>
      client
        .resource(bundles)
        .get(name)
        .catch(() => undefined),
    );
    assert.deepEqual((published as Bundle).spec, { signerName: signer, trustBundle: pem });
    const stale = `${signer.replace('/', ':')}:stale`;
    const { certPem: other } = await createAuthority('other', systemClock.now());
    await client
      .resource(bundles)
      .create({ metadata: { name: stale }, spec: { signerName: signer, trustBundle: other } });
    await eventually('the end of the stale one', async () => {
      const { items } = await client.resource(bundles).list({ fieldSelector: `spec.signerName=${signer}` });
      return items.length === 1 ? true : undefined;
    });
  });

  it('of a signer are written by those alone who may attest for it', async () => {
    const nobody = createClient(server.transport('bob', []));
    const bundle = {
      metadata: { name: 'example.com:ca:one' },
      spec: { signerName: 'example.com/ca', trustBundle: server.authority.certPem },
    };
    const refused = (error: unknown): boolean => isStatusError(error, 'Forbidden');
    await assert.rejects(nobody.resource(bundles).create(bundle), refused);
    const role = {
      group: 'rbac.authorization.k8s.io',
      version: 'v1',
      resource: 'clusterroles',
      kind: 'ClusterRole',
      namespaced: false,
    };
    const rules = [{ verbs: ['create'], apiGroups: ['certificates.k8s.io'], resources: ['clustertrustbundles'] }];
    await client.resource(role).create({ metadata: { name: 'writer' }, rules } as never);
    const binding = { ...role, resource: 'clusterrolebindings', kind: 'ClusterRoleBinding' };
    await client.resource(binding).create({
      metadata: { name: 'writer' },
      roleRef: { apiGroup: role.group, kind: 'ClusterRole', name: 'writer' },
      subjects: [{ apiGroup: role.group, kind: 'User', name: 'bob' }],
    } as never);
    const why = 'user not permitted to attest for signerName "example.com/ca"';
    await eventually('the right to write', async () => {
      const error = await nobody
        .resource(bundles)
        .create(bundle)
        .catch(cause => cause as Error);
      return error instanceof Error && error.message.includes(why) ? true : undefined;
    });
    await nobody.resource(bundles).create({
      metadata: { name: 'of-nobody' },
      spec: { trustBundle: server.authority.certPem },
    });
  });

  it('may be mounted by pods', async () => {
    const { spec } = await client
      .resource(pods)
      .namespace('default')
      .create(mounting('mounts') as never, { dryRun: true } as never);
    assert.deepEqual(spec.volumes?.[0]?.projected?.sources?.[0], { clusterTrustBundle: { name: 'a', path: 'ca.pem' } });
  });
});

describe('without their feature', () => {
  it('they are not served, and pods lose what would mount one', async () => {
    await using server = await startTestApiServer({ config: { ...features, featureGates: {} } });
    const client = createClient(server.transport());
    await assert.rejects(client.resource(bundles).get('a'), error => isStatusError(error, 'NotFound'));
    const { spec } = await client
      .resource(pods)
      .namespace('default')
      .create(mounting('loses') as never, { dryRun: true } as never);
    assert.deepEqual(spec.volumes?.[0]?.projected?.sources?.[0], {});
  });

  it('kinds that are switched off are gone, from discovery too', async () => {
    await using server = await startTestApiServer({
      config: { runtimeConfig: { 'apps/v1/daemonsets': 'false', 'policy/v1': 'false' } },
    });
    const { transport } = createClient(server.transport());
    const read = async (path: string) =>
      (await (await transport.request({ method: 'GET', path })).json()) as Record<string, Array<{ name: string }>>;
    const { resources } = await read('/apis/apps/v1');
    assert.equal(
      resources!.some(each => each.name === 'daemonsets'),
      false,
    );
    assert.equal(
      resources!.some(each => each.name === 'deployments'),
      true,
    );
    assert.equal(
      (await read('/apis'))['groups']!.some(each => each.name === 'policy'),
      false,
    );
    for (const path of ['/apis/apps/v1/daemonsets', '/apis/policy/v1/poddisruptionbudgets'])
      await assert.rejects(read(path), /could not find the requested resource|404 page not found/);
  });
});
