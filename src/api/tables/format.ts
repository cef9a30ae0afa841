/**
 * The text format of the generated tables, and its reader. A table is read lazily, one definition when it is first
 * asked for, so that a start pays for what it uses.
 *
 * `# core.v1` opens a package. A line that begins with a letter opens a definition: its name, then `m:<map type>`.
 * A line that begins with a space is a field: name, protobuf number, type, flags, extras. ` @` stands for kind and
 * apiVersion. Types: `s` string, `b` bytes, `B` boolean, `i` int32, `l` int64, `d` double, `Q` quantity, `T` time,
 * `M` microtime, `D` duration, `O` intOrString, `F` fieldsV1, `R` rawExtension, `J` json, `*` anything, `%a` `%b` `%s`
 * the schema unions; `[`, `{`, `~` before one: list, map, list wrapped in a message; `.Name` a definition of the same
 * package, `core.v1.Name` of another; `<v1.Name>` before what Go declares under that name. Flags: `p` nullable, `o` omitEmpty, `r` required, `e` embedded. Extras:
 * `l:<list type>[:<keys>]`, `m:<map type>`, `p:<patch strategy>[:<merge key>]`, `d:<default as JSON>`.
 *
 * Worked example: ` ports 6 [.ContainerPort po l:map:containerPort,protocol p:merge:containerPort`.
 */
import type { EmbeddedStruct, FieldNode, ScalarType, StructNode, TypeNode } from '#apimachinery';

const scalarTypes: Readonly<Record<string, ScalarType>> = {
  s: 'string',
  b: 'bytes',
  B: 'boolean',
  i: 'int32',
  l: 'int64',
  d: 'double',
  Q: 'quantity',
  T: 'time',
  M: 'microtime',
  D: 'duration',
  O: 'intOrString',
  F: 'fieldsV1',
  R: 'rawExtension',
  J: 'json',
};

const scalarNodes: ReadonlyMap<string, TypeNode> = new Map(
  Object.entries(scalarTypes).map(([code, type]) => [code, Object.freeze({ kind: 'scalar', type } as const)]),
);
const anyNode: TypeNode = Object.freeze({ kind: 'any' } as const);

type MapType = 'atomic' | 'granular';
type ListType = 'atomic' | 'set' | 'map';

/** Finds the struct of a short name (`core.v1.Pod`). */
export type Resolve = (shortName: string) => StructNode;

/** A definition's lines, not yet read. */
export interface DefinitionText {
  /** Short name: `core.v1.Pod`. */
  readonly name: string;
  readonly mapType: string;
  readonly lines: readonly string[];
}

/** Cuts a table into its definitions. */
export function splitTable(table: string): DefinitionText[] {
  const found: DefinitionText[] = [];
  let packageName = '';
  let lines: string[] = [];
  for (const line of table.split('\n')) {
    if (line.startsWith(' ')) lines.push(line);
    else if (line.startsWith('# ')) packageName = line.slice(2);
    else if (line !== '') {
      const [name = '', mapType = ''] = line.split(' m:');
      found.push({ name: `${packageName}.${name}`, mapType, lines: (lines = []) });
    }
  }
  return found;
}

interface Extras {
  readonly listType?: ListType;
  readonly listKeys?: readonly string[];
  readonly mapType?: MapType;
  readonly merge?: { readonly strategy: string; readonly key?: string };
  readonly default?: unknown;
}

function parseExtras(words: readonly string[]): Extras {
  const extras: { -readonly [K in keyof Extras]: Extras[K] } = {};
  for (const word of words) {
    const value = word.slice(2);
    const [first = '', second] = value.split(':');
    if (word.startsWith('l:')) {
      extras.listType = first as ListType;
      if (second) extras.listKeys = second.split(',');
    } else if (word.startsWith('m:')) extras.mapType = value as MapType;
    else if (word.startsWith('p:')) extras.merge = { strategy: first, ...(second ? { key: second } : {}) };
    else if (word.startsWith('d:')) extras.default = JSON.parse(value);
  }
  return extras;
}

const unions = { '%a': 'schemaOrArray', '%b': 'schemaOrBool', '%s': 'schemaOrStringArray' } as const;

