/**
 * Validation of `openAPIV3Schema` in a CRD, apart from its CEL rules, which are compiled elsewhere.
 * Upstream: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go (from
 * validateCustomResourceDefinitionValidation on), pkg/apiserver/schema/defaulting/validation.go.
 */
import { type FieldError, type FieldPath, forbiddenField, invalidValue, notSupported, required } from '../field.ts';
import { equalValues } from '../managed-fields/typed.ts';
import { coerceMetadata, validateEmbedded } from './embedded-meta.ts';
import { compileStructural, type JsonSchema, metaFields, type Structural } from './json-schema.ts';
import { pruneUnknown } from './prune.ts';
import { validateStructural } from './structural-check.ts';
import type { StructNode } from './type-node.ts';
import { SchemaValidator } from './validate-value.ts';

export interface SchemaCheckOptions {
  /** The built-in type of object meta, against which defaults under embedded metadata are read. */
  readonly objectMeta: StructNode;
  /** The version has a status subresource: then less is allowed at the root. */
  readonly statusSubresource: boolean;
}

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
const rootFields: readonly string[] = [
  'description type format title maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems',
  'minItems uniqueItems multipleOf required items properties externalDocs example x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-validations',
].flatMap(line => line.split(' '));
const rootFieldNames =
  'Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations';

const isSchema = (value: unknown): value is JsonSchema =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Refusals of a schema at `path` (its own, ending in openAPIV3Schema). */
export function validateOpenAPIV3Schema(
  schema: JsonSchema,
  path: FieldPath,
  options: SchemaCheckOptions,
): FieldError[] {
  const errors: FieldError[] = [];
  if (options.statusSubresource) errors.push(...checkRootFields(schema, path));
  if (schema.nullable) errors.push(forbiddenField(path.child('nullable'), 'nullable cannot be true at the root'));
  const structural = validateStructural(schema, path);
  errors.push(
    ...(structural.length > 0 ? structural : validateDefaults(compileStructural(schema), path, options.objectMeta)),
  );
  return [...errors, ...checkSchema(schema, path, { root: true, insideMeta: false, noDefaults: '' })];
}

function checkRootFields(schema: JsonSchema, path: FieldPath): FieldError[] {
  for (const name of Object.keys(schema)) {
    if (name === 'type') {
      if (schema.type === 'object' || !schema.type) continue;
      const text =
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
      return [invalidValue(path.child('type'), schema.type, text)];
    }
    if (rootFields.includes(name)) continue;
    const text = `only [${rootFieldNames}] fields are allowed at the root of the schema if the status subresource is enabled`;
    return [invalidValue(path, schema, text)];
  }
  return [];
}

interface Place {
  readonly root: boolean;
  readonly insideMeta: boolean;
  /** Why defaults are forbidden here; empty when they are not. */
  readonly noDefaults: string;
}

function checkSchema(schema: JsonSchema, path: FieldPath, place: Place): FieldError[] {
  const errors = checkStandard(schema, path, place);
  if (schema.uniqueItems) {
    const text = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    errors.push(forbiddenField(path.child('uniqueItems'), text));
  }
  const below: Place = { ...place, root: false };
  const { additionalProperties: additional, properties = {}, items } = schema;
  if (additional !== undefined && additional !== null) {
    const at = path.child('additionalProperties');
    if (Object.keys(properties).length > 0 && additional !== true) {
      errors.push(forbiddenField(at, 'additionalProperties and properties are mutual exclusive'));
    }
    const noDefaults = place.insideMeta ? 'inside additionalProperties applying to object metadata' : place.noDefaults;
    if (isSchema(additional)) errors.push(...checkSchema(additional, at, { ...below, noDefaults }));
  }
  const whole = place.root || schema['x-kubernetes-embedded-resource'];
  for (const [name, property] of Object.entries(properties)) {
    let next = below;
    if (whole && metaFields.has(name)) {
      next = { ...below, insideMeta: true, ...(place.root && { noDefaults: `in top-level ${name}` }) };
    }
    errors.push(...checkSchema(property, path.child('properties').key(name), next));
  }
  if (isSchema(schema.not)) errors.push(...checkSchema(schema.not, path.child('not'), below));
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const) {
    schema[name]?.forEach((part, i) => errors.push(...checkSchema(part, path.child(name).index(i), below)));
  }
  for (const [name, part] of Object.entries(schema.definitions ?? {})) {
    errors.push(...checkSchema(part, path.child('definitions').key(name), below));
  }
  if (isSchema(items)) errors.push(...checkSchema(items, path.child('items'), below));
  else if (Array.isArray(items)) {
    items.forEach((part, i) => errors.push(...checkSchema(part, path.child('items').index(i), below)));
  }
  for (const [name, part] of Object.entries(schema.dependencies ?? {})) {
    if (isSchema(part)) errors.push(...checkSchema(part, path.child('dependencies').key(name), below));
  }
  return [...errors, ...checkExtensions(schema, path), ...checkRules(schema, path)];
}

