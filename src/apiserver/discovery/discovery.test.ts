import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinGroups, type DiscoveryGroup } from '#api/discovery';
import { Query, type ServerRequest } from '../http/message.ts';
import { Discovery } from './discovery.ts';

test('versions that are built in refuse media types as routes do, also in groups that definitions add to', () => {
  const builtin = builtinGroups();
  const merged = builtin.map(
    (group): DiscoveryGroup => ({ ...group, versions: [...group.versions, { ...group.versions[0]!, version: 'v9' }] }),
  );
  const deps = { builtin, legacyGroups: () => merged } as unknown as ConstructorParameters<typeof Discovery>[0];
  const ask = (path: string, headers: object) =>
    new Discovery(deps).respond({ path, headers, query: Query.parse('') } as unknown as ServerRequest);
  const xml = { 'content-type': 'application/xml' };
  assert.throws(() => ask('/apis/apps/v1', xml), { code: 415 });
  assert.throws(() => ask('/api/v1', xml), { code: 415 });
  assert.throws(() => ask('/apis/apps/v1', { accept: 'application/xml' }), {
    code: 406,
    message: /^406: Not Acceptable/,
  });
  assert.equal(ask('/apis/apps/v9', xml)?.status, 200);
  assert.equal(ask('/apis/apps/v1', { 'content-type': 'application/yaml' })?.status, 200);
});