/** The node of a type code; struct references are resolved at once, so call it only when the node is wanted. */
function parseType(code: string, packageName: string, resolve: Resolve, extras: Extras): TypeNode {
  if (code.startsWith('<')) {
    const end = code.indexOf('>');
    const node = parseType(code.slice(end + 1), packageName, resolve, extras);
    return { ...node, goType: code.slice(1, end) } as TypeNode;
  }
  const { listType, listKeys, mapType } = extras;
  const inner = (): TypeNode => parseType(code.slice(1), packageName, resolve, {});
  const list = { ...(listType ? { listType } : {}), ...(listKeys ? { listKeys } : {}) };
  if (code.startsWith('[')) return { kind: 'list', element: inner(), ...list };
  if (code.startsWith('~')) return { kind: 'list', element: inner(), ...list, wrapped: true };
  if (code.startsWith('{')) return { kind: 'map', element: inner(), ...(mapType ? { mapType } : {}) };
  if (code === '*') return anyNode;
  if (code.startsWith('%')) {
    const schema = resolve(`${packageName}.JSONSchemaProps`);
    return { kind: 'any', union: { type: unions[code as keyof typeof unions], schema } };
  }
  const scalar = scalarNodes.get(code);
  if (scalar) return scalar;
  const struct = resolve(code.startsWith('.') ? packageName + code : code);
  return mapType && mapType !== struct.mapType ? withMapType(struct, mapType) : struct;
}

/** The same struct under another map type, as a property may declare. */
function withMapType(struct: StructNode, mapType: MapType): StructNode {
  return {
    kind: 'struct',
    name: struct.name,
    mapType,
    get fields() {
      return struct.fields;
    },
    get embedded() {
      return struct.embedded ?? [];
    },
  };
}

/** A field whose node is made when it is first looked at: definitions refer to each other in circles. */
class TableField implements FieldNode {
  readonly name: string;
  readonly number: number;
  readonly nullable: boolean;
  readonly omitEmpty: boolean;
  readonly required: boolean;
  readonly embedded: boolean;
  readonly default?: unknown;
  readonly merge?: { readonly strategy: string; readonly key?: string };
  #node: TypeNode | undefined;
  readonly #make: () => TypeNode;

  constructor(line: string, packageName: string, resolve: Resolve, embedded: boolean) {
    const [, name = '', number = '0', code = '', flags = '', ...rest] = line.split(' ');
    const extras = parseExtras(rest);
    this.name = name;
    this.number = Number(number);
    this.nullable = flags.includes('p');
    this.omitEmpty = flags.includes('o');
    this.required = flags.includes('r');
    this.embedded = embedded;
    if ('default' in extras) this.default = extras.default;
    if (extras.merge) this.merge = extras.merge;
    this.#make = () => parseType(code, packageName, resolve, extras);
  }

  get node(): TypeNode {
    return (this.#node ??= this.#make());
  }
}

function metaField(name: string): FieldNode {
  const node = scalarNodes.get('s')!;
  return { name, node, number: 0, nullable: false, omitEmpty: true, required: false };
}

function isEmbedding(line: string): boolean {
  return line.split(' ')[4]?.includes('e') ?? false;
}

interface Parts {
  readonly fields: ReadonlyMap<string, FieldNode>;
  readonly embedded: readonly EmbeddedStruct[];
}

/** A field of an embedded struct, as it stands among those of the outer one. */
function lifted(field: FieldNode): FieldNode {
  return {
    name: field.name,
    number: field.number,
    nullable: field.nullable,
    omitEmpty: field.omitEmpty,
    required: field.required,
    ...('default' in field ? { default: field.default } : {}),
    ...(field.merge ? { merge: field.merge } : {}),
    embedded: true,
    get node() {
      return field.node;
    },
  };
}

/** The struct of a definition; its lines are read when its fields are first looked at. */
export function parseDefinition(text: DefinitionText, longName: string, resolve: Resolve): StructNode {
  const packageName = text.name.slice(0, text.name.lastIndexOf('.'));
  let parts: Parts | undefined;
  const read = (): Parts => {
    const fields = new Map<string, FieldNode>();
    const embedded: EmbeddedStruct[] = [];
    for (const line of text.lines) {
      if (line === ' @') {
        for (const name of ['kind', 'apiVersion']) fields.set(name, metaField(name));
      } else if (isEmbedding(line)) {
        const outer = new TableField(line, packageName, resolve, false);
        const struct = outer.node as StructNode;
        embedded.push({ number: outer.number, struct });
        for (const [name, field] of struct.fields) fields.set(name, lifted(field));
      } else {
        const field = new TableField(line, packageName, resolve, false);
        fields.set(field.name, field);
      }
    }
    return { fields, embedded };
  };
  return {
    kind: 'struct',
    name: longName,
    ...(text.mapType ? { mapType: text.mapType as MapType } : {}),
    get fields() {
      return (parts ??= read()).fields;
    },
    get embedded() {
      return (parts ??= read()).embedded;
    },
  };
}
