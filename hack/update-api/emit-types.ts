/**
 * Writes `src/api/types/<group>.gen.ts` and `types/index.gen.ts`: read-only interfaces of the served kinds and of all
 * they refer to. A Go name that stands in several packages belongs to the first of: a served kind, the core group, the
 * preferred version of the earliest group; the others carry their group and version (`EventsV1Event`), and the owner
 * can be called so too.
 */
import { type Definition, type Field, fileOf, flatten, type Model } from './model.ts';
import { baseOf, packageOf } from './names.ts';

/** Short names of the definitions from which all types are reached, in the order of precedence for plain names. */
export interface TypeRoots {
  readonly kinds: readonly string[];
  readonly others: readonly string[];
}

const scalars: Readonly<Record<string, string>> = {
  s: 'string',
  b: 'string',
  B: 'boolean',
  i: 'number',
  l: 'number',
  d: 'number',
  Q: 'Quantity',
  T: 'string',
  M: 'string',
  D: 'string',
  O: 'IntOrString',
  F: 'JsonObject',
  R: 'Json',
  J: 'Json',
  '*': 'unknown',
};

/** Definitions that #apimachinery declares. */
const shared: Readonly<Record<string, string>> = {
  'meta.v1.ObjectMeta': 'ObjectMeta',
  'meta.v1.ListMeta': 'ListMeta',
  'meta.v1.OwnerReference': 'OwnerReference',
  'meta.v1.ManagedFieldsEntry': 'ManagedFieldsEntry',
  'meta.v1.Status': 'Status',
  'meta.v1.StatusDetails': 'StatusDetails',
  'meta.v1.StatusCause': 'StatusCause',
  'meta.v1.GroupVersionKind': 'GroupVersionKind',
  'meta.v1.GroupVersionResource': 'GroupVersionResource',
};

const target = (field: Field): string => field.type.replace(/^[[{~]+/, '');

/** Everything that the roots refer to, in the order in which it is met. */
function reach(model: Model, roots: readonly string[]): string[] {
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name) || shared[name]) return;
    const definition = model.definitions.get(name);
    if (!definition) throw new Error(`no definition ${name}`);
    seen.add(name);
    for (const field of flatten(model, definition)) {
      const to = target(field);
      if (to.includes('.')) visit(to);
      if (to.startsWith('%')) visit(`${packageOf(name)}.JSONSchemaProps`);
    }
  };
  for (const root of roots) visit(root);
  return [...seen];
}

function qualified(name: string): string {
  const [group = '', version = ''] = name.split('.');
  const upper = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
  return upper(group) + upper(version) + baseOf(name);
}

interface Naming {
  readonly plain: ReadonlyMap<string, string>;
  /** Owners of a plain name that others would have liked: definition to its qualified name. */
  readonly contested: ReadonlyMap<string, string>;
}

function nameAll(names: readonly string[], kinds: readonly string[]): Naming {
  const order = new Set([...kinds, ...names.filter(name => name.startsWith('core.')), ...names]);
  const owners = new Map<string, string>();
  const plain = new Map<string, string>();
  const contested = new Map<string, string>();
  for (const name of order) {
    if (shared[name] || !names.includes(name)) continue;
    const base = baseOf(name);
    const owner = owners.get(base);
    if (owner === undefined) {
      owners.set(base, name);
      plain.set(name, base);
    } else {
      plain.set(name, qualified(name));
      contested.set(owner, qualified(owner));
    }
  }
  return { plain, contested };
}

class FileWriter {
  readonly lines: string[] = [];
  readonly #imports = new Map<string, Set<string>>();
  readonly #file: string;
  readonly #naming: Naming;

  constructor(file: string, naming: Naming) {
    this.#file = file;
    this.#naming = naming;
  }

  use(from: string, name: string): string {
    const names = this.#imports.get(from) ?? new Set();
    this.#imports.set(from, names.add(name));
    return name;
  }

  reference(name: string): string {
    const known = shared[name];
    if (known) return this.use('#apimachinery', known);
    const plain = this.#naming.plain.get(name);
    if (!plain) throw new Error(`no name for ${name}`);
    const file = fileOf(name);
    return file === this.#file ? plain : this.use(`./${file}.gen.ts`, plain);
  }