function checkStandard(schema: JsonSchema, path: FieldPath, { insideMeta, noDefaults }: Place): FieldError[] {
  const errors: FieldError[] = [];
  const { type = '' } = schema;
  if (type !== '' && !types.includes(type)) errors.push(notSupported(path.child('type'), type, types));
  if (schema.default !== undefined && schema.default !== null && noDefaults !== '') {
    errors.push(forbiddenField(path.child('default'), `must not be set ${noDefaults}`));
  }
  const unsupported: readonly [string, unknown][] = [
    ['id', schema.id],
    ['additionalItems', schema.additionalItems !== undefined],
    ['patternProperties', Object.keys(schema.patternProperties ?? {}).length],
    ['definitions', Object.keys(schema.definitions ?? {}).length],
    ['dependencies', schema.dependencies !== undefined],
    ['$ref', schema.$ref !== undefined],
  ];
  for (const [name, on] of unsupported) {
    if (on) errors.push(forbiddenField(path.child(name), `${name} is not supported`));
  }
  if (type === 'null') {
    errors.push(forbiddenField(path.child('type'), 'type cannot be set to null, use nullable as an alternative'));
  }
  if (Array.isArray(schema.items) && schema.items.length > 0) {
    errors.push(forbiddenField(path.child('items'), 'items must be a schema object and not an array'));
  }
  if (insideMeta && schema['x-kubernetes-embedded-resource']) {
    errors.push(
      forbiddenField(path.child('x-kubernetes-embedded-resource'), 'must not be used inside of resource meta'),
    );
  }
  return errors;
}

function checkExtensions(schema: JsonSchema, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const { type = '' } = schema;
  const listType = schema['x-kubernetes-list-type'];
  const mapType = schema['x-kubernetes-map-type'];
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    errors.push(invalidValue(path.child('x-kubernetes-preserve-unknown-fields'), false, 'must be true or undefined'));
  }
  const needType = (want: string, extension: string): void => {
    const text = `must be ${want} if ${extension} is specified`;
    errors.push(type === '' ? required(path.child('type'), text) : invalidValue(path.child('type'), type, text));
  };
  if (mapType !== undefined && type !== 'object') needType('object', 'x-kubernetes-map-type');
  if (mapType !== undefined && mapType !== 'atomic' && mapType !== 'granular') {
    errors.push(notSupported(path.child('x-kubernetes-map-type'), mapType, ['atomic', 'granular']));
  }
  if (listType !== undefined && type !== 'array') needType('array', 'x-kubernetes-list-type');
  else if (listType === 'set' && isSchema(schema.items))
    errors.push(...checkSetItems(schema.items, path.child('items')));
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType)) {
    errors.push(notSupported(path.child('x-kubernetes-list-type'), listType, ['atomic', 'set', 'map']));
  }
  if ((schema['x-kubernetes-list-map-keys']?.length ?? 0) > 0 && listType !== 'map') {
    const at = path.child('x-kubernetes-list-type');
    const text = 'must be map if x-kubernetes-list-map-keys is non-empty';
    errors.push(listType === undefined ? required(at, text) : invalidValue(at, listType, text));
  }
  if (listType === 'map') errors.push(...checkMapList(schema, path));
  return [...errors, ...checkListItems(schema, path)];
}

function checkSetItems(items: JsonSchema, path: FieldPath): FieldError[] {
  const text = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const listType = items['x-kubernetes-list-type'];
  if (items.type === 'array' && listType !== undefined && listType !== 'atomic') {
    return [invalidValue(path.child('x-kubernetes-list-type'), listType, text)];
  }
  if (items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic') {
    return [invalidValue(path.child('x-kubernetes-map-type'), listType ?? null, text)];
  }
  return [];
}

function checkMapList(schema: JsonSchema, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const at = path.child('x-kubernetes-list-map-keys');
  const { items } = schema;
  if (keys.length === 0) errors.push(required(at, 'must not be empty if x-kubernetes-list-type is map'));
  if (items === undefined) {
    return [...errors, required(path.child('items'), 'must have a schema if x-kubernetes-list-type is map')];
  }
  if (!isSchema(items)) {
    return [
      ...errors,
      invalidValue(path.child('items'), items, 'must only have a single schema if x-kubernetes-list-type is map'),
    ];
  }
  if (items.type !== 'object') {
    const text = "must be object if parent array's x-kubernetes-list-type is map";
    return [...errors, invalidValue(path.child('items').child('type'), items.type ?? '', text)];
  }
  keys.forEach((key, i) => {
    const property = items.properties?.[key];
    if (property === undefined) errors.push(invalidValue(at, keys, 'entries must all be names of item properties'));
    else if (property.type === 'array' || property.type === 'object') {
      const text = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      errors.push(invalidValue(path.child('items').child('properties').key(key).child('type'), items.type, text));
    }
    if (keys.indexOf(key) < i) errors.push(invalidValue(at, keys, 'must not contain duplicate entries'));
  });
  return errors;
}

