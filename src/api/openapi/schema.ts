/**
 * Schemas of the built-in definitions, written from the type tables. Version 3 shows defaults, enumerations and
 * references within `allOf`; version 2 shows none of the first two and puts references beside descriptions.
 * Upstream: k8s.io/kube-openapi cmd/openapi-gen, pkg/builder3, pkg/schemaconv.
 */
import type { FieldNode, ListNode, ScalarType, StructNode, TypeNode } from '#apimachinery';
import { builtinTypes, shortDefinitionName } from '../tables.ts';
import { describe } from './descriptions.ts';
import { type PropertyFacts, propertyFacts, unionFacts } from './facts.gen.ts';

export type Schema = Readonly<Record<string, unknown>>;
type Building = Record<string, unknown>;

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const quantity = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const intOrString = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';
const rawExtension = 'io.k8s.apimachinery.pkg.runtime.RawExtension';
const apiextensions = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.';

const inline: Partial<Record<ScalarType, Schema>> = {
  string: { type: 'string' },
  bytes: { type: 'string', format: 'byte' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
};

const named: Partial<Record<ScalarType, string>> = {
  quantity,
  time: `${meta}Time`,
  microtime: `${meta}MicroTime`,
  duration: `${meta}Duration`,
  intOrString,
  fieldsV1: `${meta}FieldsV1`,
  rawExtension,
  json: `${apiextensions}JSON`,
};

const unionNames = {
  schemaOrArray: `${apiextensions}JSONSchemaPropsOrArray`,
  schemaOrBool: `${apiextensions}JSONSchemaPropsOrBool`,
  schemaOrStringArray: `${apiextensions}JSONSchemaPropsOrStringArray`,
} as const;

const textOrNumber: Schema = { oneOf: [{ type: 'string' }, { type: 'number' }] };
const numberOrText: Schema = { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] };

/** Definitions that are no structs: by name what version 3 and version 2 say. */
const scalarDefinitions: Readonly<Record<string, readonly [Schema, Schema]>> = {
  [quantity]: [textOrNumber, { type: 'string' }],
  [intOrString]: [numberOrText, { type: 'string', format: 'int-or-string' }],
  [`${meta}Time`]: [
    { type: 'string', format: 'date-time' },
    { type: 'string', format: 'date-time' },
  ],
  [`${meta}MicroTime`]: [
    { type: 'string', format: 'date-time' },
    { type: 'string', format: 'date-time' },
  ],
  [`${meta}Duration`]: [{ type: 'string' }, { type: 'string' }],
  [`${meta}FieldsV1`]: [{ type: 'object' }, { type: 'object' }],
  [`${meta}Patch`]: [{ type: 'object' }, { type: 'object' }],
  [rawExtension]: [{ type: 'object' }, { type: 'object' }],
  [`${apiextensions}JSON`]: [{}, {}],
  [unionNames.schemaOrArray]: [{}, {}],
  [unionNames.schemaOrBool]: [{}, {}],
  [unionNames.schemaOrStringArray]: [{}, {}],
};

/** Writes schemas and remembers which definitions they refer to. */
export class SchemaWriter {
  /** Every definition that was referred to. */
  readonly references: Set<string> = new Set();
  readonly #version: 2 | 3;

  constructor(version: 2 | 3) {
    this.#version = version;
  }

  /** A reference to a definition. */
  reference(name: string): Schema {
    this.references.add(name);
    return { $ref: `${this.#version === 3 ? '#/components/schemas/' : '#/definitions/'}${name}` };
  }

