/**
 * Joins the Go field facts with the Swagger document into one model of every definition, and holds it against the
 * protobuf field table: a field number or label that disagrees is an error.
 */
import { longName, packageOf, shortName, shortOfMessage } from './names.ts';
import { type ProtobufField, readFacts, type Swagger, type SwaggerDocument } from './reference.ts';

/** Codes of the table format; see src/api/tables/format.ts. */
const scalars: Readonly<Record<string, string>> = {
  string: 's',
  '[]byte': 'b',
  bool: 'B',
  int32: 'i',
  int64: 'l',
  int: 'l',
  float64: 'd',
  any: '*',
  'resource.Quantity': 'Q',
  'meta.v1.Time': 'T',
  'meta.v1.MicroTime': 'M',
  'meta.v1.Duration': 'D',
  'intstr.IntOrString': 'O',
  'meta.v1.FieldsV1': 'F',
  'runtime.RawExtension': 'R',
  'apiextensions.v1.JSON': 'J',
  'apiextensions.v1beta1.JSON': 'J',
};

/** Scalars whose Go type is a struct: without a pointer Go always writes them, whatever `omitempty` says. */
const structScalars = 'QTMDOFRJ';

export interface Field {
  readonly name: string;
  readonly number: number;
  /** Type code with full short names, without the names of Go types. */
  readonly type: string;
  /** The same with them: `<v1.RestartPolicy>s`. */
  readonly goType: string;
  readonly nullable: boolean;
  readonly omitEmpty: boolean;
  readonly required: boolean;
  readonly embedded: boolean;
  readonly swagger?: Swagger;
  /** JSON text. */
  readonly default?: string;
}

export interface Definition {
  /** Short name. */
  readonly name: string;
  readonly fields: readonly Field[];
  readonly swagger?: Swagger;
  readonly typeMeta: boolean;
}

export interface Model {
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly aliases: ReadonlyMap<string, string>;
}

interface GoField {
  readonly name: string;
  readonly number: number;
  readonly flags: string;
  readonly type: string;
}

interface GoFacts {
  readonly definitions: Map<string, GoField[]>;
  readonly typeMeta: Set<string>;
  readonly aliases: Map<string, string>;
}

function readGoFacts(): GoFacts {
  const definitions = new Map<string, GoField[]>();
  const typeMeta = new Set<string>();
  const aliases = new Map<string, string>();
  let packageName = '';
  let current: GoField[] = [];
  let name = '';
  for (const [first = '', field = '', number = '', flags = '', type = ''] of readFacts('go-fields.tsv')) {
    if (first.startsWith('# ')) packageName = first.slice(2);
    else if (first === '=') aliases.set(field, number);
    else if (first !== '') {
      name = `${packageName}.${first}`;
      definitions.set(name, (current = []));
    } else if (field === '@') typeMeta.add(name);
    else current.push({ name: field, number: Number(number), flags, type: qualify(type, packageName) });
  }
  return { definitions, typeMeta, aliases };
}

/** Puts the package before a type name that has none. */
function qualify(type: string, packageName: string): string {
  const [, prefix = '', base = ''] = type.match(/^((?:\*|\[\]|map\[\]|<[^>]*>)*)(.*)$/) ?? [];
  return /^[A-Z]\w*$/.test(base) ? `${prefix}${packageName}.${base}` : type;
}

/**
 * The code of a Go type without its outermost pointer. `[` list, `{` map, `~` list that protobuf wraps in a message,
 * `<v1.Phase>` before what Go declares under that name.
 */
function typeCode(type: string, aliases: ReadonlyMap<string, string>): string {
  const goName = type.match(/^<[^>]*>/)?.[0];
  if (goName) return goName + typeCode(type.slice(goName.length), aliases);
  const scalar = scalars[type];
  if (scalar) return scalar;
  if (type.startsWith('*')) return typeCode(type.slice(1), aliases);
  if (type.startsWith('[]')) return `[${typeCode(type.slice(2), aliases)}`;
  if (type.startsWith('map[]')) return `{${typeCode(type.slice(5), aliases)}`;
  const union = type.match(/^apiextensions\.(?:v1|v1beta1)\.JSONSchemaPropsOr(Array|Bool|StringArray)$/);
  if (union) return { Array: '%a', Bool: '%b', StringArray: '%s' }[union[1] as 'Array']!;
  const alias = aliases.get(type);
  if (alias?.startsWith('[]')) return `<${type.split('.').slice(-2).join('.')}>~${typeCode(alias.slice(2), aliases)}`;
  if (!/^[a-z0-9]+\.(?:v\w+\.)?[A-Z]/.test(alias ?? type)) throw new Error(`unknown type ${type}`);
  return alias ?? type;
}

function isStruct(code: string): boolean {
  return structScalars.includes(code) || /^[a-z0-9]+\./.test(code);
}

