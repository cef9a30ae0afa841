/**
 * Generates everything under src/api that derives from the reference facts of Kubernetes v1.36:
 *
 *     node hack/update-api/main.ts [--reference DIR] [--check]
 *
 * `--check` writes nothing and fails when a generated file is not what it would write.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { emitColumns } from './emit-columns.ts';
import { emitDescriptions } from './emit-descriptions.ts';
import { emitOpenapi } from './emit-openapi.ts';
import { emitResources, servedDefinitions } from './emit-resources.ts';
import { emitTables } from './emit-tables.ts';
import { emitTypes } from './emit-types.ts';
import { buildModel } from './model.ts';
import { findReference, readProtobufFields, readSwagger } from './reference.ts';

const root = resolve(import.meta.dirname, '..', '..');
const api = join(root, 'src', 'api');

const { values } = parseArgs({
  options: { reference: { type: 'string' }, check: { type: 'boolean', default: false } },
});

/** What clients and servers exchange besides the served kinds. */
const otherTypes: readonly string[] = [
  ...['CreateOptions', 'DeleteOptions', 'GetOptions', 'ListOptions', 'PatchOptions', 'UpdateOptions', 'TableOptions'],
  ...['Condition', 'Table', 'PartialObjectMetadata', 'PartialObjectMetadataList', 'WatchEvent'],
  ...['APIGroup', 'APIGroupList', 'APIResourceList', 'APIVersions'],
]
  .map(name => `meta.v1.${name}`)
  .concat([
    'admission.v1.AdmissionReview',
    'apiextensions.v1.ConversionReview',
    'apidiscovery.v2.APIGroupDiscoveryList',
    'audit.v1.Event',
    'audit.v1.EventList',
    'audit.v1.Policy',
    'version.Info',
    'core.v1.SerializedReference',
  ]);

function generate(reference: string): Map<string, string> {
  const document = readSwagger(reference);
  const model = buildModel(document, readProtobufFields(reference));
  const files = new Map<string, string>();
  files.set(join(api, 'resources.gen.ts'), emitResources(model));
  files.set(join(api, 'columns', 'definitions.gen.ts'), emitColumns(model));
  for (const [name, content] of emitTables(model)) files.set(join(api, 'tables', name), content);
  const roots = { kinds: servedDefinitions(model), others: otherTypes };
  for (const [name, content] of emitTypes(model, roots)) files.set(join(api, 'types', name), content);
  files.set(join(api, 'openapi', 'facts.gen.ts'), emitOpenapi(document));
  files.set(join(api, 'openapi', 'descriptions.gen.ts'), emitDescriptions(document));
  return files;
}

/** Generated files that stand now in the folders that this script fills; other generators have folders of their own. */
function present(files: ReadonlyMap<string, string>): string[] {
  const folders = new Set([...files.keys()].map(path => dirname(path)).filter(existsSync));
  return [...folders].flatMap(folder =>
    readdirSync(folder)
      .filter(name => /\.gen\.(ts|json)$/.test(name))
      .map(name => join(folder, name)),
  );
}

function check(files: ReadonlyMap<string, string>): string[] {
  const stale = [...files].filter(([path, content]) => !existsSync(path) || readFileSync(path, 'utf8') !== content);
  const left = present(files).filter(path => !files.has(path));
  return [...stale.map(([path]) => path), ...left].map(path => relative(root, path));
}

function write(files: ReadonlyMap<string, string>): void {
  for (const path of present(files)) if (!files.has(path)) rmSync(path);
  for (const [path, content] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

const files = generate(findReference(values.reference));
if (values.check) {
  const stale = check(files);
  for (const path of stale) console.error(`${path}: not up to date`);
  console.log(`update-api: ${files.size} files, ${stale.length} not up to date`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  write(files);
  const bytes = [...files.values()].reduce((sum, content) => sum + content.length, 0);
  console.log(`update-api: wrote ${files.size} files, ${Math.round(bytes / 1024)} KiB`);
}
