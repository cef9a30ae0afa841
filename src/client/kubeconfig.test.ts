import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lease } from '#api/types';
import { StatusError } from '#apimachinery';
import { SteppedClock, silentLogger, UserError } from '#base';
import type { Client } from './client.ts';
import { parseKubeconfig } from './kubeconfig.ts';
import { runAsLeader } from './leader-election.ts';

const config = (user: object, more: object = {}): string =>
  JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u', namespace: 'ns' } }],
    clusters: [
      {
        name: 'k',
        cluster: { server: 'https://h:1', 'certificate-authority-data': Buffer.from('CA').toString('base64') },
      },
    ],
    users: [{ name: 'u', user }],
    ...more,
  });

test('a kubeconfig names a server and who to be', () => {
  const read = (user: object) => parseKubeconfig(config(user), { directory: '/d' });
  assert.deepEqual(read({ token: 't' }), {
    name: 'c',
    namespace: 'ns',
    transport: { server: 'https://h:1', caPem: 'CA', token: 't' },
  });
  assert.equal(read({ tokenFile: 'f' }).transport.tokenFile, '/d/f');
  assert.deepEqual(read({ as: 'x' }).transport.impersonate, { user: 'x', groups: [] });
  const plugin = {
    apiVersion: 'client.authentication.k8s.io/v1',
    interactiveMode: 'Never',
    command: process.execPath,
    args: ['-e', 'console.log(JSON.stringify({status:{token:"from-plugin"}}))'],
  };
  assert.equal(read({ exec: plugin }).transport.token, 'from-plugin');
  assert.throws(() => parseKubeconfig(config({}), { directory: '/d', context: 'other' }), UserError);
  assert.throws(() => parseKubeconfig('{}', { directory: '/d' }), UserError);
});

/** A lease that lives in memory, with the optimistic writes of a server; it answers nothing while `hangs` says so. */
function leaseClient(hangs: () => boolean = () => false): Client {
  let lease: Lease | undefined;
  let version = 0;
  const store = (object: Lease): Lease =>
    (lease = { ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } });
  const resource = {
    namespace: () => resource,
    async get() {
      if (hangs()) await new Promise(() => {});
      if (!lease) throw new StatusError({ code: 404, reason: 'NotFound', message: 'none' });
      return lease;
    },
    create: async (object: Lease) => store(object),
    async update(object: Lease) {
      if (object.metadata.resourceVersion !== lease?.metadata.resourceVersion) {
        throw new StatusError({ code: 409, reason: 'Conflict', message: 'changed' });
      }
      return store(object);
    },
  };
  return { resource: () => resource } as unknown as Client;
}

test('of two candidates one leads; the other follows when the lease is given back', async () => {
  const clock = new SteppedClock();
  const deps = { client: leaseClient(), clock, logger: silentLogger };
  const told: string[] = [];
  const stop = new AbortController();
  const firstEnds = Promise.withResolvers<void>();
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve));
  };
  const run = (identity: string, until: Promise<void>): Promise<void> =>
    runAsLeader(
      deps,
      { namespace: 'ns', name: 'l', identity },
      async () => {
        told.push(identity);
        await until;
      },
      stop.signal,
    );
  const first = run('one', firstEnds.promise);
  await settle();
  const second = run('two', Promise.resolve());
  for (let step = 0; step < 15; step++) {
    await clock.advance(2000);
    await settle();
  }
  assert.deepEqual(told, ['one']);
  firstEnds.resolve();
  await first;
  await clock.advance(2000);
  await settle();
  await second;
  assert.deepEqual(told, ['one', 'two']);
});

test('a leader whose server does not answer is none when others may take the lease', async () => {
  const clock = new SteppedClock();
  let hangs = false;
  const deps = { client: leaseClient(() => hangs), clock, logger: silentLogger };
  let lostAtMs = 0;
  const leading = runAsLeader(
    deps,
    { namespace: 'ns', name: 'l', identity: 'one' },
    async signal => {
      await new Promise(resolve => signal.addEventListener('abort', resolve));
      lostAtMs = clock.monotonicMs();
    },
    new AbortController().signal,
  );
  const lost = assert.rejects(leading, /lost the lease l/);
  const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
  for (let turn = 0; turn < 20; turn++) await settle();
  hangs = true;
  for (let step = 0; step < 30; step++) {
    await clock.advance(500);
    for (let turn = 0; turn < 5; turn++) await settle();
  }
  await lost;
  assert.ok(lostAtMs >= 9000 && lostAtMs <= 12_000, `lost after ${lostAtMs} ms`);
});
