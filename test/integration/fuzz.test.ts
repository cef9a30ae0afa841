/**
 * A few thousand of the requests that `npm run fuzz` makes for minutes, always the same ones: of every kind, verb and
 * encoding, mostly wrong. No crash, no hang, no polluted prototype, and 500 only where upstream gives it
 * (test/fuzz/server-errors.ts).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from '../fuzz/run.ts';

test('wrong input makes no server stumble', { timeout: 120_000 }, async () => {
  const { requests, codes, problems } = await fuzz({ seed: 20260101, seconds: 60, maxRequests: 4000 });
  assert.deepEqual(problems, []);
  assert.ok(requests > 300, `${requests} requests`);
  // The fuzzer is of use only while much of what it makes is right.
  for (const code of [200, 201, 400, 404, 405, 406, 409, 415, 422]) assert.ok(codes.has(code), `no answer ${code}`);
});
