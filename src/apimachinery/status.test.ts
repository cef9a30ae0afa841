import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FieldPath, invalidValue } from './field.ts';
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
