/**
 * Types of data that a schema describes, with the sizes that cost estimates need. Upstream: k8s.io/apiserver
 * pkg/cel/{types,limits}.go, pkg/cel/common/schemas.go.
 */
import type { JsonSchema } from '../../schema/json-schema.ts';
import { listOf, mapOf, structType, type Type, types } from '../check/types.ts';
import { escapeName } from './escaping.ts';

/** The greatest request, which bounds everything that has no bound of its own. */
const maxRequestSizeBytes: number = 3 * 1024 * 1024;
const maxDurationSize = 32;
const maxDatetimeSize = 32;
const dateSize = 12;

/** A type with what is known of its sizes. Immutable. */
export interface DeclType {
  readonly type: Type;
  /** Longest string or greatest number of elements; 0 for what has no size. */
  readonly maxElements: number;
  /** Fewest bytes of JSON that such a value takes. */
  readonly minSerializedSize: number;
  /** Of lists and maps. */
  readonly element?: DeclType;
  /** Of maps. */
  readonly key?: DeclType;
  /** Of structs, by escaped name. */
  readonly fields?: ReadonlyMap<string, DeclType>;
}

const simple = (type: Type, minSerializedSize: number, maxElements = 0): DeclType => ({
  type,
  minSerializedSize,
  maxElements,
});

const booleanType = simple(types.bool, 4);
const doubleType = simple(types.double, 1);
const intType = simple(types.int, 1);
const stringType = simple(types.string, 2);

/** Anything: objects whose type is not known. */
export const dynType: DeclType = simple(types.dyn, 1);

/**
 * The type of data under a schema; undefined when expressions cannot see it. Structs are named after their path from
 * `name`, as `self.spec`, `self.items.@idx`. `isRoot`: the schema of a whole resource, which
 * has type and object meta; embedded resources have them too.
 */
export function declTypeOf(schema: JsonSchema, isRoot: boolean, name = 'object'): DeclType | undefined {
  if (schema['x-kubernetes-int-or-string']) {
    return simple(types.dyn, 1, schema.maxLength === undefined ? maxRequestSizeBytes - 2 : maxFromLength(schema));
  }
  const shown = isRoot || isEmbedded(schema) ? withMeta(schema) : schema;
  switch (shown.type) {
    case 'array':
      return listType(shown, name);
    case 'object':
      return objectType(shown, name);
    case 'string':
      return textType(shown);
    case 'boolean':
      return booleanType;
    case 'number':
      return doubleType;
    case 'integer':
      return intType;
    default:
      return undefined;
  }
}

const isEmbedded = (schema: JsonSchema): boolean => schema['x-kubernetes-embedded-resource'] ?? false;

function listType(schema: JsonSchema, name: string): DeclType | undefined {
  const items = schema.items as JsonSchema | undefined;
  const element = items === undefined ? undefined : declTypeOf(items, false, `${name}.@idx`);
  if (element === undefined) return undefined;
  const fitting = Math.floor((maxRequestSizeBytes - 2) / (element.minSerializedSize + 1));
  const maxElements = schema.maxItems === undefined ? fitting : Math.max(0, Number(schema.maxItems));
  return { type: listOf(element.type), element, maxElements, minSerializedSize: 2 };
}

function objectType(schema: JsonSchema, name: string): DeclType | undefined {
  const additional = schema.additionalProperties;
  if (typeof additional === 'object' && additional !== null) return mapType(schema, additional, name);
  const required = new Set(schema.required ?? []);
  const fields = new Map<string, DeclType>();
  let minSerializedSize = 2;
  for (const [property, propertySchema] of Object.entries(schema.properties ?? {})) {
    const escaped = escapeName(property);
    const field = declTypeOf(propertySchema, false, `${name}.${escaped ?? property}`);
    if (field === undefined) continue;
    if (escaped !== undefined) fields.set(escaped, field);
    if (required.has(property) && (propertySchema.default ?? undefined) === undefined) {
      minSerializedSize += Buffer.byteLength(property) + field.minSerializedSize + 4;
    }
  }
  return { type: structType(name), fields, maxElements: 0, minSerializedSize };
}

function mapType(schema: JsonSchema, additional: JsonSchema, name: string): DeclType | undefined {
  const element = declTypeOf(additional, false, `${name}.@elem`);
  if (element === undefined) return undefined;
  const fitting = Math.floor((maxRequestSizeBytes - 2) / (element.minSerializedSize + 6));
  const maxElements = schema.maxProperties === undefined ? fitting : Math.max(0, Number(schema.maxProperties));
  return { type: mapOf(types.string, element.type), key: stringType, element, maxElements, minSerializedSize: 2 };
}

function textType(schema: JsonSchema): DeclType {
  const { maxLength, enum: allowed } = schema;
  switch (schema.format) {
    case 'byte':
      return simple(types.bytes, 2, maxLength === undefined ? maxRequestSizeBytes - 2 : Math.max(0, maxLength));
    case 'duration':
      return simple(types.duration, 3, maxDurationSize);
    case 'date':
      return simple(types.timestamp, dateSize, dateSize);
    case 'date-time':
      return simple(types.timestamp, 21, maxDatetimeSize);
    default: {
      if (maxLength !== undefined) return simple(types.string, 2, maxFromLength(schema));
      if (allowed === undefined || allowed.length === 0) return simple(types.string, 2, maxRequestSizeBytes - 2);
      const lengths = allowed.map(value => (typeof value === 'string' ? Buffer.byteLength(value) : 0));
      return simple(types.string, 2, Math.max(...lengths));
    }
  }
}

/** A character may take four bytes. */
const maxFromLength = (schema: JsonSchema): number => Math.max(0, Number(schema.maxLength)) * 4;

const text: JsonSchema = { type: 'string' };

/** The schema of a resource: kind, apiVersion and the names in metadata are always there. */
export function withMeta(schema: JsonSchema): JsonSchema {
  const given = schema.properties ?? {};
  const meta = given.metadata;
  const complete =
    given.kind?.type === 'string' &&
    given.apiVersion?.type === 'string' &&
    meta?.type === 'object' &&
    meta.properties?.name?.type === 'string' &&
    meta.properties.generateName?.type === 'string';
  if (complete) return schema;
  const metadata: JsonSchema = { type: 'object', properties: { name: text, generateName: text } };
  return { ...schema, properties: { ...given, kind: text, apiVersion: text, metadata } };
}

/** All structs in a type, by name. */
export function structsIn(root: DeclType, found: Map<string, DeclType> = new Map()): Map<string, DeclType> {
  if (root.fields !== undefined) {
    found.set(root.type.name, root);
    for (const field of root.fields.values()) structsIn(field, found);
  }
  if (root.element !== undefined) structsIn(root.element, found);
  return found;
}

/** How often, at most, such a value can stand in one object: the cardinality under unbounded lists. */
export function maxCardinality(minSerializedSize: number): number {
  return Math.floor(maxRequestSizeBytes / (minSerializedSize + 1));
}
