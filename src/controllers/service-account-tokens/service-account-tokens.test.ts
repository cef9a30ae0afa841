import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Secret, ServiceAccount } from '#api/types';
import { isTrackedLongEnough, judgeToken } from './legacy-token-cleaner.ts';
import { filledSecret, tokenSecretType } from './tokens.ts';

const account: ServiceAccount = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'bot', namespace: 'ns', uid: 'u1' },
};

function secret(more: Partial<Secret['metadata']> = {}, data?: Secret['data']): Secret {
  const metadata = { name: 'token', namespace: 'ns', creationTimestamp: '2020-01-01T00:00:00Z', ...more };
  return { apiVersion: 'v1', kind: 'Secret', metadata, type: tokenSecretType, ...(data && { data }) };
}

describe('Secrets with tokens', () => {
  const issuing = { rootCaPem: 'CA', sign: (claims: object) => JSON.stringify(claims) };
  const decode = (text: string | undefined): string => Buffer.from(text ?? '', 'base64').toString();

  it('are filled with what they lack, and with nothing else', () => {
    const filled = filledSecret(secret(), account, issuing)!;
    assert.equal(decode(filled.data?.['ca.crt']), 'CA');
    assert.equal(decode(filled.data?.['namespace']), 'ns');
    assert.deepEqual(JSON.parse(decode(filled.data?.['token'])), {
      iss: 'kubernetes/serviceaccount',
      'kubernetes.io/serviceaccount/namespace': 'ns',
      'kubernetes.io/serviceaccount/secret.name': 'token',
      'kubernetes.io/serviceaccount/service-account.name': 'bot',
      'kubernetes.io/serviceaccount/service-account.uid': 'u1',
      sub: 'system:serviceaccount:ns:bot',
    });
    assert.equal(filled.metadata.annotations?.['kubernetes.io/service-account.uid'], 'u1');
    assert.equal(filledSecret(filled, account, issuing), undefined);
    const renewed = filledSecret(filled, account, { ...issuing, rootCaPem: 'CA2' })!;
    assert.equal(decode(renewed.data?.['ca.crt']), 'CA2');
    assert.equal(renewed.data?.['token'], filled.data?.['token'], 'a token stays what it is');
  });
});

describe('tokens that nobody uses', () => {
  const nowMs = Date.parse('2026-11-21T12:00:00Z');
  const labels = (lastUsed?: string, invalidSince?: string): Partial<Secret['metadata']> => ({
    labels: {
      ...(lastUsed !== undefined && { 'kubernetes.io/legacy-token-last-used': lastUsed }),
      ...(invalidSince !== undefined && { 'kubernetes.io/legacy-token-invalid-since': invalidSince }),
    },
  });

  it('are marked after a year, and deleted after another', () => {
    const cases: Array<[Partial<Secret['metadata']>, string]> = [
      [{}, 'invalidate'],
      [labels('2025-11-20'), 'invalidate'],
      [labels('2025-11-21'), 'keep'],
      [labels('yesterday'), 'keep'],
      [labels('2024-01-01', 'nonsense'), 'invalidate'],
      [labels('2024-01-01', '2025-11-21'), 'keep'],
      [labels('2024-01-01', '2025-11-20'), 'delete'],
      [{ creationTimestamp: '2026-01-01T00:00:00Z' }, 'keep'],
      [{ deletionTimestamp: '2026-11-21T11:00:00Z' }, 'keep'],
    ];
    for (const [metadata, verdict] of cases) assert.equal(judgeToken(secret(metadata), nowMs), verdict);
  });

  it('are judged only when use has been watched for a year and a day', () => {
    assert.equal(isTrackedLongEnough('2025-11-20', nowMs), true);
    assert.equal(isTrackedLongEnough('2025-11-21', nowMs), false);
    assert.equal(isTrackedLongEnough('today', nowMs), false);
    assert.equal(isTrackedLongEnough(undefined, nowMs), false);
  });
});
