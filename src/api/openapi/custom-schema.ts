/**
 * The schemas of custom resources, as version 3 and version 2 show them.
 * Upstream: apiextensions-apiserver pkg/controller/openapi/{builder,v2}, pkg/apiserver/schema/{kubeopenapi,unfold}.go.
 */
import type { CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps } from '../types.ts';
import { describe } from './descriptions.ts';
import type { Schema, SchemaWriter } from './schema.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const conventions = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';

type Props = JSONSchemaProps & Readonly<Record<string, unknown>>;

/** Keywords in the order in which upstream writes them, without those that hold schemas of their own. */
const keywords: readonly string[] = [
  ...['description', 'type', 'nullable', 'format', 'title', 'default', 'maximum', 'exclusiveMaximum', 'minimum'],
  ...['exclusiveMinimum', 'maxLength', 'minLength', 'pattern', 'maxItems', 'minItems', 'uniqueItems', 'multipleOf'],
  ...['enum', 'maxProperties', 'minProperties', 'required'],
];
const extensionNames: readonly string[] = [
  ...['x-kubernetes-embedded-resource', 'x-kubernetes-int-or-string', 'x-kubernetes-list-map-keys'],
  ...['x-kubernetes-list-type', 'x-kubernetes-map-type', 'x-kubernetes-preserve-unknown-fields'],
  'x-kubernetes-validations',
];

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === '' ||
  (Array.isArray(value) && value.length === 0);

/** An integer or a string, said in a way that validators without the extension understand. */
const intOrString: readonly Schema[] = [{ type: 'integer' }, { type: 'string' }];

function unfolded(props: Props): Props {
  if (!props['x-kubernetes-int-or-string']) return props;
  const says = (list: unknown): boolean =>
    Array.isArray(list) && list[0]?.type === 'integer' && list[1]?.type === 'string';
  const { anyOf, allOf } = props;
  if (says(anyOf) || says(allOf?.[0]?.anyOf)) return props;
  if (!anyOf) return { ...props, anyOf: intOrString as never };
  return { ...props, allOf: [{ anyOf: intOrString }, ...(allOf ?? [])] as never };
}

/** What version 2 cannot say, and what kubectl misreads in it, is left out. */
function forVersion2(props: Props): Props {
  const { allOf: _a, oneOf: _o, anyOf: _n, not: _t, default: _d, ...rest } = props;
  const found: Record<string, unknown> = { ...rest };
  const preserve = props['x-kubernetes-preserve-unknown-fields'] === true;
  if (props.nullable) {
    delete found['type'];
    delete found['nullable'];
  }
  if (props.nullable || preserve) {
    delete found['items'];
    delete found['properties'];
  }
  if (found['type'] === 'array' && !found['items']) delete found['type'];
  if (preserve && found['type'] === 'object') delete found['type'];
  const properties = found['properties'] as Record<string, Props> | undefined;
  if (properties && props.required) found['required'] = props.required.filter(name => !properties[name]?.nullable);
  const additional = props.additionalProperties;
  if (typeof additional === 'object' && additional?.nullable) delete found['required'];
  return found as Props;
}

class CustomSchema {
  readonly #writer: SchemaWriter;
  readonly #version: 2 | 3;

  constructor(writer: SchemaWriter, version: 2 | 3) {
    this.#writer = writer;
    this.#version = version;
  }

