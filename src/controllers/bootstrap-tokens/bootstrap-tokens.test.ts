import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Secret } from '#api/types';
import { signedData } from './bootstrap-signer.ts';
import { detachedSignature, remainingMs, signingToken } from './token-secret.ts';

const encode = (text: string): string => Buffer.from(text).toString('base64');
const nowMs = Date.parse('2026-11-21T12:00:00Z');

function tokenSecret(data: Readonly<Record<string, string>>, name = 'bootstrap-token-abcdef'): Secret {
  const all = { 'token-id': 'abcdef', 'token-secret': '0123456789abcdef', 'usage-bootstrap-signing': 'true', ...data };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'kube-system' },
    type: 'bootstrap.kubernetes.io/token',
    data: Object.fromEntries(Object.entries(all).map(([key, value]) => [key, encode(value)])),
  };
}

describe('tokens of joining nodes', () => {
  it('end when they say, and at once when what they say cannot be read', () => {
    assert.equal(remainingMs(tokenSecret({}), nowMs), undefined);
    assert.equal(remainingMs(tokenSecret({ expiration: '2026-11-21T12:00:05Z' }), nowMs), 5000);
    assert.equal(remainingMs(tokenSecret({ expiration: '2026-11-21T14:00:05+02:00' }), nowMs), 5000);
    assert.equal(remainingMs(tokenSecret({ expiration: '2026-11-21T11:59:59Z' }), nowMs), 0);
    assert.equal(remainingMs(tokenSecret({ expiration: 'tomorrow' }), nowMs), 0);
  });

  it('sign only when they are named after themselves, may sign, and have not ended', () => {
    assert.deepEqual(signingToken(tokenSecret({}), nowMs), { id: 'abcdef', secret: '0123456789abcdef' });
    const others = [
      tokenSecret({}, 'bootstrap-token-zzzzzz'),
      tokenSecret({}, 'token-abcdef'),
      tokenSecret({ 'usage-bootstrap-signing': 'false' }),
      tokenSecret({ 'token-secret': '' }),
      tokenSecret({ expiration: '2020-01-01T00:00:00Z' }),
    ];
    for (const other of others) assert.equal(signingToken(other, nowMs), undefined);
  });

  it('sign as the original does', () => {
    const content = 'Hello from the other side. I must have called a thousand times.';
    const signature = detachedSignature(content, { id: 'joshua', secret: 'my voice is my passcode' });
    assert.equal(signature, 'eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8');
  });

  it('leave in cluster-info the signatures that belong there, and no others', () => {
    const token = { id: 'abcdef', secret: '0123456789abcdef' };
    const signed = signedData({ data: { kubeconfig: 'x', 'jws-kubeconfig-gone00': 'y', other: 'z' } }, [token])!;
    assert.deepEqual(Object.keys(signed).sort(), ['jws-kubeconfig-abcdef', 'kubeconfig', 'other']);
    assert.equal(signedData({ data: signed }, [token]), undefined, 'nothing to do');
    assert.equal(signedData({ data: { other: 'z' } }, [token]), undefined, 'nothing to sign');
    assert.deepEqual(signedData({ data: signed }, []), { kubeconfig: 'x', other: 'z' });
  });
});
