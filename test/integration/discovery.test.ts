/** Discovery documents against those recorded from the original. Skipped where the reference data is absent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aggregatedDiscovery, apiGroup, apiResourceList, builtinGroups } from '#api/discovery';
import { oracleRows, referenceFolder } from '../reference.ts';

const groups = builtinGroups();

/** The document that a path answers, undefined for what is not discovery. */
function documentOf(path: string): unknown {
  const [, root, name = '', versionName] = path.split('/');
  if (root === 'api') return apiResourceList('', groups[0]!.versions[0]!);
  const group = groups.find(each => each.name === name);
  if (root !== 'apis' || !group) return undefined;
  if (versionName === undefined) return apiGroup(group);
  const version = group.versions.find(each => each.version === versionName);
  return version && apiResourceList(name, version);
}

function pointer(value: unknown, path: string): unknown {
  let found = value;
  for (const part of path.split('/').slice(1)) found = (found as Record<string, unknown> | undefined)?.[part];
  return found;
}

test('recorded discovery', { skip: referenceFolder() ? false : 'no reference data beside the repository' }, async t => {
  let compared = 0;
  for (const row of oracleRows('discovery')) {
    const [step] = row.steps;
    if (step?.expect?.status !== 200) continue;
    const { body, only } = step.expect;
    if (/^discovery\/(core-v1|resources-|group-)/.test(row.id) && body && !step.headers) {
      await t.test(row.id, () => assert.equal(JSON.stringify(documentOf(step.path)), JSON.stringify(body)));
      compared++;
    }
    if (row.id.startsWith('discovery/aggregated-apis-') && only) {
      const document = aggregatedDiscovery(groups.slice(1));
      await t.test(row.id, () => {
        for (const [at, value] of Object.entries(only)) assert.deepEqual(pointer(document, at), value);
      });
      compared++;
    }
  }
  assert.ok(compared > 25, `${compared} rows`);
});
