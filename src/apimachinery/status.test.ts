import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aggregateText, FieldPath, invalidValue } from './field.ts';
import { conflict, invalid } from './status.ts';

test('a Status has its members in the order in which Go writes them', () => {
  const { status } = conflict({ group: 'apps', resource: 'deployments' }, 'a', 'why');
  assert.deepEqual(Object.keys(status), [
    'kind',
    'apiVersion',
    'metadata',
    'status',
    'message',
    'reason',
    'details',
    'code',
  ]);
});

test('refused integers beyond 2^53 are shown exactly', () => {
  const error = invalidValue(FieldPath.of('metadata'), { generation: 9007199254740993n, name: '<' }, 'must be empty');
  const { status } = invalid({ group: '', kind: 'Pod' }, 'x', [error]);
  assert.match(status.message ?? '', /\{"generation":9007199254740993,"name":"\\u003c"\}: must be empty$/);
});

test('refusals beyond a thousand, or beyond four million characters, are counted', () => {
  const path = FieldPath.of('a');
  const few = [invalidValue(path, 'x', 'bad'), invalidValue(path, 'x', 'bad'), invalidValue(path, 'y', 'bad')];
  assert.equal(aggregateText(few), '[a: Invalid value: "x": bad, a: Invalid value: "y": bad]');
  const many = Array.from({ length: 2500 }, (_, at) => invalidValue(path.index(at), at, ''));
  assert.match(aggregateText(many), /^\[a\[0\]: Invalid value: 0, .* a\[999\]: Invalid value: 999, and 1500 more\]$/);
  const large = Array.from({ length: 5 }, (_, at) => invalidValue(path.index(at), 'x'.repeat(1_500_000), ''));
  assert.match(aggregateText(large).slice(-20), /, and 3 more\]$/);
  assert.equal(invalid({ group: '', kind: 'Pod' }, 'p', large).status.details?.causes?.length, 2);
});
