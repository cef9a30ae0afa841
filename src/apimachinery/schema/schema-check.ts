/**
 * Validation of `openAPIV3Schema` in a CRD; its CEL rules are compiled by whom the options name.
 * Upstream: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go (from
 * validateCustomResourceDefinitionValidation on), pkg/apiserver/schema/defaulting/validation.go.
 */
import {
  append,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../field.ts';
import { validateDefaults } from './default-check.ts';
import { findFieldPath } from './field-path.ts';
import { internalItems, internalSchema, isFieldSet, schemaFields } from './internal-schema.ts';
import { compileStructural, type JsonSchema, metaFields, type Structural } from './json-schema.ts';
import { conversionFault, validateStructural } from './structural-check.ts';
import type { StructNode } from './type-node.ts';

/** What schemas already stored may do although new ones may not. */
export interface SchemaLeniency {
  readonly types: boolean;
  readonly structural: boolean;
  readonly prunedDefaults: boolean;
  readonly setItems: boolean;
  readonly mapLists: boolean;
}

/** Compiles CEL rules of one schema of a CRD, keeping count of what they cost. */
export interface RuleChecker {
  /** Refusals of the rules at `path`. `uncorrelated`: the place within which oldSelf cannot be told, if any. */
  check(schema: JsonSchema, path: FieldPath, uncorrelated: FieldPath | undefined): FieldError[];
  /** The checker of a member's, an item's or a map value's schema. */
  property(name: string, schema: JsonSchema): RuleChecker;
  items(schema: JsonSchema): RuleChecker;
  additional(schema: JsonSchema): RuleChecker;
  /** After all: refusals of what they cost together. `path` is that of the root. */
  total(path: FieldPath): FieldError[];
}

export interface SchemaCheckOptions {
  /** The built-in type of object meta, against which defaults under embedded metadata are read. */
  readonly objectMeta: StructNode;
  /** The version has a status subresource: then less is allowed at the root. */
  readonly statusSubresource: boolean;
  readonly lenient?: SchemaLeniency;
  /** Made only for schemas that are structural and have valid defaults. */
  readonly rules?: (schema: JsonSchema) => RuleChecker;
  /** CEL rules asked of a default. */
  readonly checkDefaultRules?: (schema: Structural, value: unknown, path: FieldPath) => FieldError[];
}

export const strict: SchemaLeniency = {
  types: false,
  structural: false,
  prunedDefaults: false,
  setItems: false,
  mapLists: false,
};

export const schemaTypes: readonly string[] = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
const rootFieldNames =
  'Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations';

const rootFields: ReadonlySet<string> = new Set(rootFieldNames.split(' '));

const isSchema = (value: unknown): value is JsonSchema =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Refusals of a schema at `path` (its own, ending in openAPIV3Schema). */
export function validateOpenAPIV3Schema(
  schema: JsonSchema,
  path: FieldPath,
  options: SchemaCheckOptions,
): FieldError[] {
  const { lenient = strict } = options;
  const errors: FieldError[] = [];
  if (options.statusSubresource) append(errors, checkRootFields(schema, path));
  if (schema.nullable) errors.push(forbiddenField(path.child('nullable'), 'nullable cannot be true at the root'));
  let rules: RuleChecker | undefined;
  const fault = lenient.structural ? undefined : conversionFault(schema);
  if (!lenient.structural && fault === undefined) {
    const structural = validateStructural(schema, path);
    const refused =
      structural.length > 0 ? structural : validateDefaults(compileStructural(schema), path, options, lenient);
    append(errors, refused);
    if (refused.length === 0) rules = options.rules?.(schema);
  }
  const place = { root: true, insideMeta: false, noDefaults: '', lenient, rules, uncorrelated: undefined };
  const found = checkSchema(schema, path, place);
  append(errors, found.schema);
  append(errors, found.rules);
  // What has no structural form is mostly refused for the same reason elsewhere.
  if (errors.length === 0 && fault !== undefined) errors.push(invalidValue(path, '', fault));
  return [...errors, ...(rules?.total(path) ?? [])];
}

function checkRootFields(schema: JsonSchema, path: FieldPath): FieldError[] {
  for (const [go, json, kind] of schemaFields) {
    if (!isFieldSet(schema, json, kind)) continue;
    if (go === 'Type') {
      if (schema.type === 'object') continue;
      const text =
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
      return [invalidValue(path.child('type'), schema.type, text)];
    }
    if (rootFields.has(go)) continue;
    const text = `only [${rootFieldNames}] fields are allowed at the root of the schema if the status subresource is enabled`;
    return [invalidValue(path, internalSchema(schema), text)];
  }
  return [];
}

interface Place {
  readonly root: boolean;
  readonly insideMeta: boolean;
  /** Why defaults are forbidden here; empty when they are not. */
  readonly noDefaults: string;
  readonly lenient: SchemaLeniency;
  readonly rules: RuleChecker | undefined;
  /** The outermost place whose parts before and after an update cannot be told to be the same. */
  readonly uncorrelated: FieldPath | undefined;
}

/** Refusals of a schema and all below it; those of CEL rules apart, for they come last. */
interface Found {
  readonly schema: FieldError[];
  readonly rules: FieldError[];
}

function checkSchema(schema: JsonSchema, path: FieldPath, place: Place): Found {
  const errors = checkStandard(schema, path, place);
  const ruleErrors: FieldError[] = [];
  const descend = (part: JsonSchema, at: FieldPath, next: Place): void => {
    const found = checkSchema(part, at, next);
    append(errors, found.schema);
    append(ruleErrors, found.rules);
  };
  if (schema.uniqueItems) {
    const text = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    errors.push(forbiddenField(path.child('uniqueItems'), text));
  }
  const below: Place = { ...place, root: false };
  const plain: Place = { ...below, rules: undefined };
  checkMembers(schema, path, place, descend, errors);
  if (isSchema(schema.not)) descend(schema.not, path.child('not'), plain);
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const) {
    schema[name]?.forEach((part, i) => descend(part, path.child(name).index(i), plain));
  }
  for (const [name, part] of Object.entries(schema.definitions ?? {})) {
    descend(part, path.child('definitions').key(name), plain);
  }
  const { items } = schema;
  const apart = schema['x-kubernetes-list-type'] === 'map' ? place.uncorrelated : (place.uncorrelated ?? path);
  const item = (part: JsonSchema): Place => ({ ...below, uncorrelated: apart, rules: place.rules?.items(part) });
  if (isSchema(items)) descend(items, path.child('items'), item(items));
  else if (Array.isArray(items)) {
    items.forEach((part, i) => descend(part, path.child('items').index(i), item(part)));
  }
  for (const [name, part] of Object.entries(schema.dependencies ?? {})) {
    if (isSchema(part)) descend(part, path.child('dependencies').key(name), plain);
  }
  append(errors, checkExtensions(schema, path, place.lenient));
  append(errors, checkRules(schema, path));
  if (schema['x-kubernetes-validations']?.length && errors.length === 0 && place.rules) {
    append(ruleErrors, place.rules.check(schema, path, place.uncorrelated));
  }
  return { schema: errors, rules: ruleErrors };
}

