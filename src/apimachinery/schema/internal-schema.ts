/**
 * Schemas and their rules as upstream's error texts show them: marshalled from its internal types, which have no JSON
 * names, so that every field appears under its Go name, absent ones as null or zero.
 * Upstream: apiextensions-apiserver pkg/apis/apiextensions/types_jsonschema.go.
 */
import type { JsonSchema, ValidationRule } from './json-schema.ts';

type Kind = 'text' | 'flag' | 'value' | 'schema' | 'schemas' | 'map' | 'items' | 'bool' | 'dependencies' | 'rules';

/** Go's fields in order, with the names of JSON and how the value is shown. */
export const schemaFields: readonly (readonly [go: string, json: string, kind: Kind])[] = [
  ['ID', 'id', 'text'],
  ['Schema', '$schema', 'text'],
  ['Ref', '$ref', 'value'],
  ['Description', 'description', 'text'],
  ['Type', 'type', 'text'],
  ['Nullable', 'nullable', 'flag'],
  ['Format', 'format', 'text'],
  ['Title', 'title', 'text'],
  ['Default', 'default', 'value'],
  ['Maximum', 'maximum', 'value'],
  ['ExclusiveMaximum', 'exclusiveMaximum', 'flag'],
  ['Minimum', 'minimum', 'value'],
  ['ExclusiveMinimum', 'exclusiveMinimum', 'flag'],
  ['MaxLength', 'maxLength', 'value'],
  ['MinLength', 'minLength', 'value'],
  ['Pattern', 'pattern', 'text'],
  ['MaxItems', 'maxItems', 'value'],
  ['MinItems', 'minItems', 'value'],
  ['UniqueItems', 'uniqueItems', 'flag'],
  ['MultipleOf', 'multipleOf', 'value'],
  ['Enum', 'enum', 'value'],
  ['MaxProperties', 'maxProperties', 'value'],
  ['MinProperties', 'minProperties', 'value'],
  ['Required', 'required', 'value'],
  ['Items', 'items', 'items'],
  ['AllOf', 'allOf', 'schemas'],
  ['OneOf', 'oneOf', 'schemas'],
  ['AnyOf', 'anyOf', 'schemas'],
  ['Not', 'not', 'schema'],
  ['Properties', 'properties', 'map'],
  ['AdditionalProperties', 'additionalProperties', 'bool'],
  ['PatternProperties', 'patternProperties', 'map'],
  ['Dependencies', 'dependencies', 'dependencies'],
  ['AdditionalItems', 'additionalItems', 'bool'],
  ['Definitions', 'definitions', 'map'],
  ['ExternalDocs', 'externalDocs', 'value'],
  ['Example', 'example', 'value'],
  ['XPreserveUnknownFields', 'x-kubernetes-preserve-unknown-fields', 'value'],
  ['XEmbeddedResource', 'x-kubernetes-embedded-resource', 'flag'],
  ['XIntOrString', 'x-kubernetes-int-or-string', 'flag'],
  ['XListMapKeys', 'x-kubernetes-list-map-keys', 'value'],
  ['XListType', 'x-kubernetes-list-type', 'value'],
  ['XMapType', 'x-kubernetes-map-type', 'value'],
  ['XValidations', 'x-kubernetes-validations', 'rules'],
];

/** Whether Go would see the field as set. */
export function isFieldSet(schema: JsonSchema, json: string, kind: Kind): boolean {
  const value = (schema as Readonly<Record<string, unknown>>)[json];
  if (value === undefined || value === null) return false;
  return kind === 'text' ? value !== '' : kind === 'flag' ? value !== false : true;
}

/** A schema under the names of Go's internal type. */
export function internalSchema(schema: JsonSchema | null | undefined): unknown {
  if (schema === null || schema === undefined) return null;
  const out: Record<string, unknown> = {};
  for (const [go, json, kind] of schemaFields) {
    out[go] = shown((schema as Readonly<Record<string, unknown>>)[json], kind);
  }
  return out;
}

function shown(value: unknown, kind: Kind): unknown {
  if (kind === 'text') return value ?? '';
  if (kind === 'flag') return value ?? false;
  if (value === undefined || value === null) return null;
  switch (kind) {
    case 'schema':
      return internalSchema(value as JsonSchema);
    case 'schemas':
      return (value as JsonSchema[]).map(internalSchema);
    case 'map':
      return mapped(value as Record<string, JsonSchema>, internalSchema);
    case 'items':
      return internalItems(value as JsonSchema['items']);
    case 'bool':
      return typeof value === 'boolean'
        ? { Allows: value, Schema: null }
        : { Allows: true, Schema: internalSchema(value as JsonSchema) };
    case 'dependencies':
      return mapped(value as Record<string, JsonSchema | string[]>, each =>
        Array.isArray(each)
          ? { Schema: null, Property: each }
          : { Schema: internalSchema(each as JsonSchema), Property: null },
      );
    case 'rules':
      return (value as ValidationRule[]).map(internalRule);
    default:
      return value;
  }
}

function mapped<T>(map: Readonly<Record<string, T>>, show: (value: T) => unknown): object {
  const entries = Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, value]) => [name, show(value)]));
}

/** `items`, which is one schema or several. */
export function internalItems(items: JsonSchema['items']): unknown {
  return Array.isArray(items)
    ? { Schema: null, JSONSchemas: items.map(internalSchema) }
    : { Schema: internalSchema(items as JsonSchema), JSONSchemas: null };
}

/** One of `x-kubernetes-validations`. */
export function internalRule(rule: ValidationRule): object {
  return {
    Rule: rule.rule ?? '',
    Message: rule.message ?? '',
    MessageExpression: rule.messageExpression ?? '',
    Reason: rule.reason ?? null,
    FieldPath: rule.fieldPath ?? '',
    OptionalOldSelf: rule.optionalOldSelf ?? null,
  };
}
