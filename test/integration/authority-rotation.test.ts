/**
 * The cluster's authorities and the key of its tokens are replaced while the server runs, by time and by command: first
 * both are trusted, then the new one signs, at last the old one is nobody's. Watches go on, and whoever reads what the
 * cluster publishes never sees a server that it cannot believe.
 */
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import type { ClientRequest, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { load } from 'js-yaml';
import { SteppedClock, silentLogger, systemClock } from '#base';
import { stateDir } from '#cluster';
import { createAuthority, parseBundle } from '#pki';
import { defaultLifetimes, ensureAuthority } from '../../src/cluster/authority-files.ts';
import type { PkiNames } from '../../src/cluster/pki-files.ts';
import { keepPki } from '../../src/cluster/pki-keeper.ts';
import { assertSentence, createPlace, freePort, type Output, type Place } from '../support/program.ts';

const day = 24 * 3600_000;
const names: PkiNames = { apiServerNames: ['127.0.0.1', 'localhost'], kubeletNames: ['node'], nodeName: 'node' };

function folderOf(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'kobune-authority-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Until what is asserted holds; its own error after a while. */
async function settles(holds: () => void | Promise<void>): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + 20_000;
  for (;;) {
    try {
      return await holds();
    } catch (error) {
      if (systemClock.monotonicMs() > deadlineMs) throw error;
      await systemClock.sleep(50);
    }
  }
}

const isSignedBy = (certPem: string, authorityPem: string): boolean =>
  new X509Certificate(certPem).verify(new X509Certificate(authorityPem).publicKey);

describe('an authority, by time', () => {
  it('is followed by the next one long before it ends, and is believed for as long as anything of it may last', async t => {
    const base = join(folderOf(t), 'ca');
    const start = systemClock.now();
    const at = (days: number): ReturnType<typeof ensureAuthority> =>
      ensureAuthority(base, 'kubernetes', start + days * day);
    const first = await at(0);
    assert.equal(first.phase, 'steady');
    assert.equal(first.bundlePem, first.authority.certPem);
    assert.equal((await at(3650 - 486)).bundlePem, first.bundlePem, 'there is time');

    const prepared = await at(3650 - 484);
    assert.equal(prepared.phase, 'prepared');
    assert.equal(prepared.authority.certPem, first.authority.certPem, 'the old one signs');
    assert.equal(parseBundle(prepared.bundlePem).length, 2);
    assert.deepEqual(await phases([3650 - 483, 3650 - 400]), ['prepared', 'prepared']);

    const switched = await at(3650 - 394);
    assert.equal(switched.phase, 'switched');
    assert.notEqual(switched.authority.certPem, first.authority.certPem);
    assert.deepEqual(
      parseBundle(switched.bundlePem)
        .map(each => each.serialNumber)
        .sort(),
      parseBundle(prepared.bundlePem)
        .map(each => each.serialNumber)
        .sort(),
      'nobody has to learn anything at the moment of the switch',
    );
    assert.equal(readFileSync(`${base}.key`, 'utf8'), switched.authority.keyPem);
    assert.throws(() => readFileSync(`${base}-next.key`), 'one key signs');

    assert.deepEqual(await phases([3650 - 30]), ['switched']);
    const last = await at(3650 - 28);
    assert.equal(last.phase, 'steady');
    assert.equal(last.bundlePem, switched.authority.certPem);

    async function phases(days: readonly number[]): Promise<string[]> {
      const found: string[] = [];
      for (const each of days) found.push((await at(each)).phase);
      return found;
    }
  });

  it('is replaced at once when nobody looked until it had ended', async t => {
    const base = join(folderOf(t), 'ca');
    const start = systemClock.now();
    const first = await ensureAuthority(base, 'kubernetes', start);
    const late = await ensureAuthority(base, 'kubernetes', start + 3651 * day);
    assert.notEqual(late.authority.certPem, first.authority.certPem);
    assert.equal(late.phase, 'switched');
  });

  it('goes over to the next one as a whole when the switch is torn off', async t => {
    const base = join(folderOf(t), 'ca');
    const start = systemClock.now();
    const soon = { ...defaultLifetimes, authorityMs: 480 * day };
    await ensureAuthority(base, 'kubernetes', start, soon);
    const nextPem = readFileSync(`${base}-next.crt`, 'utf8');
    writeFileSync(`${base}.crt`, nextPem); // … and then the power went
    const found = await ensureAuthority(base, 'kubernetes', start, soon);
    assert.equal(found.authority.certPem, nextPem);
    assert.ok(new X509Certificate(nextPem).checkPrivateKey(createPrivateKey(readFileSync(`${base}.key`))));
  });

  it('takes all certificates with it, and those who use them are told', async t => {
    const clock = new SteppedClock({ startMs: systemClock.now() });
    const lifetimes = {
      authorityMs: 90 * day,
      certifiedMs: 10 * day,
      distributionMs: 10 * day,
      renewBeforeMs: 2 * day,
    };
    using keeper = await keepPki({ clock, logger: silentLogger, lifetimes }, folderOf(t), names);
    const first = keeper.current;
    const { rootCa } = keeper;
    const published: number[] = [];
    rootCa.onChange(() => published.push(parseBundle(rootCa.pem).length));
    await clock.advance(69 * day);
    await keeper.look();
    assert.deepEqual(published, [2]);
    assert.ok(isSignedBy(keeper.current.apiServer.certPem, first.authority.certPem));
    await clock.advance(10 * day);
    await keeper.look();
    const next = keeper.current;
    assert.notEqual(next.authority.certPem, first.authority.certPem);
    for (const pair of [next.apiServer, next.apiServerKubeletClient, next.kubeletServer, next.admin])
      assert.ok(isSignedBy(pair.certPem, next.authority.certPem));
    assert.ok(isSignedBy(next.frontProxyClient.certPem, next.frontProxy.certPem));
    assert.notEqual(next.frontProxy.certPem, first.frontProxy.certPem);
    await clock.advance(10 * day);
    await keeper.look();
    assert.deepEqual(published, [2, 2, 1]);
  });

  it("lets an operator's certificate of another authority be", async t => {
    const folder = folderOf(t);
    const clock = new SteppedClock({ startMs: systemClock.now() });
    using keeper = await keepPki({ clock, logger: silentLogger }, folder, names);
    const other = await createAuthority('company', clock.now());
    const own = await other.issue({
      commonName: 'api',
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1'],
      usages: ['server auth'],
      nowMs: clock.now(),
    });
    writeFileSync(join(folder, 'apiserver.key'), own.keyPem);
    writeFileSync(join(folder, 'apiserver.crt'), own.certPem);
    await keeper.look();
    assert.equal(keeper.current.apiServer.certPem, own.certPem);
  });
});

interface Caller {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
}

describe('an authority, by command, under a server that runs', { timeout: 400_000 }, () => {
  let place: Place;
  let port: number;
  let pki: string;

  before(async () => {
    place = createPlace();
    port = await freePort();
    const { code, stderr } = await place.kobune(['up', '--no-node', '--port', `${port}`]);
    assert.equal(code, 0, stderr);
    pki = stateDir(place.root, 'default').pki;
  });
  after(() => place?.[Symbol.asyncDispose]());

  const read = (name: string): string => readFileSync(join(pki, name), 'utf8');
  const rotate = (what: string, step: string): Promise<Output> => place.kobune(['certs', 'rotate', what, step]);
  async function done(output: Promise<Output>): Promise<string> {
    const { code, stdout, stderr } = await output;
    assert.equal(code, 0, stderr);
    return stdout;
  }

  /** The administrator by the user's kubeconfig as it stands now. */
  function administrator(): Caller {
    const config = load(readFileSync(place.kubeconfig, 'utf8')) as {
      clusters: Array<{ cluster: Record<string, string> }>;
      users: Array<{ user: Record<string, string> }>;
    };
    const text = (data: string | undefined): string => Buffer.from(data!, 'base64').toString();
    return {
      ca: text(config.clusters[0]!.cluster['certificate-authority-data']),
      cert: text(config.users[0]!.user['client-certificate-data']),
      key: text(config.users[0]!.user['client-key-data']),
    };
  }

  function open(method: string, path: string, { token, ...tls }: Caller, body?: object): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = {
        ...(body && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
      };
      const sent: ClientRequest = request({ host: '127.0.0.1', port, method, path, agent: false, headers, ...tls });
      sent.once('response', resolve).once('error', reject);
      sent.end(body && JSON.stringify(body));
    });
  }

  async function ask(method: string, path: string, caller: Caller, body?: object): Promise<any> {
    const response = await open(method, path, caller, body);
    let text = '';
    for await (const part of response.setEncoding('utf8')) text += part;
    return JSON.parse(text);
  }

  const rootCa = async (): Promise<string> =>
    (await ask('GET', '/api/v1/namespaces/default/configmaps/kube-root-ca.crt', administrator())).data['ca.crt'];
  const forServers = async (): Promise<Record<string, string>> =>
    (await ask('GET', '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication', administrator()))
      .data;
  const whoIs = async (caller: Caller): Promise<string> => {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
    const answer = await ask('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', caller, body);
    return answer.status?.userInfo?.username ?? answer.reason;
  };
  const token = async (): Promise<string> => {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: [] } };
    const path = '/api/v1/namespaces/default/serviceaccounts/default/token';
    return (await ask('POST', path, administrator(), body)).status.token;
  };

  it('both are trusted, the new one signs, the old one goes; a watch lives through it all', async () => {
    const first = administrator();
    const watch = await open('GET', '/api/v1/namespaces/default/configmaps?watch=true', first);
    let seen = '';
    watch.setEncoding('utf8').on('data', (part: string) => (seen += part));
    const sees = async (name: string): Promise<void> => {
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } };
      await ask('POST', '/api/v1/namespaces/default/configmaps', administrator(), body);
      await settles(() => assert.ok(seen.includes(`"name":"${name}"`), 'the watch saw nothing of it'));
    };
    await ask('POST', '/api/v1/namespaces/default/secrets', first, {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/service-account-token',
      metadata: { name: 'legacy', annotations: { 'kubernetes.io/service-account.name': 'default' } },
    });

    assertSentence(await rotate('ca', 'switch'), /"switch" is not the step that follows.*rotate ca prepare/);
    await done(rotate('ca', 'prepare'));
    const both = read('ca-bundle.crt');
    assert.equal(parseBundle(both).length, 2);
    await settles(async () => assert.equal(await rootCa(), both));
    await settles(() => assert.equal(administrator().ca, both));
    assert.ok(isSignedBy(read('apiserver.crt'), read('ca.crt')));
    assert.equal(new X509Certificate(read('admin.crt')).raw.equals(new X509Certificate(first.cert!).raw), true);
    await sees('prepared');

    await done(rotate('ca', 'switch'));
    await settles(() => assert.notEqual(administrator().cert, first.cert));
    const second = administrator();
    assert.ok(isSignedBy(second.cert!, read('ca.crt')) && !isSignedBy(first.cert!, read('ca.crt')));
    await settles(async () => {
      const { socket } = await open('GET', '/version', { ca: read('ca.crt') });
      (socket as import('node:tls').TLSSocket).destroy();
    });
    assert.equal(await whoIs({ ...second, ca: both }), 'kubernetes-admin');
    assert.equal(await whoIs({ ...first, ca: both }), 'kubernetes-admin', 'what the old one signed is believed');
    await sees('switched');

    await done(rotate('ca', 'finish'));
    const own = read('ca.crt');
    await settles(async () => assert.equal(await rootCa(), own));
    await settles(() => assert.equal(administrator().ca, own));
    assert.equal(await whoIs(second), 'kubernetes-admin');
    assert.equal(await whoIs({ ...first, ca: own }), 'Unauthorized');
    await settles(async () => assert.equal((await forServers())['client-ca-file'], own));
    await settles(async () => {
      const { data } = await ask('GET', '/api/v1/namespaces/default/secrets/legacy', administrator());
      assert.equal(Buffer.from(data['ca.crt'], 'base64').toString(), own);
    });
    await sees('finished');
    watch.destroy();
  });

  it('the front proxy has a new one in the same steps, of which other servers are told', async () => {
    const before = read('front-proxy-client.crt');
    await done(rotate('front-proxy-ca', 'prepare'));
    const both = read('front-proxy-ca-bundle.crt');
    await settles(async () => {
      const told = (await forServers())['requestheader-client-ca-file']!;
      assert.equal(parseBundle(told).length, 2);
    });
    await done(rotate('front-proxy-ca', 'switch'));
    await settles(() => assert.ok(isSignedBy(read('front-proxy-client.crt'), read('front-proxy-ca.crt'))));
    assert.notEqual(read('front-proxy-client.crt'), before);
    assert.equal(parseBundle(both).length, 2);
    await done(rotate('front-proxy-ca', 'finish'));
    const own = read('front-proxy-ca.crt');
    await settles(async () => assert.equal((await forServers())['requestheader-client-ca-file'], own));
  });

  it('tokens: a new key signs at once, those of the old one are believed until it is dropped', async () => {
    const keys = async (): Promise<string[]> =>
      (await ask('GET', '/openid/v1/jwks', administrator())).keys.map(({ kid }: { kid: string }) => kid);
    const [old] = await keys();
    const before = await token();
    await done(rotate('sa', 'switch'));
    await settles(async () => assert.equal((await keys()).length, 2));
    const now = await token();
    const [signing] = await keys();
    assert.notEqual(signing, old);
    const keyOf = (text: string): string => JSON.parse(Buffer.from(text.split('.')[0]!, 'base64url').toString()).kid;
    assert.deepEqual([keyOf(before), keyOf(now)], [old, signing]);
    const { ca } = administrator();
    const account = 'system:serviceaccount:default:default';
    assert.equal(await whoIs({ ca, token: before }), account);
    assert.equal(await whoIs({ ca, token: now }), account);
    await done(rotate('sa', 'finish'));
    await settles(async () => assert.deepEqual(await keys(), [signing]));
    // What a token was is remembered for ten seconds.
    await settles(async () => assert.equal(await whoIs({ ca, token: before }), 'Unauthorized'));
    assert.equal(await whoIs({ ca, token: now }), account);
    assertSentence(await rotate('sa', 'finish'), /^There is no key of tokens before/);
  });

  it('every certificate is renewed on request, and their ends can be listed', async () => {
    const before = read('apiserver.crt');
    assert.match(await done(place.kobune(['certs', 'renew'])), /^Renewed: admin, apiserver, /);
    assert.notEqual(read('apiserver.crt'), before);
    assertSentence(await place.kobune(['certs', 'renew', 'ca']), /^The cluster has no certificate "ca"/);
    await settles(() => assert.equal(administrator().cert, read('admin.crt')));
    assert.equal(await whoIs(administrator()), 'kubernetes-admin');
    const report = await done(place.kobune(['certs', 'check-expiration']));
    assert.match(report, /^ca +\d{4}-\d\d-\d\dT\S+Z {2}signs$/m);
    assert.match(report, /^apiserver +\S+ {2}signed by kubernetes$/m);
  });
});
