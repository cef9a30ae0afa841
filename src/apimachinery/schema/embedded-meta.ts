/**
 * Type and object meta of custom resources and of resources embedded in them: made what the built-in type holds, and
 * validated. Upstream: apiextensions-apiserver pkg/apiserver/schema/objectmeta/*.go.
 */
import { append, type FieldError, FieldPath, invalidValue, required } from '../field.ts';
import { parseApiVersion } from '../gvk.ts';
import { InputError } from '../input-error.ts';
import { readJson } from '../json/read.ts';
import { setOwn } from '../json/set-own.ts';
import { writeJson, writeSorted } from '../json/write.ts';
import type { ObjectMeta } from '../meta.ts';
import { isDNS1035Label, validatePathSegmentName } from '../validation/names.ts';
import { validateObjectMeta } from '../validation/object-meta.ts';
import { asResourceRoot, memberSchema, type Structural } from './json-schema.ts';
import type { StructNode } from './type-node.ts';

type JsonMap = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is JsonMap =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

export interface CoerceOptions {
  /** The built-in type of object meta. */
  readonly objectMeta: StructNode;
  /** The value is a whole resource. */
  readonly root: boolean;
  /** Drop what cannot be read instead of refusing: for values from the store. */
  readonly dropInvalid?: boolean;
}

export interface CoerceResult {
  readonly value: unknown;
  /** Paths of unknown fields in object meta, sorted. */
  readonly unknownPaths: readonly string[];
  /** The first refusal. */
  readonly error?: FieldError;
  /** What the reader said, when the refusal is of the root's own metadata. */
  readonly rootFault?: string;
}

/** The value with every object meta in it as the built-in type reads it. Nothing is changed in place. */
export function coerceMetadata(value: unknown, schema: Structural | undefined, options: CoerceOptions): CoerceResult {
  const unknownPaths: string[] = [];
  const start = options.root && schema !== undefined ? asResourceRoot(schema) : schema;
  try {
    const coerced = coerce(value, start, FieldPath.root, options, unknownPaths);
    return { value: coerced, unknownPaths: unknownPaths.sort() };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const root = options.root && error.error.field === 'metadata' && error.fault !== undefined;
    return { value, unknownPaths, error: error.error, ...(root && { rootFault: error.fault! }) };
  }
}

class Refusal extends Error {
  readonly error: FieldError;
  readonly fault: string | undefined;

  constructor(error: FieldError, fault?: string) {
    super(error.body);
    this.error = error;
    this.fault = fault;
  }
}

function coerce(
  value: unknown,
  schema: Structural | undefined,
  path: FieldPath,
  options: CoerceOptions,
  unknown: string[],
): unknown {
  if (schema === undefined) return value;
  if (Array.isArray(value)) {
    let list: unknown[] | undefined;
    value.forEach((item, i) => {
      const next = coerce(item, schema.items, path.index(i), options, unknown);
      if (next !== item) (list ??= [...value])[i] = next;
    });
    return list ?? value;
  }
  if (!isMap(value)) return value;
  let out: Record<string, unknown> | undefined;
  const set = (name: string, next: unknown): void => {
    out ??= { ...value };
    if (next === undefined) delete out[name];
    else setOwn(out, name, next);
  };
  for (const name of Object.keys(value)) {
    let item = value[name];
    if (schema.embeddedResource && (name === 'apiVersion' || name === 'kind') && typeof item !== 'string') {
      if (!options.dropInvalid) throw new Refusal(invalidValue(path.child(name), item, 'must be a string'));
      set(name, undefined);
      continue;
    }
    if (schema.embeddedResource && name === 'metadata') {
      item = readMeta(item, path, options, unknown);
      if (item !== value[name]) set(name, item);
    }
    const at = schema.properties.has(name) ? path.child(name) : path.key(name);
    const next = coerce(item, memberSchema(schema, name), at, options, unknown);
    if (next !== item) set(name, next);
  }
  return out ?? value;
}

function readMeta(value: unknown, path: FieldPath, options: CoerceOptions, unknown: string[]): unknown {
  const at = path.child('metadata').toString();
  const read = (part: unknown): unknown => {
    const { value: meta, strictErrors } = readJson(writeSorted(part), options.objectMeta);
    for (const error of strictErrors) {
      const found = /^unknown field "(.*)"$/.exec(error);
      if (found !== null) unknown.push(`${at}.${found[1]}`);
    }
    // As Go writes it back: without what is empty.
    return JSON.parse(writeJson(meta, options.objectMeta));
  };
  try {
    return read(value);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    if (!options.dropInvalid) {
      const shown = JSON.parse(writeSorted(value));
      throw new Refusal(invalidValue(path.child('metadata'), shown, error.message), error.message);
    }
    if (!isMap(value)) return value;
    // Field by field, keeping what can be read.
    const kept: Record<string, unknown> = {};
    for (const [name, item] of Object.entries(value)) {
      try {
        Object.assign(kept, read({ [name]: item }));
      } catch (inner) {
        if (!(inner instanceof InputError)) throw inner;
      }
    }
    return kept;
  }
}

/**
 * Refusals of type and object meta in embedded resources, and at the root with `root`. Object metas are taken to have
 * been coerced.
 */
export function validateEmbedded(
  value: unknown,
  schema: Structural | undefined,
  path: FieldPath,
  root: boolean,
): FieldError[] {
  const start = root && schema !== undefined ? asResourceRoot(schema) : schema;
  if (start === undefined) return [];
  if (Array.isArray(value)) {
    return value.flatMap((item, i) => validateEmbedded(item, start.items, path.index(i), false));
  }
  if (!isMap(value)) return [];
  const errors = start.embeddedResource ? validateResource(value, path) : [];
  for (const name of Object.keys(value)) {
    const at = start.properties.has(name) ? path.child(name) : path.key(name);
    append(errors, validateEmbedded(value[name], memberSchema(start, name), at, false));
  }
  return errors;
}

function validateResource(value: JsonMap, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  for (const name of ['apiVersion', 'kind']) if (!Object.hasOwn(value, name)) errors.push(required(path.child(name)));
  for (const name of Object.keys(value)) {
    const item = value[name];
    const at = path.child(name);
    if (name === 'metadata') append(errors, validateMeta(item, at));
    else if (name === 'apiVersion' || name === 'kind') {
      if (typeof item !== 'string') errors.push(invalidValue(at, item, 'must be a string'));
      else if (item === '') errors.push(invalidValue(at, item, 'must not be empty'));
      else append(errors, name === 'kind' ? validateKind(item, at) : validateApiVersion(item, at));
    }
  }
  return errors;
}

function validateApiVersion(apiVersion: string, path: FieldPath): FieldError[] {
  try {
    parseApiVersion(apiVersion);
    return [];
  } catch (error) {
    return [invalidValue(path, apiVersion, (error as Error).message)];
  }
}

function validateKind(kind: string, path: FieldPath): FieldError[] {
  const errors = isDNS1035Label(kind.toLowerCase());
  if (errors.length === 0) return [];
  return [invalidValue(path, kind, `may have mixed case, but should otherwise match: ${errors.join(',')}`)];
}

function validateMeta(value: unknown, path: FieldPath): FieldError[] {
  if (!isMap(value)) return [];
  const meta = value as ObjectMeta;
  const named = meta.name ? meta : { ...meta, name: 'fakename' };
  return validateObjectMeta(named, Boolean(meta.namespace), validatePathSegmentName, path);
}
