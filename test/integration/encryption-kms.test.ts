/**
 * Encryption at rest by a KMS v2 plug-in on a unix socket: what is stored, what the plug-in is asked, keys that change,
 * a plug-in that is sick, that lies, and that is gone. What upstream answers was recorded from v1.36.3.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isStatusError } from '#apimachinery';
import { type ApiServerConfig, createApiServer, user } from '#apiserver';
import { createActivity, MetricsRegistry, noFaults, SteppedClock, silentLogger, systemRandom } from '#base';
import type { Transport } from '#client';
import { createMemoryStore, type Store } from '#storage';
import { type KmsPluginServer, startKmsPlugin } from '../support/kms-plugin.ts';

const secrets = '/api/v1/namespaces/default/secrets';

interface World extends AsyncDisposable {
  readonly clock: SteppedClock;
  readonly store: Store;
  readonly plugin: KmsPluginServer;
  /** Replaces the providers of secrets in the file; `kms` is the plug-in. */
  configure(...providers: string[]): void;
  /** A server on the store with this plug-in for secrets. */
  start(config?: Partial<ApiServerConfig>): Promise<Running>;
}

interface Running extends AsyncDisposable {
  readonly client: Transport;
  readonly metrics: MetricsRegistry;
  /** Status and text of a path. */
  text(path: string): Promise<string>;
}

async function world(test: TestContext, more = ''): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'kobune-kms-'));
  const socket = join(folder, 'kms.sock');
  const file = join(folder, 'encryption.yaml');
  const kms = `kms: {apiVersion: v2, name: own, endpoint: "unix://${socket}", timeout: 500ms}`;
  const configure = (...providers: string[]): void =>
    writeFileSync(
      file,
      `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
${providers.map(each => `  - ${each === 'kms' ? kms : each}\n`).join('')}${more.replace('SOCKET', socket)}`,
    );
  configure('kms', 'identity: {}');
  const clock = new SteppedClock();
  const store = createMemoryStore({ clock });
  const plugin = await startKmsPlugin(socket);
  const dispose = async (): Promise<void> => {
    await plugin.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  test.after(dispose);
  return {
    clock,
    store,
    plugin,
    configure,
    start: config => startServer(store, clock, { encryptionProviderConfig: file, ...config }),
    [Symbol.asyncDispose]: dispose,
  };
}

async function startServer(store: Store, clock: SteppedClock, config: Partial<ApiServerConfig>): Promise<Running> {
  const metrics = new MetricsRegistry();
  const deps = { store, clock, random: systemRandom, logger: silentLogger, metrics, faults: noFaults };
  const server = await createApiServer({ ...deps, activity: createActivity() }, config);
  const client = server.transport(user('admin', ['system:masters']));
  return {
    client,
    metrics,
    async text(path) {
      const { status, body } = await server.handle({
        method: 'GET',
        path,
        query: { get: () => undefined, all: () => [], has: () => false } as never,
        headers: {},
        user: user('admin', ['system:masters']),
        signal: new AbortController().signal,
      } as never);
      return `${status} ${body.kind === 'bytes' ? Buffer.from(body.bytes).toString().trim() : ''}`;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const create = async (client: Transport, name: string): Promise<void> => {
  const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: { p: 'swordfish' } };
  await client.request({ method: 'POST', path: secrets, body });
};
const read = async (client: Transport, name: string): Promise<string> => {
  const answer = await (await client.request({ method: 'GET', path: `${secrets}/${name}` })).json();
  return atob((answer as unknown as { data: { p: string } }).data.p);
};
const stored = async (store: Store, name: string): Promise<Buffer> =>
  Buffer.from((await store.get(`/registry/secrets/default/${name}`)).kv!.value);
const messageOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    assert.ok(isStatusError(error));
    return `${error.status.code} ${error.status.message}`;
  }
  throw new assert.AssertionError({ message: 'it was not refused' });
};

/** Steps time until `holds`; the plug-in answers in real time. */
async function until(clock: SteppedClock, holds: () => boolean | Promise<boolean>, stepMs = 2000): Promise<void> {
  for (let turn = 0; turn < 400; turn++) {
    if (await holds()) return;
    await clock.advance(stepMs);
    await pause(10);
  }
  throw new assert.AssertionError({ message: 'it did not come to hold' });
}

