import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CertificateSigningRequest, CertificateSigningRequestStatus } from '#api/types';
import { expiryOfRequest } from './cleaner.ts';

const hourMs = 3_600_000;
const madeAt = '2026-01-01T00:00:00Z';
const decidedAt = '2026-01-01T10:00:00Z';

const hoursAfter = (time: string, hours: number): number => Date.parse(time) + hours * hourMs;

function expiry(status?: CertificateSigningRequestStatus): number | undefined {
  return expiryOfRequest({ metadata: { creationTimestamp: madeAt }, status } as unknown as CertificateSigningRequest);
}

const decided = (type: string, more: object = {}): CertificateSigningRequestStatus =>
  ({ conditions: [{ type, status: 'True', lastUpdateTime: decidedAt }], ...more }) as CertificateSigningRequestStatus;

describe('Certificate requests are cleaned away', () => {
  it('a day after they were made, undecided', () => assert.equal(expiry(), hoursAfter(madeAt, 24)));

  it('an hour after they were denied or failed', () => {
    assert.equal(expiry(decided('Denied')), hoursAfter(decidedAt, 1));
    assert.equal(expiry(decided('Failed')), hoursAfter(decidedAt, 1));
  });

  it('an hour after approval with a certificate, a day without', () => {
    assert.equal(expiry(decided('Approved', { certificate: 'AAAA' })), hoursAfter(decidedAt, 1));
    assert.equal(expiry(decided('Approved')), hoursAfter(decidedAt, 24));
  });

  it('never by a condition of somebody else', () => assert.equal(expiry(decided('Reviewed')), undefined));
});
