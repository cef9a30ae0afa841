/**
 * The recorded answers about creating and updating, asked of the rules in process (offline.ts): 12,000 rows in seconds.
 * Counts may only rise. What only the server knows (other objects, reviews, tokens) does not count here.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { referenceFolder } from '../reference.ts';

const floors = JSON.parse(readFileSync(join(import.meta.dirname, 'offline-floors.json'), 'utf8')) as Record<
  string,
  number
>;
const skip = referenceFolder() ? false : 'the recorded answers are not here (they stand beside the repository)';
if (skip) console.log(`offline oracle: skipped, ${skip}`);

test('the rules hold as many recorded creations and updates as before', { skip, timeout: 300_000 }, () => {
  const { stdout } = spawnSync(process.execPath, [join(import.meta.dirname, 'offline.ts')], { encoding: 'utf8' });
  const found = new Map([...stdout.matchAll(/^(\w+): (\d+) of (\d+) equal/gm)].map(([, area, n]) => [area, Number(n)]));
  for (const [area, floor] of Object.entries(floors)) {
    console.log(`${area}: ${found.get(area)} rows hold in process (at least ${floor} must)`);
    assert.ok((found.get(area) ?? 0) >= floor, `${area}: ${found.get(area)} rows hold, before it were ${floor}`);
  }
});
