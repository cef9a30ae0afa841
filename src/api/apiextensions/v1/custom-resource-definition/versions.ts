/**
 * What a version of a definition has beside its schema: columns, scale, selectable fields, deprecation.
 * Upstream: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go.
 */
import { duplicate, type FieldPath, invalidValue, required, tooMany } from '#apimachinery';
import { compileStructural, findFieldPath, type JsonSchema } from '#apimachinery/schema';
import { type Errors, requireText } from '../../../validation/common.ts';
import type { Column, SelectableField, Subresources, Version } from './internal.ts';

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
export const maxSelectableFields = 8;

export function checkColumn(errors: Errors, at: FieldPath, column: Column): void {
  const types = `must be one of ${columnTypes.join(',')}`;
  requireText(errors, at.child('name'), column.name);
  if (requireText(errors, at.child('type'), column.type, types) && !columnTypes.includes(column.type)) {
    errors.push(invalidValue(at.child('type'), column.type, types));
  }
  if (column.format && !columnFormats.includes(column.format)) {
    errors.push(invalidValue(at.child('format'), column.format, `must be one of ${columnFormats.join(',')}`));
  }
  if (requireText(errors, at.child('JSONPath'), column.jsonPath)) {
    checkSimplePath(errors, at.child('JSONPath'), column.jsonPath);
  }
}

/** Whether nothing was wrong. */
function checkSimplePath(errors: Errors, at: FieldPath, text: string): boolean {
  if (text.startsWith('.')) return true;
  errors.push(invalidValue(at, text, 'must be a simple json path starting with .'));
  return false;
}

export function checkSubresources(errors: Errors, at: FieldPath, subresources: Subresources | undefined): void {
  const scale = subresources?.scale;
  if (!scale) return;
  const { specReplicasPath = '', statusReplicasPath = '', labelSelectorPath = '' } = scale;
  const below = (path: FieldPath, text: string, roots: readonly string[], where: string): void => {
    if (!checkSimplePath(errors, path, text) || roots.some(root => text.startsWith(root))) return;
    errors.push(invalidValue(path, text, `should be a json path under ${where}`));
  };
  const specPath = at.child('scale.specReplicasPath');
  const statusPath = at.child('scale.statusReplicasPath');
  if (requireText(errors, specPath, specReplicasPath)) below(specPath, specReplicasPath, ['.spec.'], '.spec');
  if (requireText(errors, statusPath, statusReplicasPath)) {
    below(statusPath, statusReplicasPath, ['.status.'], '.status');
  }
  if (labelSelectorPath) {
    below(at.child('scale.labelSelectorPath'), labelSelectorPath, ['.spec.', '.status.'], 'either .spec or .status');
  }
}

/** `allowTooMany`: there were as many before. */
export function checkSelectableFields(
  errors: Errors,
  at: FieldPath,
  fields: readonly SelectableField[],
  schema: JsonSchema,
  allowTooMany: boolean,
): void {
  const root = compileStructural(schema);
  const seen = new Set<string>();
  fields.forEach(({ jsonPath = '' }, i) => {
    const path = at.index(i).child('jsonPath');
    if (jsonPath === '') {
      errors.push(required(path));
      return;
    }
    try {
      const found = findFieldPath(jsonPath, root, { brackets: false });
      if (found.steps[0] === 'metadata') {
        errors.push(invalidValue(path, jsonPath, 'must not point to fields in metadata'));
      }
      if (!['string', 'boolean', 'integer'].includes(found.schema.type)) {
        const text =
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
        errors.push(invalidValue(path, jsonPath, text));
      }
      if (seen.has(String(found.path))) errors.push(duplicate(path, jsonPath));
      seen.add(String(found.path));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      errors.push(invalidValue(path, jsonPath, `is an invalid path: ${error.message}`));
    }
  });
  if (seen.size > maxSelectableFields && !allowTooMany) errors.push(tooMany(at, seen.size, maxSelectableFields));
}

export function checkDeprecation(errors: Errors, at: FieldPath, { deprecated, deprecationWarning }: Version): void {
  const path = at.child('deprecationWarning');
  const text = deprecationWarning ?? undefined;
  if (text === undefined) return;
  const wrong = (why: string): void => {
    errors.push(invalidValue(path, text, why));
  };
  if (!deprecated) {
    wrong('can only be set for deprecated versions');
    return;
  }
  if (Buffer.byteLength(text) > 256) wrong('must be <= 256 characters long');
  if (text === '') wrong('must not be an empty string');
  const odd = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(text);
  if (!odd) return;
  const index = Buffer.byteLength(text.slice(0, odd.index));
  wrong(`must only contain printable UTF-8 characters; non-printable character found at index ${index}`);
}
