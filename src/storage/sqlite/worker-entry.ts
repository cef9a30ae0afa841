/**
 * Where the worker's code stands: beside this file when run from source, beside the bundle (as an entry point of its
 * own, `storage-worker.js`) when built. The one place that knows.
 */
export function workerEntry(): URL {
  const here = import.meta.url;
  return new URL(here.endsWith('.ts') ? './worker.ts' : './storage-worker.js', here);
}
