/**
 * JSON merge patch (RFC 7386). Upstream: gopkg.in/evanphx/json-patch.v4 (merge.go), apiserver
 * pkg/endpoints/handlers/patch.go.
 */
import { InputError } from '../input-error.ts';
import { readExactJson, readJson } from '../json/read.ts';
import { setOwn } from '../json/set-own.ts';
import { anyNode } from '../schema/build.ts';
import type { TypeNode } from '../schema/type-node.ts';

type JsonMap = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is JsonMap =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const mapNode: TypeNode = { kind: 'map', element: anyNode, goType: 'map[string]interface {}' };

/**
 * Reads the body of a merge patch, or of a strategic one, with duplicate fields. Throws InputError `patch`. The texts
 * of a merge patch begin with `error decoding patch: `, those of a strategic one do not: `prefix`.
 */
export function parseMapPatch(
  text: string | Uint8Array,
  prefix = '',
): { readonly patch: JsonMap | null; readonly strictErrors: readonly string[] } {
  try {
    const { strictErrors } = readJson(text, mapNode);
    const source = typeof text === 'string' ? text : Buffer.from(text).toString();
    return { patch: readExactJson(source) as JsonMap | null, strictErrors };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError('patch', prefix + error.message);
  }
}

/** Reads the body of a merge patch. Throws InputError `patch`; null is refused. */
export function parseMergePatch(text: string | Uint8Array): {
  readonly patch: JsonMap;
  readonly strictErrors: readonly string[];
} {
  const { patch, strictErrors } = parseMapPatch(text, 'error decoding patch: ');
  if (patch === null) throw new InputError('patch', 'Invalid JSON Patch');
  return { patch, strictErrors };
}

/**
 * Applies a merge patch. Neither argument is touched; the result shares structure with both. What was touched has its
 * members sorted, as Go's maps are written; the rest keeps its order. Errors of what comes out show it so.
 */
export function applyMergePatch(document: JsonMap, patch: JsonMap): JsonMap {
  const out: Record<string, unknown> = { ...document };
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    const before = Object.hasOwn(out, key) ? out[key] : undefined;
    if (value === null) delete out[key];
    else if (isMap(before)) setOwn(out, key, isMap(value) ? applyMergePatch(before, value) : value);
    else setOwn(out, key, withoutNulls(value));
  }
  return sorted(out);
}

function sorted(map: JsonMap): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(map).sort()) setOwn(out, key, map[key]);
  return out;
}

/** Without members that are null; elements of lists stay. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isMap(value)) return value;
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value).sort()) {
    if (value[key] !== null) setOwn(out, key, withoutNulls(value[key]));
  }
  return out;
}
