import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leaseName } from './identity-lease.ts';

test('the lease is named as upstream names it', () => {
  assert.equal(leaseName('vm'), 'apiserver-wlv32tlttr4jl3gtroqexyxapa');
});