  /** A schema, and all within it. */
  convert(given: Props): Schema {
    const props = this.#version === 2 ? forVersion2(given) : unfolded(given);
    const found: Record<string, unknown> = {};
    for (const key of keywords) {
      const value = props[key];
      if (key === 'default' ? value !== undefined : !isEmpty(value)) found[key] = value;
    }
    const embedded = props['x-kubernetes-embedded-resource'] === true;
    const preserve = props['x-kubernetes-preserve-unknown-fields'] === true;
    const withMeta = embedded && !(preserve && this.#version === 2);
    if (withMeta) found['required'] = [...new Set([...(props.required ?? []), 'kind', 'apiVersion'])];
    if (props.items && !Array.isArray(props.items)) found['items'] = this.convert(props.items as Props);
    for (const key of ['allOf', 'oneOf', 'anyOf'] as const) {
      if (props[key]?.length) found[key] = props[key]!.map(each => this.convert(each as Props));
    }
    if (props.not) found['not'] = this.convert(props.not as Props);
    const properties = this.#properties(props.properties, withMeta);
    if (properties) found['properties'] = properties;
    const additional = props.additionalProperties;
    if (typeof additional === 'object') found['additionalProperties'] = this.convert(additional as Props);
    else if (additional !== undefined) found['additionalProperties'] = additional;
    if (props.externalDocs) found['externalDocs'] = props.externalDocs;
    if (props.example !== undefined) found['example'] = props.example;
    for (const key of extensionNames) if (!isEmpty(props[key])) found[key] = props[key];
    return found;
  }

  #properties(given: JSONSchemaProps['properties'], withMeta: boolean): Schema | undefined {
    if (!given && !withMeta) return undefined;
    const found: Record<string, Schema> = {};
    for (const [name, each] of Object.entries(given ?? {})) found[name] = this.convert(each as Props);
    return sorted(withMeta ? { ...found, ...this.#embeddedMeta() } : found);
  }

  #embeddedMeta(): Record<string, Schema> {
    const of = 'defines the versioned schema of this representation of an object. More info:';
    return {
      apiVersion: { description: `apiVersion ${of} ${conventions}#resources`, type: 'string' },
      kind: {
        description: `kind is a string value representing the type of this object. In CamelCase. More info: ${conventions}#types-kinds`,
        type: 'string',
      },
      metadata: this.metadata('ObjectMeta'),
    };
  }

  /** The metadata of objects or of lists. */
  metadata(name: 'ObjectMeta' | 'ListMeta'): Schema {
    const description =
      name === 'ObjectMeta'
        ? `Standard object's metadata. More info: ${conventions}#metadata`
        : `Standard list metadata. More info: ${conventions}#types-kinds`;
    const reference = this.#writer.reference(meta + name);
    return this.#version === 3 ? { description, allOf: [reference] } : { description, ...reference };
  }

  /** kind and apiVersion as every object has them. */
  typeMeta(): Record<string, Schema> {
    const pod = 'io.k8s.api.core.v1.Pod';
    const field = (name: string): Schema => {
      const description = describe(pod, name);
      return { ...(description ? { description } : {}), type: 'string' };
    };
    return { apiVersion: field('apiVersion'), kind: field('kind') };
  }
}

function sorted(map: Readonly<Record<string, Schema>>): Schema {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `com.example.v1.Boat`. */
export function customName(group: string, version: string, kind: string): string {
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`;
}

/** Kind of the list of a custom resource. */
export const listKindOf = (crd: CustomResourceDefinition): string =>
  crd.spec.names.listKind || `${crd.spec.names.kind}List`;

function extensions(crd: CustomResourceDefinition, version: CustomResourceDefinitionVersion, kind: string): Schema {
  const { group } = crd.spec;
  const paths = (version.selectableFields ?? []).map(each => ({ fieldPath: each.jsonPath.replace(/^\./, '') }));
  return {
    'x-kubernetes-group-version-kind': [{ group, kind, version: version.name }],
    ...(paths.length > 0 ? { 'x-kubernetes-selectable-fields': paths } : {}),
  };
}

/** Extensions stand at the end, in the order of their names. */
function withExtensions(schema: Schema, more: Schema): Schema {
  const entries = Object.entries({ ...schema, ...more });
  const own = entries.filter(([key]) => !key.startsWith('x-'));
  const extra = entries.filter(([key]) => key.startsWith('x-')).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries([...own, ...extra]);
}

function objectSchema(
  crd: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  custom: CustomSchema,
  target: 2 | 3,
): Schema {
  const props = version.schema?.openAPIV3Schema as Props | undefined;
  const preserve = crd.spec.preserveUnknownFields || props?.['x-kubernetes-preserve-unknown-fields'] === true;
  if (!props || (target === 2 && preserve)) return { type: 'object' };
  const converted = custom.convert(props);
  const { properties, ...rest } = converted;
  const all = sorted({
    ...(properties as Record<string, Schema>),
    ...custom.typeMeta(),
    metadata: custom.metadata('ObjectMeta'),
  });
  const entries = Object.entries(rest);
  const at = entries.findIndex(([key]) => key === 'additionalProperties' || key.startsWith('x-'));
  entries.splice(at < 0 ? entries.length : at, 0, ['properties', all]);
  return Object.fromEntries(entries);
}

function listSchema(
  crd: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  custom: CustomSchema,
  writer: SchemaWriter,
): Schema {
  const { kind, plural } = crd.spec.names;
  const items = {
    description: `List of ${plural}. More info: ${conventions}`,
    type: 'array',
    items: writer.reference(customName(crd.spec.group, version.name, kind)),
  };
  return {
    description: `${listKindOf(crd)} is a list of ${kind}`,
    type: 'object',
    required: ['items'],
    properties: sorted({ ...custom.typeMeta(), items, metadata: custom.metadata('ListMeta') }),
  };
}

/** The schemas of the served versions of these definitions, by name; undefined for any other name. */
export function customSchemas(
  crds: readonly CustomResourceDefinition[],
  target: 2 | 3,
): { schema(name: string, writer: SchemaWriter): Schema | undefined } {
  const known = new Map<string, (writer: SchemaWriter) => Schema>();
  for (const crd of crds) {
    for (const version of crd.spec.versions.filter(each => each.served)) {
      const { group, names } = crd.spec;
      known.set(customName(group, version.name, names.kind), writer => {
        const schema = objectSchema(crd, version, new CustomSchema(writer, target), target);
        return withExtensions(schema, extensions(crd, version, names.kind));
      });
      known.set(customName(group, version.name, listKindOf(crd)), writer => {
        const schema = listSchema(crd, version, new CustomSchema(writer, target), writer);
        return withExtensions(schema, extensions(crd, version, listKindOf(crd)));
      });
    }
  }
  return { schema: (name, writer) => known.get(name)?.(writer) };
}
