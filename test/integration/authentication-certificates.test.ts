/**
 * Client certificates, good and otherwise; the front proxy, and everybody who would like to be taken for it.
 * Answers were compared with a live v1.36 that was started with the same files.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '#base';
import { type Authority, createAuthority, type KeyPair } from '#pki';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { eventually } from '../support/eventually.ts';
import { type RawRequest, rawRequest, type Who, whoIs } from '../support/raw-request.ts';

const dayMs = 24 * 3600 * 1000;
const directory = mkdtempSync(join(tmpdir(), 'kobune-certificates-'));
after(() => rmSync(directory, { recursive: true, force: true }));

let server: TestApiServer;
let clients: Authority;
let proxies: Authority;
let strangers: Authority;
const caFile = join(directory, 'clients.pem');

before(async () => {
  const nowMs = systemClock.now();
  [clients, proxies, strangers] = (await Promise.all(
    ['clients', 'proxies', 'strangers'].map(name => createAuthority(name, nowMs)),
  )) as [Authority, Authority, Authority];
  writeFileSync(caFile, clients.certPem);
  const proxyFile = join(directory, 'proxies.pem');
  writeFileSync(proxyFile, proxies.certPem);
  server = await startTestApiServer({
    config: {
      authentication: {
        clientCaFile: caFile,
        requestHeader: {
          clientCaFile: proxyFile,
          allowedNames: ['front-proxy'],
          usernameHeaders: ['X-Remote-User', 'X-Other-User'],
          uidHeaders: ['X-Remote-Uid'],
          groupHeaders: ['X-Remote-Group'],
          extraHeaderPrefixes: ['X-Remote-Extra-'],
        },
      },
    },
  });
});
after(() => server[Symbol.asyncDispose]());

interface Wanted {
  readonly name?: string;
  readonly organizations?: readonly string[];
  readonly shiftMs?: number;
  readonly usages?: ReadonlyArray<'client auth' | 'server auth'>;
  readonly uids?: readonly string[];
}

const issue = (authority: Authority, wanted: Wanted = {}): Promise<KeyPair> =>
  authority.issue({
    commonName: wanted.name ?? 'alice',
    organizations: wanted.organizations ?? [],
    usages: wanted.usages ?? ['client auth'],
    nowMs: systemClock.now() + (wanted.shiftMs ?? 0),
    ...(wanted.uids && { uids: wanted.uids }),
  });

const status = async (raw: RawRequest): Promise<number> => (await rawRequest(server, raw)).status;

describe('client certificates', () => {
  test('tell user, groups and uid, and which certificate it was', async () => {
    const certificate = await issue(clients, { organizations: ['devs', 'a, b=c'], uids: ['1234'] });
    const found = (await whoIs(server, { certificate })) as Who;
    assert.equal(found.username, 'alice');
    assert.equal(found.uid, '1234');
    assert.deepEqual(found.groups, ['devs', 'a, b=c', 'system:authenticated']);
    const [id] = found.extra?.['authentication.kubernetes.io/credential-id'] ?? [];
    assert.match(id ?? '', /^X509SHA256=[0-9a-f]{64}$/);
  });

  test('of the cluster’s own authority go on beside those of the file', async () => {
    assert.equal(((await whoIs(server, { certificate: server.admin })) as Who).username, 'kubernetes-admin');
  });

  test('that are not good are refused, even where nobody has to be anybody', async () => {
    const bad: Readonly<Record<string, KeyPair>> = {
      expired: await issue(clients, { shiftMs: -400 * dayMs }),
      'not yet valid': await issue(clients, { shiftMs: 400 * dayMs }),
      'of another authority': await issue(strangers),
      'for servers': await issue(clients, { usages: ['server auth'] }),
      'with two uids': await issue(clients, { uids: ['1', '2'] }),
      'with an empty uid': await issue(clients, { uids: [''] }),
      'of the front proxy’s authority': await issue(proxies),
    };
    for (const [what, certificate] of Object.entries(bad)) {
      assert.equal(await whoIs(server, { certificate }), 'Unauthorized', what);
      assert.equal(await status({ path: '/version', certificate }), 401, what);
      const { username } = (await whoIs(server, { certificate, token: server.adminToken })) as Who;
      assert.equal(username, 'admin', `${what}: a good token counts beside it`);
    }
    assert.equal(await status({ path: '/version' }), 200, 'without any credential');
  });

  test('without a name are nobody’s, whatever groups they have', async () => {
    const certificate = await issue(clients, { name: '', organizations: ['system:masters'] });
    for (const path of ['/version', '/api/v1/secrets']) assert.equal(await status({ path, certificate }), 401);
  });

  test('are judged by the file as it is now', async () => {
    const own = await startTestApiServer({ config: { authentication: { clientCaFile: caFile } } });
    try {
      const certificate = await issue(strangers);
      assert.equal(await whoIs(own, { certificate }), 'Unauthorized');
      writeFileSync(caFile, 'no bundle');
      assert.equal(((await whoIs(own, { certificate: await issue(clients) })) as Who).username, 'alice');
      writeFileSync(caFile, strangers.certPem);
      await eventually(
        'the new authority is trusted',
        async () => (await whoIs(own, { certificate })) !== 'Unauthorized',
      );
      assert.equal(await whoIs(own, { certificate: await issue(clients) }), 'Unauthorized', 'the old one no more');
    } finally {
      writeFileSync(caFile, clients.certPem);
      await own[Symbol.asyncDispose]();
    }
  });
});

describe('the front proxy', () => {
  const masters: NonNullable<RawRequest['headers']> = [
    ['X-Remote-User', 'bob'],
    ['X-Remote-Group', 'system:masters'],
  ];

  test('says whom it speaks for', async () => {
    const certificate = await issue(proxies, { name: 'front-proxy' });
    const headers: RawRequest['headers'] = [
      ['X-Remote-User', 'bob'],
      ['X-Remote-Group', 'one'],
      ['X-Remote-Group', 'two, three'],
      ['X-Remote-Uid', 'u'],
      ['X-Remote-Extra-Example.org%2fScopes', 'a'],
      ['x-remote-extra-example.org%2Fscopes', 'b'],
    ];
    assert.deepEqual(await whoIs(server, { certificate, headers }), {
      username: 'bob',
      uid: 'u',
      groups: ['one', 'two, three', 'system:authenticated'],
      extra: { 'example.org/scopes': ['a', 'b'] },
    });
    const other = (await whoIs(server, {
      certificate,
      headers: [
        ['X-Remote-User', ''],
        ['X-Other-User', 'eve'],
      ],
    })) as Who;
    assert.equal(other.username, 'eve');
    const twice = (await whoIs(server, {
      certificate,
      headers: [
        ['X-Remote-User', 'bob'],
        ['X-Remote-User', 'eve'],
      ],
    })) as Who;
    assert.equal(twice.username, 'bob');
  });

  test('that says nothing is a certificate that clients cannot have', async () => {
    const certificate = await issue(proxies, { name: 'front-proxy' });
    assert.equal(await whoIs(server, { certificate }), 'Unauthorized');
    assert.equal(
      await whoIs(server, { certificate, headers: masters.slice(1) }),
      'Unauthorized',
      'groups without a user',
    );
  });

  test('is nobody else: the headers of others are headers', async () => {
    const others: Array<Omit<RawRequest, 'path'>> = [
      {},
      { token: server.adminToken.replace(/^./, 'x') },
      { certificate: await issue(proxies, { name: 'stranger' }) },
      { certificate: await issue(strangers, { name: 'front-proxy' }) },
      { certificate: await issue(clients, { name: 'front-proxy' }) },
      { certificate: await issue(proxies, { name: 'front-proxy', shiftMs: -400 * dayMs }) },
      { certificate: await issue(proxies, { name: 'front-proxy', usages: ['server auth'] }) },
    ];
    for (const [at, other] of others.entries()) {
      const found = await rawRequest(server, {
        ...other,
        path: '/api/v1/namespaces/kube-system/secrets',
        headers: masters,
      });
      assert.notEqual(found.status, 200, `caller ${at}`);
      const who = await whoIs(server, { ...other, headers: masters });
      if (typeof who !== 'string') assert.notEqual(who.username, 'bob', `caller ${at}`);
    }
  });

  test('cannot be spelt otherwise', async () => {
    const certificate = await issue(proxies, { name: 'front-proxy' });
    const spellings: Array<NonNullable<RawRequest['headers']>> = [
      [['X_Remote_User', 'bob']],
      [['X-Remote_User', 'bob']],
      [['X-Remote-User-', 'bob']],
      [['XRemote-User', 'bob']],
    ];
    for (const headers of spellings) assert.equal(await whoIs(server, { certificate, headers }), 'Unauthorized');
    // A client's Connection header takes nothing off on the way in.
    const named: RawRequest['headers'] = [
      ['Connection', 'close, X-Remote-User'],
      ['X-Remote-User', 'bob'],
    ];
    assert.equal(((await whoIs(server, { certificate, headers: named })) as Who).username, 'bob');
  });

  test('a good token wins over headers that were smuggled in beside it', async () => {
    const found = (await whoIs(server, { token: server.adminToken, headers: [['X-Remote-User', 'bob']] })) as Who;
    assert.equal(found.username, 'admin');
  });
});
