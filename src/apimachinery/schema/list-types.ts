/**
 * Uniqueness in lists of type set and map. Upstream: apiextensions-apiserver pkg/apiserver/schema/listtype/validation.go.
 */
import { append, duplicate, type FieldError, type FieldPath, invalidValue } from '../field.ts';
import { writeSorted } from '../json/write.ts';
import { memberSchema, type Structural } from './json-schema.ts';

type JsonMap = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is JsonMap =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Duplicates in the sets and map lists of a value. */
export function validateListTypes(value: unknown, schema: Structural | undefined, path: FieldPath): FieldError[] {
  if (schema === undefined) return [];
  if (Array.isArray(value)) {
    const errors =
      schema.listType === 'set'
        ? validateSet(value, path)
        : schema.listType === 'map'
          ? validateMapList(value, schema, path)
          : [];
    if (schema.items !== undefined) {
      value.forEach((item, i) => append(errors, validateListTypes(item, schema.items, path.index(i))));
    }
    return errors;
  }
  if (!isMap(value)) return [];
  return Object.keys(value).flatMap(name => {
    const at = schema.properties.has(name) ? path.child(name) : path.key(name);
    return validateListTypes(value[name], memberSchema(schema, name), at);
  });
}

/** Where a value comes the second time; further times are not reported. */
function secondTimes(values: readonly unknown[]): number[] {
  const times = new Map<string, number>();
  const found: number[] = [];
  values.forEach((value, i) => {
    const text = writeSorted(value);
    const seen = times.get(text) ?? 0;
    times.set(text, seen + 1);
    if (seen === 1) found.push(i);
  });
  return found;
}

function validateSet(list: readonly unknown[], path: FieldPath): FieldError[] {
  return secondTimes(list).map(i => duplicate(path.index(i), list[i]));
}

function validateMapList(list: readonly unknown[], schema: Structural, path: FieldPath): FieldError[] {
  const wrong = list.findIndex(item => item !== null && !isMap(item));
  if (wrong >= 0) {
    return [invalidValue(path.index(wrong), list[wrong], 'must be an object for an array of list-type map')];
  }
  const keys = list.map(item => {
    const named = schema.listMapKeys.filter(name => isMap(item) && Object.hasOwn(item, name)).toSorted();
    return Object.fromEntries(named.map(name => [name, (item as JsonMap)[name]]));
  });
  return secondTimes(keys).map(i => duplicate(path.index(i), keys[i]));
}