  /** The schema of a definition, without its group version kinds. */
  definition(name: string): Building {
    const description = describe(name);
    const start = description ? { description } : {};
    const scalar = scalarDefinitions[name];
    if (scalar) return { ...start, ...scalar[this.#version === 3 ? 0 : 1] };
    const struct = builtinTypes.struct(name);
    const schema: Building = { ...start, type: 'object' };
    const fields = [...struct.fields.values()];
    const required = fields.filter(field => field.required).map(field => field.name);
    if (required.length > 0) schema['required'] = required;
    const sorted = fields.sort((a, b) => (a.name < b.name ? -1 : 1));
    if (sorted.length > 0) {
      schema['properties'] = Object.fromEntries(sorted.map(field => [field.name, this.#property(name, field)]));
    }
    if (struct.mapType) schema['x-kubernetes-map-type'] = struct.mapType;
    const unions = unionFacts[shortDefinitionName(name) ?? ''];
    if (unions) schema['x-kubernetes-unions'] = unions;
    return schema;
  }

  #property(owner: string, field: FieldNode): Schema {
    const description = describe(owner, field.name) || typeMetaDescription(field.name);
    const facts = propertyFacts[`${shortDefinitionName(owner)}.${field.name}`];
    const schema = this.#value(field, description, facts);
    if (field.node.kind === 'list') addListFacts(schema, field.node);
    else if (facts?.listType) schema['x-kubernetes-list-type'] = facts.listType;
    const { mapType } = field.node as { mapType?: string };
    const own = field.node.kind === 'map' || (field.node.kind === 'struct' && differs(field.node));
    if (own && mapType) schema['x-kubernetes-map-type'] = mapType;
    if (field.merge?.key) schema['x-kubernetes-patch-merge-key'] = field.merge.key;
    if (field.merge?.strategy) schema['x-kubernetes-patch-strategy'] = field.merge.strategy;
    return schema;
  }

  #value(field: FieldNode, description: string, facts: PropertyFacts | undefined): Building {
    const { node } = field;
    const start: Building = description ? { description } : {};
    const reference = this.#referenced(node);
    if (reference && facts?.bare) return { ...reference };
    const choices = facts?.enum ? { enum: facts.enum } : {};
    if (this.#version === 2) {
      return { ...start, ...(reference ?? { ...this.#inline(node, facts), ...choices }) };
    }
    const fallback = defaultOf(field);
    const withDefault = fallback === undefined ? start : { ...start, default: fallback };
    if (reference) return { ...withDefault, allOf: [reference] };
    const body = this.#inline(node, facts);
    const { type, format, ...rest } = body;
    return {
      ...start,
      ...(type ? { type } : {}),
      ...(format ? { format } : {}),
      ...(fallback === undefined ? {} : { default: fallback }),
      ...choices,
      ...rest,
    };
  }

  /** The reference that a node is, if it is one. */
  #referenced(node: TypeNode): Schema | undefined {
    if (node.kind === 'struct') return this.reference(node.name);
    if (node.kind === 'any' && node.union) return this.reference(unionNames[node.union.type]);
    const name = node.kind === 'scalar' ? named[node.type] : undefined;
    return name === undefined ? undefined : this.reference(name);
  }

  #inline(node: TypeNode, facts: PropertyFacts | undefined): Building {
    switch (node.kind) {
      case 'scalar':
        return { ...inline[node.type] };
      case 'list':
        return { type: 'array', items: this.#element(node.element, facts?.items) };
      case 'map':
        return { type: 'object', additionalProperties: this.#element(node.element, facts?.values) };
      default:
        return {};
    }
  }

  #element(node: TypeNode, choices: readonly string[] | undefined): Schema {
    const reference = this.#referenced(node);
    const zero = this.#version === 3 ? elementDefault(node) : undefined;
    if (reference) return zero === undefined ? reference : { default: zero, allOf: [reference] };
    const { type, format, ...rest } = this.#inline(node, undefined);
    return {
      ...(type ? { type } : {}),
      ...(format ? { format } : {}),
      ...(zero === undefined ? {} : { default: zero }),
      ...(choices ? { enum: choices } : {}),
      ...rest,
    };
  }
}

/** The kind and version of an object are described alike everywhere. */
function typeMetaDescription(name: string): string {
  return name === 'kind' || name === 'apiVersion' ? describe('io.k8s.api.core.v1.Pod', name) : '';
}

function differs(node: StructNode): boolean {
  return builtinTypes.struct(node.name).mapType !== node.mapType;
}

function addListFacts(schema: Building, { listType, listKeys }: ListNode): void {
  if (listKeys) schema['x-kubernetes-list-map-keys'] = listKeys;
  if (listType) schema['x-kubernetes-list-type'] = listType;
}

const zeros: Partial<Record<ScalarType, unknown>> = { string: '', boolean: false, int32: 0, int64: 0, double: 0 };

/** What Go holds where nothing was given; undefined for what has a JSON form of its own. */
function elementDefault(node: TypeNode): unknown {
  if (node.kind === 'struct') return {};
  return node.kind === 'scalar' ? zeros[node.type] : undefined;
}

function defaultOf(field: FieldNode): unknown {
  if (field.default !== undefined) return field.default;
  if (field.nullable || (field.omitEmpty && field.node.kind !== 'struct')) return undefined;
  return elementDefault(field.node);
}