describe('a KMS v2 plug-in', () => {
  it('is asked once to encrypt and, after a restart, once to decrypt', async t => {
    const { store, plugin, start } = await world(t);
    {
      await using server = await start();
      for (const name of ['a', 'b', 'c']) await create(server.client, name);
      assert.equal(await read(server.client, 'a'), 'swordfish');
      assert.deepEqual({ ...plugin.calls, status: 0 }, { status: 0, encrypt: 1, decrypt: 0 });
      assert.equal(await server.text('/readyz/kms-providers'), '200 ok');
      assert.equal(await server.text('/healthz/kms-providers'), '200 ok');
      assert.match(await server.text('/livez/kms-providers'), /^404/);
    }
    const bytes = await stored(store, 'a');
    assert.equal(bytes.subarray(0, 19).toString(), 'k8s:enc:kms:v2:own:');
    assert.ok(bytes.includes('how.kms.example.com'), 'annotations are kept');
    assert.ok(bytes.includes('key-1'), 'and the key id');
    await using again = await start();
    for (const name of ['a', 'b', 'c']) assert.equal(await read(again.client, name), 'swordfish');
    assert.equal(plugin.calls.decrypt, 1);
    const metrics = again.metrics.render();
    for (const pattern of [
      /apiserver_envelope_encryption_kms_operations_latency_seconds_count\{grpc_status_code="OK",method_name="\/v2.KeyManagementService\/Decrypt",provider_name="own"\} 1/,
      /apiserver_envelope_encryption_key_id_hash_total\{apiserver_id_hash="sha256:\w{64}",key_id_hash="sha256:\w{64}",provider_name="own",transformation_type="from_storage"\} \d+/,
      /apiserver_envelope_encryption_dek_source_cache_size\{provider_name="own"\} 1/,
      /apiserver_storage_envelope_transformation_cache_misses_total 1/,
      /transformation_operations_total\{resource="secrets",status="OK",transformation_type="from_storage",transformer_prefix="k8s:enc:kms:v2:own:"\}/,
    ])
      assert.match(metrics, pattern);
    assert.ok(!metrics.includes('key-1'));
  });

  it('changes its key: what is old is read, and written anew by an update that changes nothing', async t => {
    const { clock, store, plugin, start } = await world(t);
    await using server = await start();
    await create(server.client, 'a');
    plugin.status.keyId = 'key-2';
    await until(clock, () => plugin.calls.encrypt === 2);
    await until(clock, async () => {
      await create(server.client, `n${clock.now()}`);
      return (await stored(store, `n${clock.now()}`)).includes('key-2');
    });
    assert.equal(await read(server.client, 'a'), 'swordfish');
    assert.ok((await stored(store, 'a')).includes('key-1'));
    const path = `${secrets}/a`;
    const body = (await (await server.client.request({ method: 'GET', path })).json()) as object;
    await server.client.request({ method: 'PUT', path, body });
    assert.ok((await stored(store, 'a')).includes('key-2'));
  });

  it('is gone: the last seed serves for three minutes, reading goes on, and all is well when it comes back', async t => {
    const { clock, plugin, start } = await world(t);
    await using server = await start();
    await create(server.client, 'a');
    await plugin.stop();
    await clock.advance(120_000);
    await create(server.client, 'b');
    await until(clock, async () => (await server.text('/readyz/kms-providers')).startsWith('500'));
    assert.match(
      await server.text('/readyz/kms-providers'),
      /^500 internal server error: kms-provider-0: .*rpc error: code = (DeadlineExceeded|Unavailable) desc = /,
    );
    await clock.advance(180_000);
    const refused = await messageOf(create(server.client, 'c'));
    assert.match(
      refused,
      /^500 Internal error occurred: encryptedDEKSource with keyID hash "sha256:\w{64}" expired at \S+Z \(current time is \S+Z\)$/,
    );
    assert.equal(await read(server.client, 'a'), 'swordfish');
    assert.equal(await read(server.client, 'b'), 'swordfish');
    await plugin.start();
    await until(clock, async () => (await server.text('/readyz/kms-providers')).startsWith('200'));
    await create(server.client, 'c');
    assert.equal(await read(server.client, 'c'), 'swordfish');
  });

  it('comes and goes with its file while the server runs, and what it wrote is read all along', async t => {
    const { clock, store, plugin, configure, start } = await world(t);
    const aescbc = `aescbc: {keys: [{name: k, secret: ${Buffer.alloc(32, 7).toString('base64')}}]}`;
    configure(aescbc);
    await using server = await start({ encryptionProviderConfigAutomaticReload: true });
    const writesBy = async (name: string, prefix: string): Promise<void> => {
      let turn = 0;
      await until(clock, async () => {
        await create(server.client, `${name}${turn}`);
        return (await stored(store, `${name}${turn++}`)).toString('latin1').startsWith(prefix);
      });
    };
    await writesBy('a', 'k8s:enc:aescbc:v1:k:');
    configure('kms', aescbc);
    await writesBy('b', 'k8s:enc:kms:v2:own:');
    assert.equal(await read(server.client, 'a0'), 'swordfish');
    assert.ok((await server.text('/readyz/kms-providers')).startsWith('200'));
    const path = `${secrets}/a0`;
    const body = (await (await server.client.request({ method: 'GET', path })).json()) as object;
    await server.client.request({ method: 'PUT', path, body });
    assert.match((await stored(store, 'a0')).toString('latin1'), /^k8s:enc:kms:v2:own:/, 'an update moves it');
    plugin.status.keyId = 'key-2';
    configure(aescbc, 'kms');
    await writesBy('c', 'k8s:enc:aescbc:v1:k:');
    assert.equal(await read(server.client, 'a0'), 'swordfish');
  });

  it('hangs: health tells it, reads and writes go on by the last seed, and all is well when it answers again', async t => {
    const { clock, plugin, start } = await world(t);
    await using server = await start();
    await create(server.client, 'a');
    plugin.hangs = true;
    await until(clock, async () => (await server.text('/readyz/kms-providers')).startsWith('500'), 1000);
    assert.match(await server.text('/healthz/kms-providers'), /kms-provider-0: .*code = DeadlineExceeded/);
    await create(server.client, 'b');
    assert.equal(await read(server.client, 'a'), 'swordfish');
    assert.match(await server.text('/livez/kms-providers'), /^404/);
    plugin.hangs = false;
    await until(clock, async () => (await server.text('/readyz/kms-providers')).startsWith('200'));
    await create(server.client, 'c');
  });

  it('is gone when the server starts: that starts, secrets are refused, the rest is served', async t => {
    const { clock, plugin, start } = await world(t);
    {
      await using server = await start();
      await create(server.client, 'a');
    }
    await plugin.stop();
    await using server = await start();
    const nothing = '500 Internal error occurred: got unexpected nil transformer';
    assert.equal(await messageOf(create(server.client, 'b')), nothing);
    assert.equal(await messageOf(read(server.client, 'a')), nothing);
    const maps = await server.client.request({ method: 'GET', path: '/api/v1/namespaces/default/configmaps' });
    assert.ok(await maps.json());
    await clock.advance(4000);
    assert.match(
      await server.text('/healthz/kms-providers'),
      /kms-provider-0: failed to perform status section of the healthz check for KMS Provider own, error: rpc error: code = DeadlineExceeded desc = latest balancer error: connection error: desc = "transport: Error while dialing: dial unix \S+: connect: no such file or directory"$/,
    );
    assert.equal(await server.text('/livez/ping'), '200 ok');
    await plugin.start();
    await until(clock, async () => (await server.text('/readyz/kms-providers')).startsWith('200'));
    assert.equal(await read(server.client, 'a'), 'swordfish');
    await create(server.client, 'b');
  });

  it('is waited for when the start itself needs it', async t => {
    const more =
      "- resources: [configmaps]\n  providers: [{kms: {apiVersion: v2, name: more, endpoint: 'unix://SOCKET'}}]\n";
    const { clock, plugin, start, store } = await world(t, more);
    await plugin.stop();
    let isStarted = false;
    const starting = start().then(server => {
      isStarted = true;
      return server;
    });
    for (let turn = 0; turn < 20; turn++) {
      await clock.advance(1000);
      await pause(50);
    }
    assert.equal(isStarted, false);
    await plugin.start();
    await until(clock, () => isStarted, 1000);
    await using server = await starting;
    await until(clock, async () => (await server.text('/readyz/kms-providers')).startsWith('200'));
    await create(server.client, 'a');
    const { kvs } = await store.range({ start: '/registry/configmaps/', end: '/registry/configmaps0' });
    assert.ok(kvs.length > 0);
    for (const { value } of kvs) assert.match(Buffer.from(value).toString('latin1'), /^k8s:enc:kms:v2:more:/);
  });

  it('is sick or lies: health tells it in upstream words', async t => {
    const { clock, plugin, start } = await world(t);
    await using server = await start();
    const told = async (change: Partial<KmsPluginServer['status']>): Promise<string> => {
      const well = { version: 'v2', healthz: 'ok', keyId: 'key-1' };
      Object.assign(plugin.status, well, change);
      await clock.advance(25_000);
      await pause(20);
      await clock.advance(4000);
      const text = await server.text('/readyz/kms-providers');
      Object.assign(plugin.status, well);
      return text;
    };
    const sick = '500 internal server error: kms-provider-0: kmsv2 Provider own is not healthy, error: ';
    assert.equal(await told({ healthz: 'tired' }), `${sick}got unexpected healthz status: tired`);
    assert.equal(await told({ version: 'v9' }), `${sick}expected KMSv2 API version v2, got v9`);
    assert.equal(
      await told({ version: 'v2beta1' }),
      `${sick}KMSv2 API version should not change after the initial status response version v2, got v2beta1`,
    );
    assert.equal(await told({ keyId: '' }), `${sick}got invalid KMSv2 KeyID hash "": keyID is empty`);
    plugin.annotations = { 'no domain': Buffer.from('x') };
    assert.match(
      await told({ keyId: 'key-3' }),
      /failed to rotate DEK uid="[^"]+", useSeed=true, errState=<nil>, errGen=failed to validate annotations: .*no domain.*, statusKeyIDHash="sha256:\w+", encryptKeyIDHash="", stateKeyIDHash="sha256:\w+", expirationTimestamp=\S+Z$/,
    );
  });
});
