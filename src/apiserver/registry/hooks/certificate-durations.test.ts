import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isHonored } from './certificate-durations.ts';

test('a duration is honored when it differs by less than five minutes and a twentieth', () => {
  assert.equal(isHonored(3600, 3600 + 479), true);
  assert.equal(isHonored(3600, 3600 + 480), false);
  assert.equal(isHonored(3600, 3600 - 479), true);
  assert.equal(isHonored(86_400, 3600), false);
});
