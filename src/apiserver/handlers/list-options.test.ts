import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Query } from '../http/message.ts';
import type { ServedResource } from '../scheme/resource.ts';
import { type ListOptions, listOptions } from './list-options.ts';

const resource = { group: '', kind: 'ConfigMap', namespaced: true, rules: {} } as unknown as ServedResource;
const parsed = (query: string): ListOptions => listOptions(Query.parse(query), resource);

test('a watch that does not say where it begins asks for the present and its end', () => {
  for (const query of ['watch=1', 'watch=1&resourceVersion=0', 'watch=']) {
    const { sendInitialEvents, resourceVersionMatch } = parsed(query);
    assert.deepEqual(
      { sendInitialEvents, resourceVersionMatch },
      { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' },
      query,
    );
  }
  for (const query of ['', 'watch=0', 'watch=1&resourceVersion=7']) {
    assert.equal(parsed(query).sendInitialEvents, undefined, query);
  }
  assert.throws(() => parsed('watch=1&continue=x'), /resourceVersionMatch is forbidden when continue is provided/);
});

test('what the deprecated paths of watches ask for is judged as a list', () => {
  assert.throws(() => parsed('sendInitialEvents=true'), /sendInitialEvents is forbidden for list/);
  assert.throws(() => parsed('resourceVersionMatch=NotOlderThan'), /forbidden unless resourceVersion is provided/);
});

test('numbers are read before selectors, the timeout first', () => {
  assert.throws(() => parsed('labelSelector=(a)&limit=y&timeoutSeconds=x'), /parsing "x"/);
  assert.throws(() => parsed('labelSelector=(a)&limit=y'), /parsing "y"/);
  assert.throws(() => parsed('labelSelector=(a)&fieldSelector=b'), /found '\('/);
});