  type(code: string, packageName: string): string {
    const first = code[0]!;
    if (first === '[' || first === '~') {
      const element = this.type(code.slice(1), packageName);
      return `readonly ${element.includes(' ') ? `(${element})` : element}[]`;
    }
    if (first === '{') return `Readonly<Record<string, ${this.type(code.slice(1), packageName)}>>`;
    if (first === '%') {
      const schema = this.reference(`${packageName}.JSONSchemaProps`);
      return `${schema} | ${{ '%a': `readonly ${schema}[]`, '%b': 'boolean', '%s': 'readonly string[]' }[code]}`;
    }
    const scalar = scalars[code];
    if (!scalar) return this.reference(code);
    if (/^Json/.test(scalar)) return this.use('#apimachinery', scalar);
    if (/^(Quantity|IntOrString)$/.test(scalar)) return this.use('./scalars.ts', scalar);
    return scalar;
  }

  text(): string {
    const imports = [...this.#imports].sort().map(([from, names]) => {
      const path = from === './scalars.ts' ? './scalars.ts' : from;
      return `import type { ${[...names].sort().join(', ')} } from '${path}';`;
    });
    return ['/** Generated by hack/update-api. */', ...imports, '', ...this.lines].join('\n');
  }
}

function isKind(definition: Definition): boolean {
  return definition.typeMeta && definition.fields.some(field => field.type === 'meta.v1.ObjectMeta');
}

function isList(definition: Definition): boolean {
  return definition.fields.some(field => field.type === 'meta.v1.ListMeta') && /List$/.test(definition.name);
}

/** Present in every object: what Go always writes, or OpenAPI requires, but structs only at the top of a kind. */
function alwaysThere(field: Field, topLevel: boolean): boolean {
  if (field.required) return true;
  if (field.omitEmpty || field.nullable) return false;
  const struct = target(field).includes('.') || /^[TMORJ]$/.test(field.type);
  return struct ? field.name === 'spec' || (topLevel && field.name !== 'status') : true;
}

function writeDefinition(writer: FileWriter, model: Model, definition: Definition, name: string): void {
  const packageName = packageOf(definition.name);
  const items = definition.fields.find(field => field.name === 'items');
  if (definition.typeMeta && isList(definition) && items?.type.startsWith('[')) {
    const element = writer.type(items.type.slice(1), packageName);
    writer.lines.push(`export type ${name} = ${writer.use('#apimachinery', 'KubeList')}<${element}>;`, '');
    return;
  }
  const kind = isKind(definition);
  const members = flatten(model, definition).map(field => {
    const optional = kind && field.name === 'metadata' ? false : !alwaysThere(field, definition.typeMeta);
    const key = /^[A-Za-z_]\w*$/.test(field.name) ? field.name : `'${field.name}'`;
    return `  readonly ${key}${optional ? '?' : ''}: ${writer.type(field.type, packageName)};`;
  });
  const mark = kind || !definition.typeMeta ? '' : '?';
  const meta = definition.typeMeta ? [`  readonly apiVersion${mark}: string;`, `  readonly kind${mark}: string;`] : [];
  // A type alias, unlike an interface, is assignable to KubeObject's index signature.
  writer.lines.push(
    definition.typeMeta ? `export type ${name} = {` : `export interface ${name} {`,
    ...meta,
    ...members,
    definition.typeMeta ? '};' : '}',
    '',
  );
}

/** File name (without folder) to content. */
export function emitTypes(model: Model, roots: TypeRoots): Map<string, string> {
  const names = reach(model, [...roots.kinds, ...roots.others]);
  const naming = nameAll(names, roots.kinds);
  const files = new Map<string, string>();
  const byFile = Map.groupBy(names, fileOf);
  for (const [file, members] of byFile) {
    const writer = new FileWriter(file, naming);
    for (const name of members) {
      writeDefinition(writer, model, model.definitions.get(name)!, naming.plain.get(name)!);
    }
    for (const name of members) {
      const alias = naming.contested.get(name);
      if (alias) writer.lines.push(`export type ${alias} = ${naming.plain.get(name)};`, '');
    }
    files.set(`${file}.gen.ts`, writer.text());
  }
  const modules = [...byFile.keys()].sort().map(file => `export type * from './${file}.gen.ts';`);
  files.set('index.gen.ts', ['/** Generated by hack/update-api. */', ...modules, ''].join('\n'));
  return files;
}
