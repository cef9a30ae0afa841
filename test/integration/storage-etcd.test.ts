/** The shared storage suite on a real etcd, and what only a cluster can show: members that go, a leader that goes. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, silentLogger, systemClock } from '#base';
import { createAuthority } from '#pki';
import { openEtcdStore, prefixEnd, type Store, startWatchCache } from '#storage';
import { storageSuite } from '../../src/storage/suite/suite.ts';
import { type EtcdCluster, etcdMissing, startEtcd } from '../support/etcd.ts';

const missing = etcdMissing();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function wipe(endpoints: readonly string[]): Promise<void> {
  const store = await openEtcdStore({ endpoints, clock: systemClock });
  const { kvs } = await store.range({ start: '\x01', end: '\xff', keysOnly: true });
  for (let at = 0; at < kvs.length; at += 100)
    await store.txn(
      [],
      kvs.slice(at, at + 100).map(({ key }) => ({ type: 'delete', key })),
    );
  await store.close();
}

if (missing) test('the etcd engine', { skip: missing }, () => {});
else {
  let single: EtcdCluster;
  before(async () => {
    single = await startEtcd(1);
  });
  after(() => single?.[Symbol.asyncDispose]());
  storageSuite(
    'etcd',
    async () => {
      const { endpoints } = single;
      const store = await openEtcdStore({ endpoints, clock: systemClock });
      const dispose = async () => {
        await store.close();
        await wipe(endpoints);
      };
      return { store, advance: ms => sleep(ms), dispose };
    },
    {
      ttlSeconds: 3,
      ordered: false,
      skip: { 'revisions follow call order': 'etcd decides transactions of different keys side by side' },
    },
  );

  test('etcd: two stores on one cluster see one truth', async () => {
    const [one, two] = await Promise.all(
      [1, 2].map(() => openEtcdStore({ endpoints: single.endpoints, clock: systemClock })),
    );
    const codec = {
      decode: (value: Uint8Array) => new TextDecoder().decode(value),
      index: () => ({ labels: {}, fields: {} }),
    };
    const options = { prefix: '/r/' };
    await using cacheOne = await startWatchCache({ store: one!, clock: systemClock, logger: silentLogger }, options);
    await using cacheTwo = await startWatchCache({ store: two!, clock: systemClock, logger: silentLogger }, options);
    const [a, b] = [cacheOne, cacheTwo].map(cache => cache.resource({ prefix: '/r/pods/', codec }));
    for (let at = 0; at < 100; at++) {
      const [writer, reader] = at % 2 ? [one!, b!] : [two!, a!];
      const put = { type: 'put' as const, key: '/r/pods/x', value: bytes(String(at)) };
      const { revision } = await writer.txn([], [put]);
      await reader.fresh();
      assert.equal(reader.get('/r/pods/x')!.object, String(at));
      assert.ok(reader.revision >= revision);
    }
    const race = await Promise.all(
      [one!, two!].map(store =>
        store.txn([{ key: '/r/lock', modRevision: 0 }], [{ type: 'put', key: '/r/lock', value: bytes('x') }]),
      ),
    );
    assert.deepEqual(race.map(each => each.ok).sort(), [false, true]);
    await Promise.all([one!.close(), two!.close()]);
    await wipe(single.endpoints);
  });

  test('etcd: by TLS with a client certificate; without one, or with another CA, not at all', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kobune-etcd-tls-'));
    const nowMs = systemClock.now();
    const [authority, stranger] = await Promise.all(['etcd-ca', 'other-ca'].map(name => createAuthority(name, nowMs)));
    const request = { commonName: 'etcd', usages: ['server auth', 'client auth'], nowMs } as const;
    const [serving, client] = await Promise.all([
      authority!.issue({ ...request, ipAddresses: ['127.0.0.1'] }),
      authority!.issue({ ...request, commonName: 'kube-apiserver-etcd-client' }),
    ]);
    const files = { ca: join(folder, 'ca.pem'), cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    await writeFile(files.ca, authority!.certPem);
    await writeFile(files.cert, serving.certPem);
    await writeFile(files.key, serving.keyPem);
    await using secured = await startEtcd(1, files);
    const { endpoints } = secured;
    const open = (ca: string, pair?: { certPem: string; keyPem: string }) => {
      const identity = pair && { cert: Buffer.from(pair.certPem), key: Buffer.from(pair.keyPem) };
      return openEtcdStore({
        endpoints,
        clock: systemClock,
        tls: () => ({ ca: Buffer.from(ca), ...identity }),
        timeoutMs: 1500,
      });
    };
    const store = await open(authority!.certPem, client);
    await store.txn([], [{ type: 'put', key: '/tls', value: bytes('x') }]);
    assert.ok((await store.get('/tls')).kv);
    await store.close();
    const shown: { pair: { certPem: string; keyPem: string } } = { pair: client };
    const ticks: Array<() => void> = [];
    const clock: Clock = {
      ...systemClock,
      setTicker(tick, periodMs) {
        ticks.push(tick);
        return systemClock.setTicker(() => {}, periodMs);
      },
    };
    const tls = () => ({
      ca: Buffer.from(authority!.certPem),
      cert: Buffer.from(shown.pair.certPem),
      key: Buffer.from(shown.pair.keyPem),
    });
    const following = await openEtcdStore({ endpoints, clock, tls, timeoutMs: 1500 });
    const replace = (pair: { certPem: string; keyPem: string }): void => {
      shown.pair = pair;
      for (const tick of ticks) tick();
    };
    replace(await stranger!.issue({ ...request, commonName: 'nobody' }));
    await assert.rejects(following.get('/tls'), { code: 'unavailable' });
    replace({ ...client, keyPem: 'half a f' });
    replace(await authority!.issue({ ...request, commonName: 'kube-apiserver-etcd-client' }));
    assert.ok((await following.get('/tls')).kv, 'the certificate was replaced without a restart');
    await following.close();
    await assert.rejects(open(authority!.certPem), { code: 'unavailable' });
    await assert.rejects(open(stranger!.certPem, client), { code: 'unavailable' });
    await rm(folder, { recursive: true });
  });

  test('etcd: members and the leader are killed in turn; writes go on and nothing acknowledged is lost', async () => {
    await using cluster = await startEtcd(3);
    await cluster.leader();
    const store = await openEtcdStore({ endpoints: cluster.endpoints, clock: systemClock });
    const abort = new AbortController();
    const seen = new Map<string, number>();
    const revisions: number[] = [];
    const watching = (async () => {
      for await (const { events } of store.watch({
        start: '/k/',
        end: prefixEnd('/k/'),
        afterRevision: 1,
        signal: abort.signal,
      }))
        for (const event of events) {
          assert.ok(!seen.has(event.key), `${event.key} was told twice`);
          seen.set(event.key, event.revision);
          revisions.push(event.revision);
        }
    })();
    const written = new Map<string, number>();
    let stop = false;
    const writing = Promise.all([0, 1, 2, 3].map(writer => write(store, writer, written, () => stop)));
    for (const victim of [0, 1, 2, 'leader', 'leader'] as const) {
      const member = victim === 'leader' ? await cluster.leader() : victim;
      const before = written.size;
      await cluster.kill(member);
      while (written.size < before + 200) await sleep(20);
      await cluster.start(member);
      await cluster.leader();
      await sleep(500);
    }
    stop = true;
    await writing;
    const { kvs } = await store.range({ start: '/k/', end: prefixEnd('/k/') });
    const stored = new Map(kvs.map(kv => [kv.key, kv.modRevision]));
    for (const [key, revision] of written) assert.equal(stored.get(key), revision, `${key} was acknowledged`);
    for (let turn = 0; seen.size < stored.size && turn < 200; turn++) await sleep(20);
    assert.deepEqual(
      revisions,
      revisions.toSorted((x, y) => x - y),
    );
    assert.deepEqual([...seen].sort(), [...stored].sort());
    abort.abort();
    await watching;
    await store.close();
  });
}

/** Creates key after key; a create whose first answer was lost must not be refused by itself. */
async function write(store: Store, writer: number, written: Map<string, number>, done: () => boolean): Promise<void> {
  for (let at = 0; !done(); at++) {
    const key = `/k/${writer}/${at}`;
    const result = await store.txn([{ key, modRevision: 0 }], [{ type: 'put', key, value: bytes(key) }]);
    assert.ok(result.ok, `${key} was refused`);
    written.set(key, result.revision);
  }
}
