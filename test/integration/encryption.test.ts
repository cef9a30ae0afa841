/**
 * Encryption at rest: what stands in the store with each provider, keys that are rotated, a configuration that changes
 * while the server runs, and values that cannot be read. What upstream answers was recorded from v1.36.3.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Json } from '#apimachinery';
import { type ApiServerConfig, createApiServer, user } from '#apiserver';
import {
  type Clock,
  createActivity,
  createLogger,
  MetricsRegistry,
  noFaults,
  SteppedClock,
  systemClock,
  systemRandom,
} from '#base';
import type { Transport } from '#client';
import { createMemoryStore, openSqliteStore, type Store } from '#storage';

const key = (size = 32): string => randomBytes(size).toString('base64');
const [k1, k2] = [key(), key()];
const secrets = '/api/v1/namespaces/default/secrets';

const aescbc = (...keys: ReadonlyArray<readonly [name: string, secret: string]>): string =>
  `aescbc: {keys: [${keys.map(([name, secret]) => `{name: ${name}, secret: ${secret}}`).join(', ')}]}`;

function configuration(...rules: ReadonlyArray<readonly [resources: string, ...providers: string[]]>): string {
  const text = rules.map(
    ([resources, ...providers]) =>
      `- resources: [${resources}]\n  providers: [${providers.map(p => `{${p}}`).join(', ')}]\n`,
  );
  return `apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n${text.join('')}`;
}

interface Running extends AsyncDisposable {
  readonly client: Transport;
  readonly metrics: MetricsRegistry;
  readonly log: () => string;
}

async function start(store: Store, config: Partial<ApiServerConfig>, clock: Clock = systemClock): Promise<Running> {
  const metrics = new MetricsRegistry();
  const lines: string[] = [];
  const server = await createApiServer(
    {
      store,
      clock,
      random: systemRandom,
      logger: createLogger({ level: 'debug', write: line => lines.push(line), clock }),
      metrics,
      faults: noFaults,
      activity: createActivity(),
    },
    config,
  );
  const client = server.transport(user('admin', ['system:masters']));
  return { client, metrics, log: () => lines.join(''), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

interface Secret {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly data: Readonly<Record<string, string>>;
}

const secret = (name: string, p: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  stringData: { p },
});
const create = async (client: Transport, name: string, p = 'swordfish'): Promise<Secret> =>
  (await (await client.request({ method: 'POST', path: secrets, body: secret(name, p) })).json()) as unknown as Secret;
const get = async (client: Transport, path: string): Promise<Json> =>
  (await client.request({ method: 'GET', path })).json();
const read = async (client: Transport, name: string): Promise<string> =>
  atob(((await get(client, `${secrets}/${name}`)) as unknown as Secret).data['p']!);
const stored = async (store: Store, place: string): Promise<string> =>
  Buffer.from((await store.get(`/registry/${place}`)).kv!.value).toString('latin1');

/** The Status of a request that must fail. */
async function refusal(client: Transport, method: string, url: string, body?: object): Promise<object> {
  const [path = '', search] = url.split('?');
  const query = [...new URLSearchParams(search)];
  try {
    await client.request({ method: method as 'GET', path, query, ...(body && { body }) });
  } catch (error) {
    const { code, reason, message, details } = (error as { status: Record<string, unknown> }).status;
    return { code, reason, message, details };
  }
  throw new assert.AssertionError({ message: `${method} ${url} was not refused` });
}

