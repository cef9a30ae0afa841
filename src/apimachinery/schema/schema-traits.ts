/**
 * What a schema has anywhere in it: what checks of CRDs ask, and what a stored one may go on doing.
 * Upstream: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go, SchemaHas and its callers;
 * pkg/registry/customresourcedefinition/strategy.go, getUnrecognizedFormatsInSchema.
 */
import { FieldPath } from '../field.ts';
import { equalValues } from '../managed-fields/typed.ts';
import { isKnownFormat } from './formats.ts';
import { compileStructural, type JsonSchema, type Structural } from './json-schema.ts';
import { pruneUnknown } from './prune.ts';
import { checkListItems, checkSetItems, type SchemaLeniency, schemaTypes } from './schema-check.ts';
import { validateStructural } from './structural-check.ts';

const isSchema = (value: unknown): value is JsonSchema =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** The schema and all that it holds, in upstream's order. */
function* schemasIn(schema: JsonSchema | null | undefined): Generator<JsonSchema> {
  if (!isSchema(schema)) return;
  yield schema;
  const { items } = schema;
  for (const part of Array.isArray(items) ? items : [items]) yield* schemasIn(part);
  for (const part of [...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])])
    yield* schemasIn(part);
  yield* schemasIn(schema.not);
  for (const part of Object.values(schema.properties ?? {})) yield* schemasIn(part);
  if (isSchema(schema.additionalProperties)) yield* schemasIn(schema.additionalProperties);
  for (const part of Object.values(schema.patternProperties ?? {})) yield* schemasIn(part);
  if (isSchema(schema.additionalItems)) yield* schemasIn(schema.additionalItems);
  for (const part of Object.values(schema.definitions ?? {})) yield* schemasIn(part);
  for (const part of Object.values(schema.dependencies ?? {})) if (isSchema(part)) yield* schemasIn(part);
}

function has(schema: JsonSchema, claim: (part: JsonSchema) => boolean): boolean {
  for (const part of schemasIn(schema)) if (claim(part)) return true;
  return false;
}

export function hasDefaults(schema: JsonSchema): boolean {
  return has(schema, part => part.default !== undefined && part.default !== null);
}

/** Whether it says anything that only structural schemas may say. */
export function hasExtensions(schema: JsonSchema): boolean {
  return has(
    schema,
    part =>
      part['x-kubernetes-embedded-resource'] === true ||
      (part['x-kubernetes-preserve-unknown-fields'] ?? undefined) !== undefined ||
      part['x-kubernetes-int-or-string'] === true ||
      Boolean(part['x-kubernetes-list-map-keys']?.length) ||
      (part['x-kubernetes-list-type'] ?? undefined) !== undefined ||
      Boolean(part['x-kubernetes-validations']?.length),
  );
}

/** Formats that mean nothing here; each as often as it is named. */
export function unrecognizedFormats(schema: JsonSchema): string[] {
  const formats: string[] = [];
  for (const { format, type = '' } of schemasIn(schema))
    if (format && !isKnownFormat(format, type)) formats.push(format);
  return formats;
}

/** What the schemas that are stored do, which their successors then may do as well. */
export function leniencyOf(schemas: readonly JsonSchema[]): SchemaLeniency {
  const some = (claim: (schema: JsonSchema) => boolean): boolean => schemas.some(claim);
  const root = FieldPath.root;
  return {
    types: some(schema => has(schema, ({ type }) => Boolean(type) && !schemaTypes.includes(type!))),
    structural: some(schema => validateStructural(schema, root).length > 0),
    prunedDefaults: some(hasUnprunedDefaults),
    setItems: some(schema =>
      has(schema, part => {
        const items = part['x-kubernetes-list-type'] === 'set' ? part.items : undefined;
        return isSchema(items) && checkSetItems(items, root).length > 0;
      }),
    ),
    mapLists: some(schema => has(schema, part => checkListItems(part, root).length > 0)),
  };
}

function hasUnprunedDefaults(schema: JsonSchema): boolean {
  if (!hasDefaults(schema) || validateStructural(schema, FieldPath.root).length > 0) return false;
  const unpruned = (part: Structural): boolean => {
    const { default: value, embeddedResource } = part;
    if (value !== undefined && !equalValues(pruneUnknown(value, part, embeddedResource).value, value)) return true;
    return (
      (part.items !== undefined && unpruned(part.items)) ||
      [...part.properties.values()].some(unpruned) ||
      (typeof part.additional === 'object' && unpruned(part.additional))
    );
  };
  return unpruned(compileStructural(schema));
}
