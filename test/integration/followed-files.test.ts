/**
 * Keys and certificates that flags name are replaced while the server runs: keys of tokens, the certificate for other
 * API servers, those of webhooks. Ports, client authorities, OpenID providers and etcd are in certificate-rotation,
 * authentication-certificates, authentication-openid and storage-etcd.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { SteppedClock, silentLogger, systemClock } from '#base';
import { type Authority, createAuthority, createTokenKey, type KeyPair, publicKeyPem } from '#pki';
import { followClientPair } from '../../src/apiserver/aggregation/client-pair.ts';
import { kubeconfigWebhook } from '../../src/apiserver/webhook/kubeconfig-client.ts';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { eventually } from '../support/eventually.ts';
import { type Who, whoIs } from '../support/raw-request.ts';

interface Folder {
  readonly path: (name: string) => string;
  write(name: string, text: string): string;
}

function folderOf(test: TestContext): Folder {
  const folder = mkdtempSync(join(tmpdir(), 'kobune-files-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name);
  return {
    path,
    write(name, text) {
      writeFileSync(path(name), text);
      return path(name);
    },
  };
}

const account = '/api/v1/namespaces/default/serviceaccounts';

async function tokenOf(server: TestApiServer): Promise<string> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: [] } };
  const answer = await server.transport().request({ method: 'POST', path: `${account}/default/token`, body });
  return ((await answer.json()) as unknown as { status: { token: string } }).status.token;
}

async function keyIds(server: TestApiServer): Promise<string[]> {
  const answer = await server.transport().request({ method: 'GET', path: '/openid/v1/jwks' });
  return ((await answer.json()) as unknown as { keys: Array<{ kid: string }> }).keys.map(({ kid }) => kid);
}

const isRecognised = async (server: TestApiServer, token: string): Promise<boolean> =>
  ((await whoIs(server, { token })) as Who).username === 'system:serviceaccount:default:default';

describe('files that flags name', () => {
  it('keys of tokens: the new one signs, the old one goes on verifying, and is nobody’s when its file is gone over', async t => {
    const files = folderOf(t);
    const [first, second] = [await createTokenKey(), await createTokenKey()];
    const signing = files.write('signing.key', first);
    const accepted = files.write('accepted.pub', publicKeyPem(first));
    const authentication = { serviceAccountSigningKeyFile: signing, serviceAccountKeyFiles: [accepted] };
    await using server = await startTestApiServer({ controllers: true, config: { authentication } });
    await eventually('there is an account', async () => {
      const path = `${account}/default`;
      return server
        .transport()
        .request({ method: 'GET', path })
        .then(() => true)
        .catch(() => false);
    });
    const before = await tokenOf(server);
    const [old] = await keyIds(server);
    assert.ok(await isRecognised(server, before));

    files.write('signing.key', 'half');
    await systemClock.sleep(200);
    assert.deepEqual(await keyIds(server), [old], 'what is no key changes nothing');

    files.write('signing.key', second);
    await eventually('both keys are told', async () => (await keyIds(server)).length === 2);
    const now = await tokenOf(server);
    const [signs] = await keyIds(server);
    assert.notEqual(signs, old);
    assert.ok(await isRecognised(server, now));
    assert.ok(await isRecognised(server, before));

    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    files.write('accepted.pub', publicKey.export({ format: 'pem', type: 'spki' }) as string);
    await eventually('the old one is told no more', async () => !(await keyIds(server)).includes(old!));
    // What a token was is remembered for ten seconds.
    await eventually('the old token is nobody’s', async () => !(await isRecognised(server, before)));
    assert.ok(await isRecognised(server, now));
  });

  it('the certificate for other API servers: a pair that fits is shown from then on', async t => {
    const files = folderOf(t);
    const authority = await createAuthority('front', systemClock.now());
    const write = ({ certPem, keyPem }: KeyPair): void => {
      files.write('client.key', keyPem);
      files.write('client.crt', certPem);
    };
    const [one, two] = [await client(authority, 'one'), await client(authority, 'two')];
    write(one);
    const abort = new AbortController();
    t.after(() => abort.abort());
    const paths = { certFile: files.path('client.crt'), keyFile: files.path('client.key') };
    const shown = followClientPair(paths, { clock: systemClock, logger: silentLogger, signal: abort.signal });
    assert.equal(shown().certPem, one.certPem);
    files.write('client.crt', two.certPem);
    await systemClock.sleep(200);
    assert.equal(shown().certPem, one.certPem, 'its key has not come yet');
    write(two);
    await eventually('the new one is shown', () => shown().certPem === two.certPem);
  });

  it('certificates in a webhook’s kubeconfig: the next call after a minute shows the new one, and trusts the new authority', async t => {
    const files = folderOf(t);
    const nowMs = systemClock.now();
    const [authority, next] = [await createAuthority('hooks', nowMs), await createAuthority('hooks', nowMs)];
    const serving = (of: Authority): Promise<KeyPair> =>
      of.issue({ commonName: 'hook', ipAddresses: ['127.0.0.1'], usages: ['server auth'], nowMs });
    const first = await serving(authority);
    const seen: string[] = [];
    const options = {
      cert: first.certPem,
      key: first.keyPem,
      requestCert: true,
      ca: [authority.certPem, next.certPem],
    };
    const server = createServer(options, (request, response) => {
      const certificate = (request.socket as TLSSocket).getPeerX509Certificate();
      seen.push(/CN=(.*)/.exec(certificate?.subject ?? '')?.[1] ?? 'nobody');
      request.resume().on('end', () => response.end('{"kind":"X"}'));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const write = (pair: KeyPair, ca: string): void => {
      files.write('client.key', pair.keyPem);
      files.write('client.crt', pair.certPem);
      files.write('ca.crt', ca);
    };
    write(await client(authority, 'one'), authority.certPem);
    const { port } = server.address() as AddressInfo;
    const path = files.write(
      'kubeconfig',
      JSON.stringify({
        clusters: [{ name: 'h', cluster: { server: `https://127.0.0.1:${port}/`, 'certificate-authority': 'ca.crt' } }],
        users: [{ name: 'u', user: { 'client-certificate': 'client.crt', 'client-key': 'client.key' } }],
        contexts: [{ name: 'c', context: { cluster: 'h', user: 'u' } }],
        'current-context': 'c',
      }),
    );
    const clock = new SteppedClock({ startMs: nowMs });
    using webhook = kubeconfigWebhook({ path, clock, timeoutMs: 10_000 });
    await webhook.post({});
    write(await client(next, 'two'), authority.certPem + next.certPem);
    await webhook.post({});
    await clock.advance(60_000);
    await webhook.post({});
    assert.deepEqual(seen, ['one', 'one', 'two']);
    const second = await serving(next);
    server.setSecureContext({ ...options, cert: second.certPem, key: second.keyPem });
    server.closeAllConnections();
    await webhook.post({});
    files.write('client.crt', 'half');
    await clock.advance(60_000);
    await webhook.post({});
    assert.deepEqual(seen, ['one', 'one', 'two', 'two', 'two'], 'what does not fit changes nothing');
    assert.ok(new X509Certificate(second.certPem).verify(new X509Certificate(next.certPem).publicKey));
  });
});

function client(authority: Authority, commonName: string): Promise<KeyPair> {
  return authority.issue({ commonName, usages: ['client auth'], nowMs: systemClock.now() });
}
