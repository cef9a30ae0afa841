/**
 * Whether a CRD's schema is structural. Upstream: apiextensions-apiserver pkg/apiserver/schema/{validation,complete}.go.
 */
import { append, type FieldError, type FieldPath, forbiddenField, invalidValue, required } from '../field.ts';
import { equalValues } from '../managed-fields/typed.ts';
import type { JsonSchema } from './json-schema.ts';
import { regexFault } from './regex.ts';

/** How deep a schema stands, for what upstream says of a missing type. */
type Level = 'root' | 'item' | 'field';

const missingType: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

const isSchema = (value: unknown): value is JsonSchema =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const entries = (schemas: Readonly<Record<string, JsonSchema>> | undefined): [string, JsonSchema][] =>
  Object.entries(schemas ?? {});

/** Refusals of a schema that is not structural, sorted by their text as upstream sorts them. */
export function validateStructural(schema: JsonSchema, path: FieldPath): FieldError[] {
  const errors = [...invariants(schema, 'root', path), ...completeness(schema, schema, path, path)];
  const text = (error: FieldError): string => `${error.field}: ${error.body}`;
  return errors.sort((a, b) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0));
}

function invariants(schema: JsonSchema, level: Level, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const { items, additionalProperties: additional, type = '' } = schema;
  const embedded = schema['x-kubernetes-embedded-resource'] ?? false;
  const intOrString = schema['x-kubernetes-int-or-string'] ?? false;
  const preserve = schema['x-kubernetes-preserve-unknown-fields'] ?? false;
  if (type === 'array' && !isSchema(items)) errors.push(required(path.child('items'), 'must be specified'));
  if (isSchema(items)) append(errors, invariants(items, 'item', path.child('items')));
  for (const [name, property] of entries(schema.properties)) {
    append(errors, invariants(property, 'field', path.child('properties').key(name)));
  }
  if (additional !== undefined && additional !== null) {
    const at = path.child('additionalProperties');
    if (level === 'root') errors.push(forbiddenField(at, 'must not be used at the root'));
    if (isSchema(additional)) append(errors, invariants(additional, 'field', at));
  }
  if (intOrString && preserve) {
    const at = path.child('x-kubernetes-preserve-unknown-fields');
    errors.push(invalidValue(at, true, 'must be false if x-kubernetes-int-or-string is true'));
  }
  if (intOrString && embedded) {
    const at = path.child('x-kubernetes-embedded-resource');
    errors.push(invalidValue(at, true, 'must be false if x-kubernetes-int-or-string is true'));
  }
  append(errors, valueValidation(schema, isIntOrString(schema.anyOf), isIntOrString(schema.allOf?.[0]?.anyOf), path));
  append(errors, typeInvariants(schema, level, path, { embedded, intOrString, preserve }));
  return errors;
}

function typeInvariants(
  schema: JsonSchema,
  level: Level,
  path: FieldPath,
  { embedded, intOrString, preserve }: { embedded: boolean; intOrString: boolean; preserve: boolean },
): FieldError[] {
  const errors: FieldError[] = [];
  const { type = '', properties } = schema;
  const at = path.child('type');
  if (embedded && type !== 'object') {
    const text = 'must be object if x-kubernetes-embedded-resource is true';
    errors.push(type === '' ? required(at, text) : invalidValue(at, type, text));
  } else if (type === '' && !intOrString && !preserve) errors.push(required(at, missingType[level]));
  if (embedded && schema.additionalProperties !== undefined) {
    const text = 'must not be used if x-kubernetes-embedded-resource is set';
    errors.push(forbiddenField(path.child('additionalProperties'), text));
  }
  if (level === 'root' && type !== '' && type !== 'object')
    errors.push(invalidValue(at, type, 'must be object at the root'));
  const whole = level === 'root' || embedded;
  for (const name of ['kind', 'apiVersion']) {
    const property = properties?.[name];
    if (!whole || property === undefined || property.type === 'string') continue;
    errors.push(invalidValue(path.child('properties').key(name).child('type'), property.type ?? '', 'must be string'));
  }
  const metadata = properties?.['metadata'];
  if (metadata !== undefined)
    append(errors, metadataInvariants(metadata, whole, level, path.child('properties').key('metadata')));
  if (embedded && !preserve && Object.keys(properties ?? {}).length === 0) {
    const text =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    errors.push(required(path.child('properties'), text));
  }
  return errors;
}

function metadataInvariants(metadata: JsonSchema, whole: boolean, level: Level, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  if (whole && metadata.type !== 'object')
    errors.push(invalidValue(path.child('type'), metadata.type ?? '', 'must be object'));
  if (level !== 'root') return errors;
  const { type: _t, default: _d, properties = {}, ...rest } = metadata;
  const names = Object.keys(properties);
  const allowed = names.every(name => name === 'name' || name === 'generateName');
  if (Object.keys(rest).length > 0 || !allowed) {
    const text = 'must not specify anything other than name and generateName, but metadata is implicitly specified';
    errors.push(forbiddenField(path, text));
  }
  return errors;
}

function isIntOrString(anyOf: readonly JsonSchema[] | undefined): boolean {
  return equalValues(anyOf ?? [], [{ type: 'integer' }, { type: 'string' }]);
}

