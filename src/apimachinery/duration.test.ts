import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalDuration, humanDuration } from './duration.ts';

test('durations are canonical, failures are those of Go', () => {
  const rows: readonly [string, string][] = [
    ['90s', '1m30s'],
    ['1h', '1h0m0s'],
    ['1.5h', '1h30m0s'],
    ['0', '0s'],
    ['1500us', '1.5ms'],
    ['-1.5s', '-1.5s'],
    ['1ns', '1ns'],
    ['2h45m0.5s', '2h45m0.5s'],
  ];
  for (const [text, want] of rows) assert.equal(canonicalDuration(text), want, text);
  assert.throws(() => canonicalDuration('x'), { message: 'time: invalid duration "x"' });
  assert.throws(() => canonicalDuration('1'), { message: 'time: missing unit in duration "1"' });
  assert.throws(() => canonicalDuration('1x'), { message: 'time: unknown unit "x" in duration "1x"' });
});

test('ages read as kubectl prints them', () => {
  const second = 1000;
  const hour = 3600 * second;
  const rows: readonly [number, string][] = [
    [-2000, '<invalid>'],
    [-500, '0s'],
    [119 * second, '119s'],
    [125 * second, '2m5s'],
    [600 * second, '10m'],
    [3.5 * hour, '3h30m'],
    [47 * hour, '47h'],
    [50 * hour, '2d2h'],
    [24 * 9 * hour, '9d'],
    [24 * 800 * hour, '2y70d'],
    [24 * 365 * 9 * hour, '9y'],
  ];
  for (const [ms, want] of rows) assert.equal(humanDuration(ms), want);
});
