/**
 * A node that comes over HTTPS holds a client certificate that it asked for itself: certified by the cluster's own
 * controllers, good for speaking to the API as that node, and asked for again before it ends.
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { load } from 'js-yaml';
import { user } from '#apiserver';
import { type SteppedClock, seededRandom, silentLogger, systemClock, systemRandom } from '#base';
import { type Client, certificateSigningRequests, createClient, createHttpsTransport } from '#client';
import type { KeyPair } from '#pki';
import { startCluster, type TestCluster } from '../../src/cluster/testing.ts';
import {
  CertificateManager,
  type CertificateTemplate,
  kubeletServingSigner,
  nodeClientTemplate,
} from '../../src/kubelet/certificates/certificate-manager.ts';
import { certificateFile } from '../../src/kubelet/certificates/file-store.ts';
import { eventually } from '../support/eventually.ts';

const bindings = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  resource: 'clusterrolebindings',
  kind: 'ClusterRoleBinding',
  namespaced: false,
} as const;

/** As kubeadm binds it: nodes renew their own certificates without being asked about. */
async function letNodesRenew(client: Client): Promise<void> {
  await client.resource(bindings).create({
    metadata: { name: 'node-autoapprove-certificate-rotation' },
    roleRef: {
      apiGroup: 'rbac.authorization.k8s.io',
      kind: 'ClusterRole',
      name: 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
    },
    subjects: [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'system:nodes' }],
  } as never);
}

const asNode = (cluster: TestCluster): Client =>
  createClient(cluster.controlPlane.apiServer.transport(user('system:node:n1', ['system:nodes'])));

function fileOf(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'kobune-kubelet-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'kubelet-client-current.pem');
}

describe('the certificates of a kubelet', () => {
  it('its client certificate is asked for, kept, shown to the API, and believed', async t => {
    await using cluster = await startCluster();
    await letNodesRenew(cluster.client);
    const path = fileOf(t);
    const deps = {
      client: asNode(cluster),
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      store: certificateFile(path),
    };
    const manager = new CertificateManager(deps, () => nodeClientTemplate('n1'));
    assert.equal(manager.current, undefined);
    const stop = new AbortController();
    const running = manager.run(stop.signal);
    const pair = await eventually('there is a certificate', () => manager.current);
    stop.abort();
    await running;
    assert.equal(statSync(path).mode & 0o777, 0o600);

    const { url, kubeconfig } = await cluster.listen();
    const { clusters } = load(kubeconfig) as { clusters: Array<{ cluster: Record<string, string> }> };
    const caPem = Buffer.from(clusters[0]!.cluster['certificate-authority-data']!, 'base64').toString();
    await using transport = createHttpsTransport({ server: url, caPem, ...pair });
    const answer = await transport.request({
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    });
    const { status } = (await answer.json()) as unknown as {
      status: { userInfo: { username: string; groups: string[] } };
    };
    assert.equal(status.userInfo.username, 'system:node:n1');
    assert.deepEqual(status.userInfo.groups, ['system:nodes', 'system:authenticated']);

    const restarted = new CertificateManager(deps, () => nodeClientTemplate('n1'));
    assert.deepEqual(restarted.current, pair, 'a restart goes on with what there is');
    writeFileSync(path, pair.certPem);
    assert.equal(
      new CertificateManager(deps, () => nodeClientTemplate('n1')).current,
      undefined,
      'half a file is none',
    );
  });

  it('it is asked for again at 70 to 90 % of its life, and those who show it are told', async () => {
    await using cluster = await startCluster({ steppedTime: true });
    const clock = cluster.clock as SteppedClock;
    await letNodesRenew(cluster.client);
    let stored: KeyPair | undefined;
    const told: string[] = [];
    const manager = new CertificateManager(
      {
        client: asNode(cluster),
        clock,
        random: seededRandom(4),
        logger: silentLogger,
        store: { read: () => stored, write: pair => void (stored = pair) },
      },
      () => ({ ...nodeClientTemplate('n1'), expirationSeconds: 3600 }),
    );
    manager.onChange(({ certPem }) => told.push(new X509Certificate(certPem).serialNumber));
    const stop = new AbortController();
    const running = manager.run(stop.signal);
    const rotated = async (count: number): Promise<void> => {
      for (let turn = 0; told.length < count; turn++) {
        assert.ok(turn < 200, 'there is no new certificate');
        await clock.advance(1000);
        await new Promise(resolve => setImmediate(resolve));
      }
    };
    await rotated(1);
    const first = new X509Certificate(manager.current!.certPem);
    const [fromMs, toMs] = [first.validFromDate.getTime(), first.validToDate.getTime()];
    const share = (manager.rotateAtMs - fromMs) / (toMs - fromMs);
    assert.ok(share >= 0.7 && share <= 0.9, `${share}`);
    await clock.advance(manager.rotateAtMs - clock.now() - 5000);
    assert.equal(told.length, 1, 'there is time');
    await rotated(2);
    assert.notEqual(told[0], told[1]);
    assert.ok(clock.now() < toMs, 'before the old one ended');
    stop.abort();
    await clock.advance(60_000);
    await running;
  });

  it('its serving certificate follows its names, and what is denied leaves the one before in use', async () => {
    await using cluster = await startCluster();
    let stored: KeyPair | undefined;
    let template: CertificateTemplate = {
      signerName: kubeletServingSigner,
      commonName: 'system:node:n1',
      organizations: ['system:nodes'],
      dnsNames: ['n1'],
      ipAddresses: ['192.0.2.1'],
      usages: ['digital signature', 'server auth'],
    };
    const stop = new AbortController();
    const requests = cluster.client.resource(certificateSigningRequests);
    const decide = async (type: 'Approved' | 'Denied'): Promise<void> => {
      const open = await eventually('there is a request', async () => {
        const { items } = await requests.list();
        return items.find(({ status }) => !status?.conditions?.length);
      });
      const conditions = [{ type, status: 'True', reason: 'ByHand' }];
      const decided = { ...open, status: { ...open.status, conditions } } as never;
      await requests.subresource(open.metadata.name!, 'approval', decided, { method: 'PUT' });
    };
    const manager = new CertificateManager(
      {
        client: asNode(cluster),
        clock: {
          ...systemClock,
          now: () => systemClock.now(),
          monotonicMs: () => systemClock.monotonicMs(),
          // Waits of minutes are not what is looked at here.
          sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 50), signal),
        },
        random: systemRandom,
        logger: silentLogger,
        store: { read: () => stored, write: pair => void (stored = pair) },
      },
      () => template,
    );
    const running = manager.run(stop.signal);
    await decide('Approved');
    const first = await eventually('there is a certificate', () => manager.current);
    assert.equal(new X509Certificate(first.certPem).checkIP('192.0.2.1'), '192.0.2.1');
    template = { ...template, ipAddresses: ['192.0.2.1', '192.0.2.2'] };
    await decide('Denied');
    assert.equal(manager.current, first);
    await decide('Approved');
    const second = await eventually('there is another', () => manager.current !== first && manager.current);
    assert.equal(new X509Certificate(second.certPem).checkIP('192.0.2.2'), '192.0.2.2');
    stop.abort();
    await running;
  });
});
