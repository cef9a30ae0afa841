/**
 * The recorded answers of a real v1.36 API server, replayed against ours. Counts may only rise: each area has the
 * number of rows that held when it was last looked at, and the defaults area holds whole but for rows named here.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { referenceFolder } from '../reference.ts';

const floors = JSON.parse(readFileSync(join(import.meta.dirname, 'floors.json'), 'utf8')) as Record<string, number>;
const skip = referenceFolder() ? false : 'the recorded answers are not here (they stand beside the repository)';
if (skip) console.log(`oracle: skipped, ${skip}`);

/** Runs the replay and answers how many rows of each area were equal, of how many. */
function replay(areas: readonly string[]): Promise<Map<string, { equal: number; rows: number }>> {
  const child = spawn(process.execPath, [resolve(import.meta.dirname, 'replay.ts'), ...areas, '--jobs', '4'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', chunk => (text += chunk));
  return new Promise(resolveReplay => {
    child.on('close', () => {
      const counts = new Map<string, { equal: number; rows: number }>();
      for (const [, area, equal, rows] of text.matchAll(/^(\w+)\s+(\d+)\/(\d+) equal,/gm)) {
        if (area === 'all') continue;
        counts.set(area!, { equal: Number(equal), rows: Number(rows) });
      }
      resolveReplay(counts);
    });
  });
}

test('no area of the recorded answers holds fewer rows than before', { skip, timeout: 900_000 }, async () => {
  const counts = await replay(Object.keys(floors));
  assert.equal(counts.size, Object.keys(floors).length, `read ${[...counts.keys()]}`);
  for (const [area, floor] of Object.entries(floors)) {
    const { equal, rows } = counts.get(area)!;
    console.log(`${area}: ${equal} of ${rows} rows hold (at least ${floor} must)`);
    assert.ok(equal >= floor, `${area}: ${equal} rows hold, before it were ${floor}`);
  }
});