function checkMembers(
  schema: JsonSchema,
  path: FieldPath,
  place: Place,
  descend: (part: JsonSchema, at: FieldPath, next: Place) => void,
  errors: FieldError[],
): void {
  const { additionalProperties: additional, properties = {} } = schema;
  const below: Place = { ...place, root: false };
  if (additional !== undefined && additional !== null) {
    const at = path.child('additionalProperties');
    if (Object.keys(properties).length > 0 && additional !== true) {
      errors.push(forbiddenField(at, 'additionalProperties and properties are mutual exclusive'));
    }
    const noDefaults = place.insideMeta ? 'inside additionalProperties applying to object metadata' : place.noDefaults;
    if (isSchema(additional)) {
      descend(additional, at, { ...below, noDefaults, rules: place.rules?.additional(additional) });
    }
  }
  const whole = place.root || schema['x-kubernetes-embedded-resource'];
  for (const [name, property] of Object.entries(properties)) {
    let next: Place = { ...below, rules: place.rules?.property(name, property) };
    if (whole && metaFields.has(name)) {
      next = { ...next, insideMeta: true, ...(place.root && { noDefaults: `in top-level ${name}` }) };
    }
    descend(property, path.child('properties').key(name), next);
  }
}

function checkStandard(schema: JsonSchema, path: FieldPath, place: Place): FieldError[] {
  const { insideMeta, noDefaults, lenient } = place;
  const errors: FieldError[] = [];
  const { type = '' } = schema;
  if (!lenient.types && type !== '' && !schemaTypes.includes(type)) {
    errors.push(notSupported(path.child('type'), type, schemaTypes));
  }
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

function checkExtensions(schema: JsonSchema, path: FieldPath, lenient: SchemaLeniency): FieldError[] {
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
  else if (!lenient.setItems && listType === 'set' && isSchema(schema.items))
    append(errors, checkSetItems(schema.items, path.child('items')));
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType)) {
    errors.push(notSupported(path.child('x-kubernetes-list-type'), listType, ['atomic', 'set', 'map']));
  }
  if ((schema['x-kubernetes-list-map-keys']?.length ?? 0) > 0 && listType !== 'map') {
    const at = path.child('x-kubernetes-list-type');
    const text = 'must be map if x-kubernetes-list-map-keys is non-empty';
    errors.push(listType === undefined ? required(at, text) : invalidValue(at, listType, text));
  }
  if (listType === 'map') append(errors, checkMapList(schema, path));
  return lenient.mapLists ? errors : [...errors, ...checkListItems(schema, path)];
}

export function checkSetItems(items: JsonSchema, path: FieldPath): FieldError[] {
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
      invalidValue(
        path.child('items'),
        internalItems(items),
        'must only have a single schema if x-kubernetes-list-type is map',
      ),
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
export function checkListItems(schema: JsonSchema, path: FieldPath): FieldError[] {
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
    if (fieldPath !== '' && !isFieldPath(schema, fieldPath)) {
      errors.push(invalidValue(at.child('fieldPath'), fieldPath, 'must be a valid path'));
    }
  });
  return errors;
}

function isFieldPath(schema: JsonSchema, text: string): boolean {
  try {
    findFieldPath(text, compileStructural(schema), { brackets: true });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