/** Items of sets and map lists are never null; keys are required or have a default. */
function checkListItems(schema: JsonSchema, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const { items } = schema;
  const listType = schema['x-kubernetes-list-type'];
  if (!isSchema(items) || (listType !== 'set' && listType !== 'map')) return errors;
  if (items.nullable) {
    const text = `cannot be nullable when x-kubernetes-list-type is ${listType}`;
    errors.push(forbiddenField(path.child('items').child('nullable'), text));
  }
  for (const key of listType === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? []) : []) {
    const property = items.properties?.[key];
    if (property === undefined) continue;
    const at = path.child('items').child('properties').key(key);
    if (!items.required?.includes(key) && (property.default === undefined || property.default === null)) {
      const text =
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
      errors.push(required(at.child('default'), text));
    }
    if (property.nullable) {
      const text = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable';
      errors.push(forbiddenField(at.child('nullable'), text));
    }
  }
  return errors;
}

const hasNewlines = (text: string): boolean => /[\n\r]/.test(text);

/** The form of CEL rules. */
function checkRules(schema: JsonSchema, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  schema['x-kubernetes-validations']?.forEach((rule, i) => {
    const at = path.child('x-kubernetes-validations').index(i);
    const { message = '', messageExpression = '', fieldPath = '' } = rule;
    const text = (rule.rule ?? '').trim();
    if (text === '') errors.push(required(at.child('rule'), 'rule is not specified'));
    else if (message !== '' && message.trim() === '') {
      errors.push(invalidValue(at.child('message'), message, 'must be non-empty if specified'));
    } else if (hasNewlines(message.trim())) {
      errors.push(invalidValue(at.child('message'), message, 'must not contain line breaks'));
    } else if (hasNewlines(text) && message.trim() === '') {
      errors.push(required(at.child('message'), 'message must be specified if rule contains line breaks'));
    }
    if (messageExpression !== '' && messageExpression.trim() === '') {
      errors.push(required(at.child('messageExpression'), 'messageExpression must be non-empty if specified'));
    }
    if (rule.reason !== undefined && !reasons.includes(rule.reason)) {
      errors.push(notSupported(at.child('reason'), rule.reason, reasons));
    }
    if (fieldPath !== '' && fieldPath.trim() === '') {
      errors.push(invalidValue(at.child('fieldPath'), fieldPath, 'must be non-empty if specified'));
    }
    if (hasNewlines(fieldPath))
      errors.push(invalidValue(at.child('fieldPath'), fieldPath, 'must not contain line breaks'));
  });
  return errors;
}

/** Refusals of defaults: they must be pruned and valid. Those under additionalProperties are not looked at. */
function validateDefaults(schema: Structural, path: FieldPath, objectMeta: StructNode): FieldError[] {
  const errors: FieldError[] = [];
  const walk = (part: Structural, at: FieldPath, insideMeta: boolean): void => {
    if (part.default !== undefined && !insideMeta)
      errors.push(...validateDefault(part, at.child('default'), objectMeta));
    if (part.items !== undefined) walk(part.items, at.child('items'), insideMeta && !part.embeddedResource);
    for (const [name, property] of part.properties) {
      const whole = part.embeddedResource || part === schema;
      const inside = (insideMeta && !part.embeddedResource) || (whole && metaFields.has(name));
      walk(property, at.child('properties').key(name), inside);
    }
  };
  walk(schema, path, false);
  return errors;
}

function validateDefault(schema: Structural, path: FieldPath, objectMeta: StructNode): FieldError[] {
  const errors: FieldError[] = [];
  const { default: value, embeddedResource: root } = schema;
  if (!equalValues(pruneUnknown(value, schema, root).value, value)) {
    errors.push(invalidValue(path, value, 'must not have unknown fields'));
  }
  const coerced = coerceMetadata(value, schema, { objectMeta, root });
  if (coerced.error !== undefined) {
    const field = coerced.error.field === '<nil>' ? `${path}` : `${path}.${coerced.error.field}`;
    return [...errors, { ...coerced.error, field }];
  }
  const embedded = validateEmbedded(value, schema, path, root);
  if (embedded.length > 0) return [...errors, ...embedded];
  return [...errors, ...new SchemaValidator(schema.raw).validate(value, { path })];
}
