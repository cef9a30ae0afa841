import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeContinue, encodeContinue } from './list-options.ts';

test('a continue token is read as it was written', () => {
  const start = fc.string({ minLength: 1 }).filter(text => !text.includes('..') && !text.endsWith('\0'));
  const revision = fc.oneof(fc.constant(-1), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
  fc.assert(
    fc.property(revision, start, (from, after) => {
      const token = { revision: from, start: after };
      assert.deepEqual(decodeContinue(encodeContinue(token)), token);
    }),
    { numRuns: 300 },
  );
});

test('whatever a continue token is, it is one or a refusal', () => {
  const json = fc.json({ maxDepth: 2 }).map(text => Buffer.from(text).toString('base64url'));
  const near = fc
    .record({ v: fc.constantFrom('meta.k8s.io/v1', 'x', 1), rv: fc.jsonValue(), start: fc.jsonValue() })
    .map(value => Buffer.from(JSON.stringify(value)).toString('base64url'));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String(), json, near), text => {
      try {
        const { revision, start } = decodeContinue(text);
        assert.ok(revision !== 0 && !start.includes('..'));
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, 400, String((error as Error).stack));
      }
    }),
    { numRuns: 500 },
  );
});

test('of a continue token of another version the version is told', () => {
  const token = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  assert.throws(() => decodeContinue(token({})), /does not recognize this encoded version $/);
  assert.throws(() => decodeContinue(token({ v: 'x' })), /does not recognize this encoded version x$/);
});
