/** Quotas charged in the transaction of the object: many clients at once never get more than there is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceQuota } from '#api/types';
import { isStatusError } from '#apimachinery';
import { configMaps, createClient, namespaces, resourceQuotas } from '#client';
import { resourceQuotaController } from '#controllers';
import { startTestApiServer } from '../support/api-server.ts';

test('a hundred writers share ten places, and usage is what exists', async () => {
  await using server = await startTestApiServer();
  const client = createClient(server.transport());
  await client.resource(namespaces).create({ metadata: { name: 'q' } });
  const quotas = client.resource(resourceQuotas).namespace('q');
  const quota = await quotas.create({ metadata: { name: 'q' }, spec: { hard: { configmaps: '10' } } });
  await quotas.updateStatus({ ...quota, status: { hard: { configmaps: '10' }, used: { configmaps: '0' } } });
  const maps = client.resource(configMaps).namespace('q');
  const results = await Promise.allSettled(
    Array.from({ length: 100 }, (_, i) => maps.create({ metadata: { name: `m${i % 50}` } })),
  );
  const made = results.filter(each => each.status === 'fulfilled').length;
  for (const each of results) {
    if (each.status === 'rejected') assert.ok(isStatusError(each.reason, 'Forbidden', 'AlreadyExists'), each.reason);
  }
  const { items } = await maps.list();
  assert.equal(made, 10);
  assert.equal(items.length, 10);
  assert.equal((await quotas.get('q')).status?.used?.['configmaps'], '10');
});

test('a name that is taken and a dry run are not charged', async () => {
  await using server = await startTestApiServer();
  const client = createClient(server.transport());
  await client.resource(namespaces).create({ metadata: { name: 'q' } });
  const quotas = client.resource(resourceQuotas).namespace('q');
  const quota = await quotas.create({ metadata: { name: 'q' }, spec: { hard: { configmaps: '3' } } });
  await quotas.updateStatus({ ...quota, status: { hard: { configmaps: '3' }, used: { configmaps: '0' } } });
  const maps = client.resource(configMaps).namespace('q');
  await maps.create({ metadata: { name: 'a' } });
  await assert.rejects(maps.create({ metadata: { name: 'a' } }), error => isStatusError(error, 'AlreadyExists'));
  await maps.create({ metadata: { name: 'b' } }, { dryRun: true });
  assert.equal((await quotas.get('q')).status?.used?.['configmaps'], '1');
});

test('the controller takes over limits, counts, and gives back what is deleted', async () => {
  await using server = await startTestApiServer({ controllers: [resourceQuotaController] });
  const client = createClient(server.transport());
  await client.resource(namespaces).create({ metadata: { name: 'q' } });
  const maps = client.resource(configMaps).namespace('q');
  await maps.create({ metadata: { name: 'before' } });
  const quotas = client.resource(resourceQuotas).namespace('q');
  const usedIs = async (wanted: string): Promise<void> => {
    for await (const event of await quotas.watch({ signal: AbortSignal.timeout(10_000) })) {
      if ((event.object as ResourceQuota).status?.used?.['count/configmaps'] === wanted) return;
    }
    assert.fail(`never used ${wanted}`);
  };
  const hard = { 'count/configmaps': '2', 'count/nosuch.example.com': '1' };
  await quotas.create({ metadata: { name: 'q' }, spec: { hard } });
  await usedIs('1');
  assert.deepEqual((await quotas.get('q')).status?.hard, hard);
  await maps.create({ metadata: { name: 'a' } });
  await assert.rejects(maps.create({ metadata: { name: 'b' } }), /exceeded quota: q, requested: count\/configmaps=1/);
  await maps.delete('before');
  await usedIs('1');
  await maps.create({ metadata: { name: 'b' } });
});
