import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Draft } from '#apimachinery';
import type { LimitRange } from '../../../types.ts';
import { limitRangeRules } from './rules.ts';

test('a container defaults to its maximum and requests what it may have, of names of every sort', () => {
  const amounts = (text: string): object => JSON.parse(text) as object;
  const item = { type: 'Container', max: amounts('{"cpu":"2","__proto__":"3"}'), min: { cpu: '1', memory: '1Gi' } };
  const range = { spec: { limits: [item] } } as unknown as Draft<LimitRange>;
  limitRangeRules.defaults!(range);
  const [made] = range.spec!.limits;
  assert.equal(JSON.stringify(made!.default), '{"cpu":"2","__proto__":"3"}');
  assert.equal(JSON.stringify(made!.defaultRequest), '{"cpu":"2","__proto__":"3","memory":"1Gi"}');
});
