/**
 * Writes the descriptions that OpenAPI and tables show as `descriptions.json` into a folder, for bundles, which do not
 * carry the package they come from: `node hack/write-descriptions.ts dist`. The build calls `writeDescriptions`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { collectDescriptions, openapiDefinitions } from '../src/api/openapi/index.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const core = 'io.k8s.api.core.v1.';
/** Types whose fields are parameters: no document has them as definitions. */
const options: readonly string[] = [
  ...['CreateOptions', 'ListOptions', 'PatchOptions', 'UpdateOptions'].map(name => meta + name),
  ...['NodeProxy', 'PodAttach', 'PodExec', 'PodLog', 'PodPortForward', 'PodProxy', 'ServiceProxy'].map(
    name => `${core}${name}Options`,
  ),
];

/** Writes the file, and answers its path. */
export function writeDescriptions(folder: string): string {
  const path = join(resolve(folder), 'descriptions.json');
  mkdirSync(resolve(folder), { recursive: true });
  writeFileSync(path, JSON.stringify(collectDescriptions([...openapiDefinitions(), ...options])));
  return path;
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (!folder) throw new Error('usage: node hack/write-descriptions.ts FOLDER');
  console.log(writeDescriptions(folder));
}
