import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { validityMs } from './signer.ts';

const hour = 3600_000;
const year = 365 * 24 * hour;
const backdate = 5 * 60_000;

describe('how long a certified request is good', () => {
  it('is the longest there is when nothing is asked, less what it is backdated by', () => {
    assert.equal(validityMs(undefined, year), year - backdate);
  });
  it('is what was asked, whole when that is short', () => {
    assert.equal(validityMs(3600, year), hour);
    assert.equal(validityMs((24 * hour) / 1000, year), 24 * hour - backdate);
  });
  it('is never above --cluster-signing-duration and never under ten minutes', () => {
    assert.equal(validityMs((2 * year) / 1000, year), year - backdate);
    assert.equal(validityMs(7200, hour), hour);
    assert.equal(validityMs(60, year), 10 * 60_000);
  });
});
