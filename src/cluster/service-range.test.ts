import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkServiceRange } from './service-range.ts';

describe('the range of Services', () => {
  it('may be any of IPv4 that is not too small', () => {
    for (const range of ['10.96.0.0/16', '10.0.0.0/24', '10.0.0.0/29', '10.0.0.0/8']) checkServiceRange(range);
  });

  const refusals: ReadonlyArray<readonly [range: string, message: RegExp]> = [
    ['x', /^service-cluster-ip-range\[0\] is not a valid cidr$/],
    ['10.0.0.0/33', /^service-cluster-ip-range\[0\] is not a valid cidr$/],
    ['10.0.0.0/31', /primary service cidr: the service cluster IP range must be at least 8 IP addresses$/],
    ['10.0.0.0/24,10.1.0.0/24,10.2.0.0/24', /^--service-cluster-ip-range must not contain more than two entries$/],
    ['fd00::/112', /Services have one range, of IPv4/],
    ['10.0.0.0/24,fd00::/112', /Services have one range, of IPv4/],
  ];
  for (const [range, message] of refusals)
    it(`is not ${range}`, () => assert.throws(() => checkServiceRange(range), { message }));
});