function folderFor(test: { after(fn: () => void): void }): { readonly folder: string; readonly file: string } {
  const folder = mkdtempSync(join(tmpdir(), 'kobune-encryption-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, file: join(folder, 'encryption.yaml') };
}

describe('encryption at rest', () => {
  it('keeps what is secret out of every file and every log line', async t => {
    const { folder, file } = folderFor(t as never);
    writeFileSync(
      file,
      configuration(['secrets', aescbc(['k1', k1!])], ['"*.*"', `secretbox: {keys: [{name: b, secret: ${key()}}]}`]),
    );
    const store = await openSqliteStore({ path: join(folder, 'store.db'), clock: systemClock, onFatal: () => {} });
    const needles = ['swordfish-1734', Buffer.from('swordfish-1734').toString('base64').slice(0, 16), k1!];
    const search = (): string[] =>
      readdirSync(folder)
        .filter(name => name.startsWith('store.db'))
        .filter(name => needles.some(needle => readFileSync(join(folder, name)).includes(needle)));
    const server = await start(store, { encryptionProviderConfig: file });
    await create(server.client, 'a', 'swordfish-1734');
    const path = '/api/v1/namespaces/default/configmaps';
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data: { p: 'swordfish-1734' } };
    await server.client.request({ method: 'POST', path, body });
    assert.equal(await read(server.client, 'a'), 'swordfish-1734');
    assert.match(await stored(store, 'secrets/default/a'), /^k8s:enc:aescbc:v1:k1:/);
    assert.match(await stored(store, 'configmaps/default/m'), /^k8s:enc:secretbox:v1:b:/);
    assert.deepEqual(search(), [], 'while it runs');
    await server[Symbol.asyncDispose]();
    await store.close();
    assert.deepEqual(search(), [], 'after it stopped');
    for (const needle of needles) assert.ok(!server.log().includes(needle));
  });

  it('chooses by resource: a name, a group, the core group, everything, with custom resources', async t => {
    const { file } = folderFor(t as never);
    const gcm = (name: string): string => `aesgcm: {keys: [{name: ${name}, secret: ${key(16)}}]}`;
    writeFileSync(
      file,
      configuration(
        ['events, leases.coordination.k8s.io', 'identity: {}'],
        ['secrets, widgets.example.com', gcm('named')],
        ['"*.rbac.authorization.k8s.io"', gcm('group')],
        ['"*."', gcm('core')],
        ['"*.*"', gcm('all')],
      ),
    );
    const store = createMemoryStore({ clock: systemClock });
    await using server = await start(store, { encryptionProviderConfig: file });
    await create(server.client, 'a');
    await server.client.request({
      method: 'POST',
      path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      body: {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata: { name: 'widgets.example.com' },
        spec: {
          group: 'example.com',
          names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
          scope: 'Namespaced',
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
            },
          ],
        },
      },
    });
    const path = '/apis/example.com/v1/namespaces/default/widgets';
    const widget = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec: { a: 1 } };
    for (let turn = 0; ; turn++) {
      try {
        await server.client.request({ method: 'POST', path, body: widget });
        break;
      } catch (error) {
        if (turn > 100) throw error;
        await new Promise(resolve => setTimeout(resolve, 20));
      }
    }
    const marks: Record<string, string | undefined> = {};
    for (const place of [
      'secrets/default/a',
      'example.com/widgets/default/w',
      'clusterroles/view',
      'namespaces/default',
      'apiextensions.k8s.io/customresourcedefinitions/widgets.example.com',
      'flowschemas/exempt',
    ])
      marks[place.split('/')[0]!] = /^k8s:enc:aesgcm:v1:(\w+):/.exec(await stored(store, place))?.[1];
    assert.deepEqual(marks, {
      secrets: 'named',
      'example.com': 'named',
      clusterroles: 'group',
      namespaces: 'core',
      'apiextensions.k8s.io': 'all',
      flowschemas: 'all',
    });
    const leases = await store.range({ start: '/registry/leases/', end: '/registry/leases0' });
    assert.ok(leases.kvs.length > 0);
    for (const { value } of leases.kvs) assert.equal(value[0], 0x7b);
    const { items } = (await get(server.client, path)) as unknown as { items: Array<{ spec: { a: number } }> };
    assert.equal(items[0]!.spec.a, 1);
  });

  it('rotates keys: both are read, an update that changes nothing writes by the first', async t => {
    const { file } = folderFor(t as never);
    const store = createMemoryStore({ clock: systemClock });
    const config = { encryptionProviderConfig: file };
    {
      await using server = await start(store, {});
      await create(server.client, 'a');
    }
    assert.match(await stored(store, 'secrets/default/a'), /^\{/);
    const replace = async (client: Transport): Promise<Secret> => {
      const body = (await get(client, `${secrets}/a`)) as object;
      return (await (await client.request({ method: 'PUT', path: `${secrets}/a`, body })).json()) as unknown as Secret;
    };
    for (const [providers, mark] of [
      [[aescbc(['k1', k1!]), 'identity: {}'], 'k8s:enc:aescbc:v1:k1:'],
      [[aescbc(['k2', k2!], ['k1', k1!])], 'k8s:enc:aescbc:v1:k2:'],
      [[`aesgcm: {keys: [{name: k3, secret: ${k1}}]}`, aescbc(['k2', k2!])], 'k8s:enc:aesgcm:v1:k3:'],
      [['identity: {}', `aesgcm: {keys: [{name: k3, secret: ${k1}}]}`], '{'],
    ] as const) {
      writeFileSync(file, configuration(['secrets', ...providers]));
      await using server = await start(store, config);
      assert.equal(await read(server.client, 'a'), 'swordfish');
      const before = (await get(server.client, `${secrets}/a`)) as unknown as Secret;
      const after = await replace(server.client);
      assert.notEqual(after.metadata.resourceVersion, before.metadata.resourceVersion);
      assert.equal((await stored(store, 'secrets/default/a')).slice(0, mark.length), mark);
      const again = await replace(server.client);
      assert.equal(again.metadata.resourceVersion, after.metadata.resourceVersion, 'nothing is stale any more');
    }
  });

  it('reads its file again when it changes, and keeps what works when it is wrong', async t => {
    const { file } = folderFor(t as never);
    const clock = new SteppedClock();
    const store = createMemoryStore({ clock });
    writeFileSync(file, configuration(['secrets', aescbc(['k1', k1!])]));
    const config = { encryptionProviderConfig: file, encryptionProviderConfigAutomaticReload: true };
    await using server = await start(store, config, clock);
    await create(server.client, 'a');
    writeFileSync(file, configuration(['secrets', aescbc(['k2', k2!], ['k1', k1!])]));
    const reloads = (status: string): boolean =>
      new RegExp(`automatic_reloads_total\\{[^}]*status="${status}"\\} [1-9]`).test(server.metrics.render());
    for (let turn = 0; !reloads('success') && turn < 50; turn++) {
      await clock.advance(10_000);
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    await create(server.client, 'b');
    assert.match(await stored(store, 'secrets/default/b'), /^k8s:enc:aescbc:v1:k2:/);
    assert.equal(await read(server.client, 'a'), 'swordfish');
    writeFileSync(file, configuration(['secrets', aescbc(['k3', 'AAAA'])]));
    for (let turn = 0; !reloads('failure') && turn < 50; turn++) {
      await clock.advance(10_000);
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    assert.ok(reloads('failure'));
    await create(server.client, 'c');
    assert.match(await stored(store, 'secrets/default/c'), /^k8s:enc:aescbc:v1:k2:/);
    assert.ok(!server.log().includes(k2!));
  });

  it('answers as upstream where a value cannot be read, and goes on with the rest', async t => {
    const { file } = folderFor(t as never);
    const store = createMemoryStore({ clock: systemClock });
    writeFileSync(file, configuration(['secrets', aescbc(['k1', k1!])]));
    {
      await using server = await start(store, { encryptionProviderConfig: file });
      await create(server.client, 'a');
    }
    await using server = await start(store, {});
    const { client } = server;
    const why = 'identity transformer tried to read encrypted data';
    const internal = (text: string) => ({
      code: 500,
      reason: 'InternalError',
      message: `Internal error occurred: ${text}`,
      details: { causes: [{ message: text }] },
    });
    const named = `unable to transform key "/registry/secrets/default/a": ${why}`;
    const waiting = {
      code: 429,
      reason: 'TooManyRequests',
      message: `storage is (re)initializing: failed to list *core.Secret: ${named}`,
      details: { retryAfterSeconds: 1 },
    };
    assert.deepEqual(await refusal(client, 'GET', `${secrets}/a`), internal(why));
    assert.deepEqual(await refusal(client, 'GET', secrets), internal(named));
    assert.deepEqual(await refusal(client, 'GET', '/api/v1/secrets?limit=5'), internal(named));
    assert.deepEqual(await refusal(client, 'GET', '/api/v1/secrets?resourceVersion=0'), waiting);
    assert.deepEqual(await refusal(client, 'GET', '/api/v1/secrets?watch=true'), waiting);
    assert.deepEqual(await refusal(client, 'PUT', `${secrets}/a`, secret('a', 'x')), internal(why));
    assert.deepEqual(await refusal(client, 'DELETE', `${secrets}/a`), internal(why));
    const unsafe = { kind: 'DeleteOptions', apiVersion: 'v1', ignoreStoreReadErrorWithClusterBreakingPotential: true };
    assert.deepEqual(await refusal(client, 'DELETE', `${secrets}/a`, unsafe), internal(why));
    assert.deepEqual(await refusal(client, 'DELETE', secrets), internal(named));
    assert.equal(((await refusal(client, 'POST', secrets, secret('a', 'x'))) as { code: number }).code, 409);
    await create(client, 'plain');
    assert.equal(await read(client, 'plain'), 'swordfish');
    const others = (await get(client, '/api/v1/namespaces/kube-system/secrets')) as unknown as { items: Secret[] };
    assert.deepEqual(others.items, []);
    assert.ok(((await get(client, '/api/v1/namespaces')) as unknown as { items: object[] }).items.length > 3);
  });

  it('tells of the keys and the providers that do not fit', async t => {
    const { file } = folderFor(t as never);
    const store = createMemoryStore({ clock: systemClock });
    writeFileSync(file, configuration(['secrets', aescbc(['k1', k1!])]));
    {
      await using server = await start(store, { encryptionProviderConfig: file });
      await create(server.client, 'a');
    }
    for (const [provider, why] of [
      [aescbc(['k2', k2!]), 'no matching key was found for the provided AES transformer'],
      [`aesgcm: {keys: [{name: k1, secret: ${k2}}]}`, 'no matching prefix found'],
      [aescbc(['k1', k2!]), /invalid PKCS7 data|invalid padding on input/],
    ] as const) {
      writeFileSync(file, configuration(['secrets', provider]));
      await using server = await start(store, { encryptionProviderConfig: file });
      const { message } = (await refusal(server.client, 'GET', `${secrets}/a`)) as { message: string };
      if (typeof why === 'string') assert.equal(message, `Internal error occurred: ${why}`);
      else assert.match(message, why);
      assert.match(
        server.metrics.render(),
        /apiserver_storage_transformation_operations_total\{resource="secrets",status="unknown-non-grpc",transformation_type="from_storage"/,
      );
    }
  });

  it('ends the watches of a resource when another server writes what it cannot read, and of no other', async t => {
    const { file } = folderFor(t as never);
    const store = createMemoryStore({ clock: systemClock });
    writeFileSync(file, configuration(['secrets', aescbc(['k1', k1!])]));
    await using other = await start(store, { encryptionProviderConfig: file });
    await using server = await start(store, {});
    const events = (path: string): { done: Promise<string[]>; abort: AbortController } => {
      const abort = new AbortController();
      const query: Array<[string, string]> = [['watch', 'true']];
      const done = (async () => {
        const seen: string[] = [];
        const answer = await server.client.request({ method: 'GET', path, query, signal: abort.signal });
        try {
          for await (const { object } of answer.events()) seen.push((object as unknown as Secret).metadata.name);
        } catch {
          // aborted
        }
        return seen;
      })();
      return { done, abort };
    };
    const watched = events('/api/v1/secrets');
    const maps = events('/api/v1/namespaces/default/configmaps');
    await create(server.client, 'readable');
    await create(other.client, 'unreadable');
    assert.deepEqual(await watched.done, ['readable']);
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' } };
    await other.client.request({ method: 'POST', path: '/api/v1/namespaces/default/configmaps', body });
    await get(server.client, '/api/v1/namespaces/default/configmaps');
    await new Promise(resolve => setTimeout(resolve, 50));
    maps.abort.abort();
    assert.ok((await maps.done).includes('m'));
  });
});
