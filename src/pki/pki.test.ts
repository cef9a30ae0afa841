import assert from 'node:assert/strict';
import type { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { connect, createServer } from 'node:tls';
import { certificateCovers, certificateSubject, createAuthority, createTokenKey, loadTokenKeys } from './index.ts';

test('a server and a client certificate meet over TLS, and the server learns user and groups', async () => {
  const nowMs = Date.now();
  const authority = await createAuthority('test-ca', nowMs);
  const server = await authority.issue({
    commonName: 'server',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1', '::1'],
    usages: ['server auth'],
    nowMs,
  });
  const client = await authority.issue({
    commonName: 'system:admin',
    organizations: ['system:masters', 'a, b'],
    usages: ['client auth'],
    nowMs,
  });
  const seen = Promise.withResolvers<X509Certificate>();
  const tls = { cert: server.certPem, key: server.keyPem, ca: authority.certPem, requestCert: true };
  const listener = createServer(tls, socket => {
    assert.equal(socket.authorized, true);
    seen.resolve(socket.getPeerX509Certificate()!);
    socket.end();
  });
  await new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as { port: number };
  connect({
    port,
    host: '127.0.0.1',
    ca: authority.certPem,
    cert: client.certPem,
    key: client.keyPem,
  }).resume();
  const subject = certificateSubject(await seen.promise);
  assert.deepEqual(subject, { commonName: 'system:admin', organizations: ['system:masters', 'a, b'], uids: [] });
  await new Promise(resolve => listener.close(resolve));
  assert.equal(certificateCovers(server.certPem, ['localhost', '127.0.0.1', '::1'], nowMs, 1000), true);
  assert.equal(certificateCovers(server.certPem, ['elsewhere'], nowMs, 1000), false);
  assert.equal(certificateCovers(server.certPem, [], nowMs + 366 * 24 * 3600 * 1000, 0), false);
});

test('a token verifies whole, with any accepted key, and not altered in any part', async () => {
  const [oldKey, newKey] = await Promise.all([createTokenKey(), createTokenKey()]);
  const old = loadTokenKeys(oldKey);
  const both = loadTokenKeys(newKey, [oldKey]);
  const token = old.sign({ sub: 'system:serviceaccount:default:default' });
  assert.deepEqual(both.verify(token), { sub: 'system:serviceaccount:default:default' });
  assert.equal(old.verify(both.sign({ sub: 'x' })), undefined);
  assert.equal(both.jwks.length, 2);
  for (let at = 0; at < token.length - 1; at += 7) {
    const altered = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
    assert.equal(both.verify(altered), undefined, `altered at ${at}`);
  }
  // Not so with what base64 does not count: line breaks, and bits behind the last byte.
  const spare = String.fromCharCode(token.charCodeAt(token.length - 1) + 1);
  assert.equal(token.split('.')[2]!.length % 4, 2);
  assert.ok(both.verify(token.slice(0, -1) + spare));
  assert.ok(both.verify(`${token}\n`));
  for (const garbage of ['', '.', '..', 'a.b.c', `${token}.x`, '💥']) assert.equal(both.verify(garbage), undefined);
});
