/**
 * Reads the descriptions of upstream's API out of the doc comments of three packages: `kubernetes-models` and
 * `@kubernetes-models/apimachinery`, a declaration file a definition, and `kubernetes-types` for the few definitions that
 * are no models there (Quantity, unions). Used where the build has not yet made an artefact of them, and by the build.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Descriptions of one definition: its own under the empty name, those of its fields under theirs. */
export type Descriptions = ReadonlyMap<string, string>;

export interface ModelFolders {
  /** A folder a group and version; `v1` is core's. */
  readonly models: string;
  /** What apimachinery defines, by package. */
  readonly machinery: string;
  /** A declaration file a version; undefined where the package is not installed. */
  readonly types: string | undefined;
}

const require = createRequire(import.meta.url);

function folderOf(name: string, from?: string): string | undefined {
  try {
    const paths = from === undefined ? {} : { paths: [from] };
    return dirname(require.resolve(`${name}/package.json`, paths));
  } catch {
    return undefined;
  }
}

/** Where the packages are; undefined where they are not installed. */
export function modelFolders(): ModelFolders | undefined {
  const models = folderOf('kubernetes-models');
  const machinery = models && folderOf('@kubernetes-models/apimachinery', models);
  return models && machinery ? { models, machinery, types: folderOf('kubernetes-types') } : undefined;
}

/** Of a comment, between its marks; lines begin with an asterisk. */
function commentText(comment: string): string {
  return comment
    .replace(/^\/\*\*\s?/, '')
    .replace(/\s*\*\/$/, '')
    .split('\n')
    .map(line => line.replace(/^\s*\*( |$)/, ''))
    .join('\n')
    .replace(/\\([*/])/g, '$1')
    .replace(/\n@deprecated$/, '')
    .trim();
}

const declaration = /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/)?\nexport (?:interface|type) (\w+)\b/g;
const property = /(?:(\/\*\*(?:(?!\*\/)[\s\S])*\*\/)\n)? {4}["']?([\w$-]+)["']?\??: /g;

/** Descriptions of the type `name` in the text of a declaration file; undefined when it is not declared there. */
function declared(text: string, name: string): Descriptions | undefined {
  for (const match of `\n${text}`.matchAll(declaration)) {
    if (match[2] !== name && match[2] !== `I${name}`) continue;
    const found = new Map<string, string>();
    if (match[1]) found.set('', commentText(match[1]));
    const rest = text.slice(match.index + match[0].length - 1);
    if (!/^[^;\n]*\{\n/.test(rest)) return found;
    const body = rest.slice(0, rest.indexOf('\n}'));
    for (const [, comment, field] of body.matchAll(property)) {
      if (field && !found.has(field)) found.set(field, comment === undefined ? '' : commentText(comment));
    }
    return found;
  }
  return undefined;
}

function readFile(folder: string | undefined, path: string, name: string): Descriptions | undefined {
  const file = join(folder ?? '', `${path}.d.ts`);
  return folder && existsSync(file) ? declared(readFileSync(file, 'utf8'), name) : undefined;
}

/** The package's folder of `rbac`: rbac.authorization.k8s.io. */
function groupFolder(folder: string, group: string): string | undefined {
  if (group === 'core') return '';
  return readdirSync(folder).find(each => each.split('.')[0] === group);
}

/** Reads a definition by its full name; undefined when no package has it. */
export function readModel(folders: ModelFolders, definition: string): Descriptions | undefined {
  const parts = definition.split('.');
  const kind = parts.at(-1)!;
  const machinery = definition.match(/^io\.k8s\.apimachinery\.pkg\.(.*)$/)?.[1];
  const [group, version] = parts.slice(-3, -1) as [string, string];
  const own = machinery
    ? readFile(folders.machinery, machinery.replaceAll('.', '/'), kind)
    : readFile(folders.models, join(groupFolder(folders.models, group) ?? group, version, kind), kind);
  const other = own?.get('')
    ? undefined
    : readFile(folders.types, `${group === 'api' ? 'api' : group}/${version}`, kind);
  const found = own && other ? new Map([...own, ...other]) : (own ?? other);
  return found && withTypeMeta(found, folders);
}

/** Models of kinds say nothing about `apiVersion` and `kind`, which are the same for all. */
function withTypeMeta(model: Descriptions, { machinery }: ModelFolders): Descriptions {
  if (model.get('kind') !== '' || model.get('apiVersion') !== '') return model;
  const { apiVersion, kind } = Object.fromEntries(readFile(machinery, 'apis/meta/v1/Status', 'Status') ?? []);
  return new Map([...model, ['apiVersion', apiVersion ?? ''], ['kind', kind ?? '']]);
}
