/**
 * Whether the defaults of a CRD's schema are pruned and valid. Upstream: apiextensions-apiserver
 * pkg/apiserver/schema/defaulting/{validation,surroundingobject}.go.
 */
import { aggregateText, type FieldError, FieldPath, invalidValue } from '../field.ts';
import { writeSorted } from '../json/write.ts';
import { equalValues } from '../managed-fields/typed.ts';
import { coerceMetadata, validateEmbedded } from './embedded-meta.ts';
import { asResourceRoot, metaFields, type Structural } from './json-schema.ts';
import { pruneUnknown } from './prune.ts';
import type { SchemaCheckOptions, SchemaLeniency } from './schema-check.ts';
import { SchemaValidator } from './validate-value.ts';

/** Refusals of defaults: they must be pruned and valid. Those under additionalProperties are not looked at. */
export function validateDefaults(
  schema: Structural,
  path: FieldPath,
  options: SchemaCheckOptions,
  lenient: SchemaLeniency,
): FieldError[] {
  const errors: FieldError[] = [];
  const walk = (part: Structural, at: FieldPath, whole: Structural, surround: Surround | undefined): void => {
    const root = part.embeddedResource;
    const outer = root ? part : whole;
    const inside = root ? undefined : surround;
    if (part.default !== undefined) {
      const place = at.child('default');
      errors.push(
        ...(inside
          ? validateMetaDefault(part, place, inside(part.default), outer, options)
          : validateDefault(part, place, options, lenient)),
      );
    }
    if (part.items !== undefined) walk(part.items, at.child('items'), outer, inside && (value => inside([value])));
    for (const [name, property] of part.properties) {
      const meta = root && metaFields.has(name);
      const next: Surround | undefined = meta
        ? value => ({ ...surrounding, [name]: value })
        : inside && (value => inside({ [name]: value }));
      walk(property, at.child('properties').key(name), outer, next);
    }
  };
  const start = asResourceRoot(schema);
  walk(start, path, start, undefined);
  return errors;
}

/** The smallest resource that holds a value at a place. */
type Surround = (value: unknown) => unknown;
const surrounding = { apiVersion: 'validation/v1', kind: 'Validation' };

/** A default within type or object meta: the resource with it must be one. */
function validateMetaDefault(
  schema: Structural,
  path: FieldPath,
  resource: unknown,
  whole: Structural,
  { objectMeta, checkDefaultRules }: SchemaCheckOptions,
): FieldError[] {
  const { default: value } = schema;
  const wrong = (why: string): FieldError[] => [invalidValue(path, value, `must result in valid metadata: ${why}`)];
  const coerced = coerceMetadata(resource, whole, { objectMeta, root: true });
  if (coerced.error !== undefined) return wrong(`${coerced.error.field}: ${coerced.error.body}`);
  const embedded = validateEmbedded(coerced.value, whole, FieldPath.root, true);
  if (embedded.length > 0) return wrong(aggregateText(embedded));
  const invalid = new SchemaValidator(schema.raw, { asDefault: true }).validate(value, { path });
  return invalid.length > 0 ? invalid : (checkDefaultRules?.(schema, value, path) ?? []);
}

function validateDefault(
  schema: Structural,
  path: FieldPath,
  { objectMeta, checkDefaultRules }: SchemaCheckOptions,
  lenient: SchemaLeniency,
): FieldError[] {
  const errors: FieldError[] = [];
  const { default: value, embeddedResource: root } = schema;
  if (!lenient.prunedDefaults && !equalValues(pruneUnknown(value, schema, root).value, value)) {
    errors.push(invalidValue(path, JSON.parse(writeSorted(value)), 'must not have unknown fields'));
  }
  const coerced = coerceMetadata(value, schema, { objectMeta, root });
  if (coerced.error !== undefined) {
    const field = coerced.error.field === '<nil>' ? `${path}` : `${path}.${coerced.error.field}`;
    return [...errors, { ...coerced.error, field }];
  }
  const embedded = validateEmbedded(value, schema, path, root);
  if (embedded.length > 0) return [...errors, ...embedded];
  const invalid = new SchemaValidator(schema.raw, { asDefault: true }).validate(value, { path });
  if (invalid.length > 0) return [...errors, ...invalid];
  return [...errors, ...(checkDefaultRules?.(schema, value, path) ?? [])];
}
