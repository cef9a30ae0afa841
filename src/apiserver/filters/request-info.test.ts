import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Query } from '../http/message.ts';
import { requestInfo } from './request-info.ts';

test('slashes around a path do not count, those within do', () => {
  const rows: readonly [path: string, resource: string, name: string][] = [
    ['/api/v1/pods', 'pods', ''],
    ['///api/v1/nodes/n///', 'nodes', 'n'],
    ['/api/v1//nodes', '', 'nodes'],
  ];
  for (const [path, resource, name] of rows) {
    const info = requestInfo('GET', path, Query.empty);
    assert.deepEqual([info.resource, info.name], [resource, name], path);
  }
});

test('a path of nothing but slashes is as quick to read as any', () => {
  const begin = performance.now();
  assert.equal(requestInfo('GET', `/a${'/'.repeat(500_000)}b`, Query.empty).isResourceRequest, false);
  assert.ok(performance.now() - begin < 5000);
});
