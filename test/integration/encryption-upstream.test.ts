/**
 * Encrypted values are upstream's: the original and ours on one etcd read what the other wrote, with each provider.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#base';
import { openEtcdStore } from '#storage';
import { startTestApiServer } from '../support/api-server.ts';
import { etcdMissing, startEtcd } from '../support/etcd.ts';
import { startKmsPlugin } from '../support/kms-plugin.ts';
import { startUpstream, upstreamMissing } from '../support/upstream.ts';

const missing = etcdMissing() ?? upstreamMissing();
const key = (size: number): string => randomBytes(size).toString('base64');
const keys = (size: number): string => `{keys: [{name: k1, secret: ${key(size)}}]}`;
const secrets = '/api/v1/namespaces/default/secrets';
const maps = '/api/v1/namespaces/default/configmaps';

interface Secret {
  readonly metadata: { readonly resourceVersion: string };
  readonly data: { readonly p: string };
}

const providers: ReadonlyArray<readonly [prefix: string, provider: (kms: string) => string]> = [
  ['k8s:enc:aescbc:v1:k1:', () => `aescbc: ${keys(32)}`],
  ['k8s:enc:aesgcm:v1:k1:', () => `aesgcm: ${keys(16)}`],
  ['k8s:enc:secretbox:v1:k1:', () => `secretbox: ${keys(32)}`],
  ['k8s:enc:kms:v2:own:', kms => `kms: {apiVersion: v2, name: own, endpoint: "${kms}"}`],
];

for (const [prefix, provider] of providers) {
  test(
    `the original reads what ours encrypted, and the reverse: ${prefix}`,
    missing ? { skip: missing } : {},
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'kobune-enc-'));
      await using plugin = await startKmsPlugin(join(folder, 'kms.sock'));
      const file = join(folder, 'enc.yaml');
      writeFileSync(
        file,
        `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets, widgets.example.com, leases.coordination.k8s.io]
  providers:
  - ${provider(plugin.endpoint)}
  - identity: {}
- resources: ['*.']
  providers:
  - aesgcm: ${keys(32)}
`,
      );
      await using etcd = await startEtcd(1);
      const store = await openEtcdStore({ endpoints: etcd.endpoints, clock: systemClock });
      const raw = async (name: string): Promise<Buffer> => {
        const { kv } = await store.get(`/registry/${name}`);
        return Buffer.from(kv!.value);
      };
      const body = (kind: string, name: string) => ({ apiVersion: 'v1', kind, metadata: { name } });
      await using upstream = await startUpstream(etcd.endpoints, [`--encryption-provider-config=${file}`]);
      const theirs = { ...body('Secret', 'theirs'), stringData: { p: 'their secret' } };
      assert.equal((await upstream.request('POST', secrets, theirs)).status, 201);
      assert.equal(
        (await upstream.request('POST', maps, { ...body('ConfigMap', 'theirs'), data: { p: 'x' } })).status,
        201,
      );

      await using server = await startTestApiServer({
        store,
        config: { encryptionProviderConfig: file, storageMediaType: 'application/vnd.kubernetes.protobuf' },
      });
      const ours = server.transport();
      const get = async (path: string) => (await ours.request({ method: 'GET', path })).json() as unknown as Secret;
      assert.equal(atob((await get(`${secrets}/theirs`)).data.p), 'their secret');
      assert.equal((await get(`${maps}/theirs`)).data.p, 'x');
      await ours.request({
        method: 'POST',
        path: secrets,
        body: { ...body('Secret', 'ours'), stringData: { p: 'our secret' } },
      });
      await ours.request({ method: 'POST', path: maps, body: { ...body('ConfigMap', 'ours'), data: { p: 'y' } } });

      const seen = await upstream.request('GET', `${secrets}/ours`);
      assert.equal(seen.status, 200, JSON.stringify(seen.body));
      assert.equal(atob((seen.body as unknown as Secret).data.p), 'our secret');
      const map = await upstream.request('GET', `${maps}/ours`);
      assert.equal((map.body as unknown as Secret).data.p, 'y');
      for (const who of ['ours', 'theirs']) {
        const bytes = await raw(`secrets/default/${who}`);
        assert.equal(bytes.subarray(0, prefix.length).toString('latin1'), prefix);
        assert.ok(!bytes.includes('secret"') && !bytes.includes(Buffer.from('our secret').toString('base64')));
        const gcm = 'k8s:enc:aesgcm:v1:k1:';
        assert.equal((await raw(`configmaps/default/${who}`)).subarray(0, gcm.length).toString('latin1'), gcm);
      }
      await store.close();
      rmSync(folder, { recursive: true });
    },
  );
}
