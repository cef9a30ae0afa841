import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalMicroTime, canonicalTime, formatMicroTime, formatTime } from './time.ts';

test('times are stored in UTC with seconds', () => {
  assert.equal(canonicalTime('2026-01-02T15:04:05Z'), '2026-01-02T15:04:05Z');
  assert.equal(canonicalTime('2026-01-02T15:04:05.999Z'), '2026-01-02T15:04:05Z');
  assert.equal(canonicalTime('2026-01-02T15:04:05+02:00'), '2026-01-02T13:04:05Z');
  assert.equal(canonicalTime('0001-01-01T00:00:00Z'), null);
  assert.equal(canonicalMicroTime('2026-01-02T15:04:05.123456Z'), '2026-01-02T15:04:05.123456Z');
  assert.equal(formatTime(0), '1970-01-01T00:00:00Z');
  assert.equal(formatMicroTime(1.5), '1970-01-01T00:00:00.001500Z');
});

test('bad times have the texts of Go', () => {
  const rows: readonly [string, string][] = [
    ['x', 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'],
    ['', 'parsing time "" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006"'],
    [
      '2026-01-02 15:04:05Z',
      'parsing time "2026-01-02 15:04:05Z" as "2006-01-02T15:04:05Z07:00": cannot parse " 15:04:05Z" as "T"',
    ],
    ['2026-13-02T15:04:05Z', 'parsing time "2026-13-02T15:04:05Z": month out of range'],
    ['2026-02-30T15:04:05Z', 'parsing time "2026-02-30T15:04:05Z": day out of range'],
    ['2026-02-03T15:04:05Zx', 'parsing time "2026-02-03T15:04:05Zx": extra text: "x"'],
  ];
  for (const [text, message] of rows) assert.throws(() => canonicalTime(text), { message }, text);
  assert.throws(() => canonicalMicroTime('2026-01-02T15:04:05Z'), {
    message: 'parsing time "2026-01-02T15:04:05Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
  });
});
