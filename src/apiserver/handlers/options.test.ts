import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Query } from '../http/message.ts';
import { createOptions, deleteOptionsFromQuery } from './options.ts';

test('the query of a delete may hold preconditions', () => {
  const cases: [string, object][] = [
    ['', {}],
    ['uid=u', { preconditions: { uid: 'u' } }],
    ['resourceVersion=7&gracePeriodSeconds=0', { gracePeriodSeconds: 0, preconditions: { resourceVersion: '7' } }],
    ['uid=&resourceVersion=', {}],
  ];
  for (const [query, expected] of cases) assert.deepEqual(deleteOptionsFromQuery(Query.parse(query)), expected);
});

test('options of a create are refused as such', () => {
  assert.throws(
    () => createOptions(Query.parse('fieldValidation=x')),
    /^StatusError: CreateOptions.meta.k8s.io "" is invalid/,
  );
  assert.deepEqual(createOptions(Query.parse('dryRun=All')), { dryRun: ['All'] });
});
