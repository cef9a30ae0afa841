/** Where the reference data stands that some tests are held against: KOBUNE_SHARED, or `shared/` in a folder above. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** The `reference` folder, or undefined: then the test skips and says so. */
export function referenceFolder(): string | undefined {
  const shared = process.env['KOBUNE_SHARED'];
  const candidates = shared ? [join(shared, 'reference')] : [];
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    candidates.push(join(folder, 'shared', 'reference'));
  }
  return candidates.find(candidate => existsSync(join(candidate, 'kubernetes-v1.36')));
}

/** One recorded request and its answer; see the reference's own description. */
export interface OracleStep {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly expect?: {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
    readonly only?: Readonly<Record<string, unknown>>;
  };
}

/** A row of the oracle. */
export interface OracleRow {
  readonly id: string;
  readonly about: string;
  readonly steps: readonly OracleStep[];
}

/** The rows of an area; none where the reference is absent. */
export function oracleRows(area: string): OracleRow[] {
  const folder = referenceFolder();
  if (!folder) return [];
  const text = gunzipSync(readFileSync(join(folder, 'oracle', `${area}.jsonl.gz`))).toString('utf8');
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as OracleRow);
}