function valueValidation(
  schema: JsonSchema,
  skipAnyOf: boolean,
  skipFirstAllOf: boolean,
  path: FieldPath,
): FieldError[] {
  const errors: FieldError[] = [];
  if (!skipAnyOf) {
    schema.anyOf?.forEach((part, i) => append(errors, nested(part, false, path.child('anyOf').index(i))));
  }
  schema.allOf?.forEach((part, i) => {
    append(errors, nested(part, skipFirstAllOf && i === 0, path.child('allOf').index(i)));
  });
  schema.oneOf?.forEach((part, i) => append(errors, nested(part, false, path.child('oneOf').index(i))));
  if (isSchema(schema.not)) append(errors, nested(schema.not, false, path.child('not')));
  if (schema.pattern) {
    const fault = regexFault(schema.pattern);
    if (fault !== undefined) {
      const text = `must be a valid regular expression, but isn't: ${fault}`;
      errors.push(invalidValue(path.child('pattern'), schema.pattern, text));
    }
  }
  return errors;
}

/** A schema under anyOf, allOf, oneOf or not may only validate values. */
function nested(schema: JsonSchema, skipAnyOf: boolean, path: FieldPath): FieldError[] {
  const errors = valueValidation(schema, skipAnyOf, false, path);
  if (isSchema(schema.items)) append(errors, nested(schema.items, false, path.child('items')));
  for (const [name, property] of entries(schema.properties)) {
    append(errors, nested(property, false, path.child('properties').key(name)));
  }
  const forbid = (on: unknown, name: string, text: string): void => {
    if (on) errors.push(forbiddenField(path.child(name), text));
  };
  forbid(schema.type, 'type', 'must be empty to be structural');
  forbid(schema.additionalProperties !== undefined, 'additionalProperties', 'must be undefined to be structural');
  forbid(schema.default !== undefined && schema.default !== null, 'default', 'must be undefined to be structural');
  forbid(schema.title, 'title', 'must be empty to be structural');
  forbid(schema.description, 'description', 'must be empty to be structural');
  forbid(schema.nullable, 'nullable', 'must be false to be structural');
  for (const name of ['preserve-unknown-fields', 'embedded-resource', 'int-or-string'] as const) {
    forbid(schema[`x-kubernetes-${name}`], `x-kubernetes-${name}`, 'must be false to be structural');
  }
  forbid(schema['x-kubernetes-list-map-keys']?.length, 'x-kubernetes-list-map-keys', 'must be empty to be structural');
  for (const name of ['x-kubernetes-list-type', 'x-kubernetes-map-type'] as const) {
    forbid(schema[name] !== undefined, name, 'must be undefined to be structural');
  }
  forbid(schema['x-kubernetes-validations']?.length, 'x-kubernetes-validations', 'must be empty to be structural');
  if (schema.properties?.['metadata'] !== undefined) {
    errors.push(forbiddenField(path.child('properties').key('metadata'), 'must not be specified in a nested context'));
  }
  return errors;
}

/** What value validation speaks of must be specified outside of it too. */
function completeness(
  validation: JsonSchema,
  schema: JsonSchema | undefined,
  schemaPath: FieldPath,
  path: FieldPath,
): FieldError[] {
  const errors: FieldError[] = [];
  if (isSchema(validation.not))
    append(errors, nestedCompleteness(validation.not, schema, schemaPath, path.child('not')));
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const) {
    validation[name]?.forEach((part, i) => {
      append(errors, nestedCompleteness(part, schema, schemaPath, path.child(name).index(i)));
    });
  }
  return errors;
}

function nestedCompleteness(
  validation: JsonSchema,
  schema: JsonSchema | undefined,
  schemaPath: FieldPath,
  path: FieldPath,
): FieldError[] {
  if (schema === undefined) return [required(schemaPath, `because it is defined in ${path}`)];
  const errors = completeness(validation, schema, schemaPath, path);
  if (isSchema(validation.items)) {
    const items = isSchema(schema.items) ? schema.items : undefined;
    append(errors, nestedCompleteness(validation.items, items, schemaPath.child('items'), path.child('items')));
  }
  for (const [name, property] of entries(validation.properties)) {
    const at = schemaPath.child('properties').key(name);
    const from = path.child('properties').key(name);
    const found = schema.properties?.[name];
    if (found === undefined) errors.push(required(at, `because it is defined in ${from}`));
    else append(errors, nestedCompleteness(property, found, at, from));
  }
  return errors;
}

/** Why a schema has no structural form at all, good or bad; undefined when it has. Upstream: schema/convert.go. */
export function conversionFault(schema: JsonSchema): string | undefined {
  const { items, additionalProperties: additional, properties = {} } = schema;
  const size = (map: object | undefined): number => Object.keys(map ?? {}).length;
  const unsupported = [
    ['id', schema.id],
    ['schema', schema.$schema],
    ['$ref', schema.$ref],
    ['patternProperties', size(schema.patternProperties)],
    ['dependencies', size(schema.dependencies)],
    ['additionalItems', schema.additionalItems !== undefined],
    ['definitions', size(schema.definitions)],
  ].find(([, is]) => is);
  if (unsupported) return `OpenAPIV3Schema '${unsupported[0]}' is not supported`;
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    return "'x-kubernetes-preserve-unknown-fields' must be true or undefined";
  }
  if (Array.isArray(items) && items.length > 0) return "OpenAPIV3Schema 'items' must be a schema, but is an array";
  const below = [
    ...(isSchema(items) ? [items] : []),
    ...Object.values(properties),
    ...(isSchema(additional) ? [additional] : []),
    ...[...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])],
    ...(isSchema(schema.not) ? [schema.not] : []),
  ];
  for (const part of below) {
    const fault = conversionFault(part);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