function toField(go: GoField, swagger: Swagger | undefined, facts: GoFacts, declared: string | undefined): Field {
  const goType = typeCode(go.type, facts.aliases);
  const type = goType.replace(/<[^>]*>/g, '');
  const pointer = go.type.startsWith('*');
  const property = swagger?.properties?.[go.name];
  const union = type.startsWith('%');
  return {
    name: go.name,
    number: go.number,
    type,
    goType,
    nullable: pointer || type === 'b' || /^[[{~*]/.test(type),
    omitEmpty: go.flags.includes('z') || (go.flags.includes('o') && (pointer || !(isStruct(type) || union))),
    required: swagger?.required?.includes(go.name) ?? false,
    embedded: go.flags.includes('i'),
    ...(property ? { swagger: property } : {}),
    ...(declared === undefined ? {} : { default: declared }),
  };
}

function checkAgainstProtobuf(model: Model, protobuf: readonly ProtobufField[]): void {
  const byMessage = Map.groupBy(protobuf, field => shortOfMessage(field.message));
  const custom =
    /^(resource\.Quantity|meta\.v1\.(Time|MicroTime|Timestamp|Duration|FieldsV1)|intstr\.|runtime\.|.*\.JSON(SchemaPropsOr\w+)?$)/;
  for (const [message, fields] of byMessage) {
    if (custom.test(message) || model.aliases.has(message)) continue;
    const definition = model.definitions.get(message);
    if (!definition) throw new Error(`protobuf message ${message} has no definition`);
    const numbers = new Map(definition.fields.filter(field => field.number > 0).map(field => [field.number, field]));
    for (const { number, label, field: name } of fields) {
      const field = numbers.get(number);
      if (!field) throw new Error(`${message}.${name}: no field ${number}`);
      const expected = field.type.startsWith('[') ? 'repeated' : field.type.startsWith('{') ? 'map' : 'optional';
      if (label !== expected) throw new Error(`${message}.${name}: ${label}, but Go says ${expected}`);
      numbers.delete(number);
    }
    if (numbers.size > 0 && message !== 'meta.v1.TypeMeta') {
      throw new Error(`${message}: protobuf lacks ${[...numbers.keys()].join(', ')}`);
    }
  }
}

/** Builds the model. */
export function buildModel(document: SwaggerDocument, protobuf: readonly ProtobufField[]): Model {
  const facts = readGoFacts();
  const defaults = new Map<string, string>();
  for (const [definition, property, fact, value] of readFacts('openapi.tsv')) {
    if (fact === 'default') defaults.set(`${definition}.${property}`, value ?? '');
  }
  const definitions = new Map<string, Definition>();
  const embedders = findEmbedders(facts);
  for (const [name, fields] of facts.definitions) {
    if (/^meta\.v1\.(Time|MicroTime|Duration|FieldsV1)$|^intstr\.|JSONSchemaPropsOr|\.JSON$/.test(name)) continue;
    const swagger = document.definitions[longName(name)] ?? document.definitions[longName(embedders.get(name) ?? name)];
    definitions.set(name, {
      name,
      typeMeta: facts.typeMeta.has(name),
      fields: fields.map(field => toField(field, swagger, facts, defaults.get(`${name}.${field.name}`))),
      ...(swagger ? { swagger } : {}),
    });
  }
  const aliases = new Map(facts.aliases);
  const model: Model = { definitions, aliases };
  checkAgainstProtobuf(model, protobuf);
  checkReferences(model);
  checkSwagger(model, document);
  return model;
}

/** For a struct that is only ever embedded, the one that embeds it: Swagger describes its fields there. */
function findEmbedders(facts: GoFacts): Map<string, string> {
  const embedders = new Map<string, string>();
  for (const [name, fields] of facts.definitions) {
    for (const field of fields) if (field.flags.includes('i')) embedders.set(field.type, name);
  }
  return embedders;
}

function checkReferences(model: Model): void {
  for (const definition of model.definitions.values()) {
    for (const field of definition.fields) {
      const target = field.type.replace(/^[[{~]+/, '');
      if (target.includes('.') && !model.definitions.has(target)) {
        throw new Error(`${definition.name}.${field.name}: no definition ${target}`);
      }
    }
  }
}

/** Every property of the Swagger document must be a Go field. */
function checkSwagger(model: Model, document: SwaggerDocument): void {
  for (const [long, swagger] of Object.entries(document.definitions)) {
    const definition = model.definitions.get(shortName(long));
    if (!definition) continue;
    const names = new Set(flatten(model, definition).map(field => field.name));
    if (definition.typeMeta) names.add('kind').add('apiVersion');
    for (const name of Object.keys(swagger.properties ?? {})) {
      if (!names.has(name)) throw new Error(`${long}: Go has no field ${name}`);
    }
  }
}

/** The fields as JSON sees them: those of embedded structs stand in the embedded one's place. */
export function flatten(model: Model, definition: Definition): Field[] {
  return definition.fields.flatMap(field => {
    if (!field.embedded) return [field];
    const inner = model.definitions.get(field.type);
    if (!inner) throw new Error(`${definition.name}: embeds unknown ${field.type}`);
    return flatten(model, inner);
  });
}

/** `core` of `core.v1.Pod`: the file in which a definition stands. */
export function fileOf(short: string): string {
  const name = packageOf(short);
  return name.includes('.') ? name.slice(0, name.indexOf('.')) : name;
}
