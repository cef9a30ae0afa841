/** Where the reference data stands that some tests are held against: KOBUNE_SHARED, or `shared/` in a folder above. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The `reference` folder, or undefined: then the test skips and says so. */
export function referenceFolder(): string | undefined {
  const shared = process.env['KOBUNE_SHARED'];
  const candidates = shared ? [join(shared, 'reference')] : [];
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    candidates.push(join(folder, 'shared', 'reference'));
  }
  return candidates.find(candidate => existsSync(join(candidate, 'kubernetes-v1.36')));
}
