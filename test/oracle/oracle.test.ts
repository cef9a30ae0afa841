/**
 * The recorded answers of a real v1.36 API server, replayed against ours. Every row holds, or stands in
 * differences.json with the reason, and at most one row in two hundred of a whole area stands there. Areas that are
 * still being built have a floor instead: the number of rows that held when it was last looked at.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, it } from 'node:test';
import { referenceFolder } from '../reference.ts';

interface Differences {
  /** Areas in which every row holds but those of `known`. */
  readonly whole: readonly string[];
  /** Other areas, with the number of rows that must hold. */
  readonly floors: Readonly<Record<string, number>>;
  readonly known: ReadonlyArray<{ readonly reason: string; readonly rows: readonly string[] }>;
}

interface Replay {
  readonly summary: Readonly<Record<string, { readonly rows: number; readonly same: number }>>;
  readonly failures: ReadonlyArray<{ readonly id: string; readonly diffs: readonly unknown[] }>;
}

const read = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;
const differences = read<Differences>(join(import.meta.dirname, 'differences.json'));
const skip = referenceFolder() ? false : 'the recorded answers are not here (they stand beside the repository)';
if (skip) console.log(`oracle: skipped, ${skip}`);

const scratch = mkdtempSync(join(tmpdir(), 'kobune-oracle-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

let replays = 0;

async function replay(...args: string[]): Promise<Replay> {
  const out = join(scratch, `${replays++}.json`);
  const program = resolve(import.meta.dirname, 'replay.ts');
  const child = spawn(process.execPath, [program, ...args, '--jobs', '4', '--json', out], { stdio: 'ignore' });
  await new Promise(done => child.on('close', done));
  return read<Replay>(out);
}

const areaOf = (row: string): string => row.slice(0, row.indexOf('/'));

describe('the recorded answers of Kubernetes v1.36', { skip, concurrency: false }, () => {
  const known = new Set(differences.known.flatMap(({ rows }) => rows));
  let recordedRows = 0;

  for (const area of differences.whole) {
    it(`${area}: every row holds, or is a known difference`, { timeout: 600_000 }, async () => {
      const { summary, failures } = await replay(area);
      const { rows, same } = summary[area]!;
      console.log(`${area}: ${same} of ${rows} rows hold`);
      const surprising: string[] = [];
      for (const { id } of failures.filter(failure => !known.has(failure.id))) {
        // On a machine that is busy, a row that waits for a controller may come too late: it is asked once more.
        const again = (await replay(area, '--id', id)).failures.find(each => each.id === id);
        if (again) surprising.push(`${id}: ${JSON.stringify(again.diffs.slice(0, 2))}`);
      }
      assert.deepEqual(surprising, []);
      const listed = [...known].filter(id => areaOf(id) === area);
      const failed = new Set(failures.map(({ id }) => id));
      assert.deepEqual(
        listed.filter(id => !failed.has(id)),
        [],
        'these rows hold now: strike them from the list',
      );
      recordedRows += rows;
    });
  }

  it('at most one row in two hundred is a known difference', () => {
    assert.ok(known.size * 200 <= recordedRows, `${known.size} of ${recordedRows} rows`);
  });

  for (const [area, floor] of Object.entries(differences.floors)) {
    it(`${area}: no fewer rows hold than before`, { timeout: 600_000 }, async () => {
      const { rows, same } = (await replay(area)).summary[area]!;
      console.log(`${area}: ${same} of ${rows} rows hold (at least ${floor} must)`);
      assert.ok(same >= floor, `${area}: ${same} rows hold, before it were ${floor}`);
    });
  }
});
