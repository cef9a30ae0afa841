/**
 * The JSON writer: bytes as Go's encoder makes them. Fields stand in the order of the type, keys of maps sorted; zero
 * values stand where Go does not omit them; `<`, `>`, `&` and the line separators are escaped.
 * Upstream: Go's encoding/json, apimachinery pkg/runtime/serializer/json. Responses end in a newline; that is the
 * caller's to add.
 */
import type { StructNode, TypeNode } from '../schema/type-node.ts';
import { numberText } from './number-text.ts';
import { isOmitted, zeroValue } from './zero-values.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What a string needs no escape for. */
const plain = /^[ !#-%'-;=?-[\]-\u2027\u202a-\ud7ff\ue000-\uffff]*$/;
const html: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** JSON text with what HTML might take for its own written as escapes, as Go's encoder does. */
export function escapeHtml(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, char => html[char]!);
}

/** A string as Go's JSON encoder writes it. */
export function writeJsonString(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  return JSON.stringify(text.isWellFormed() ? text : text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    char => html[char]!,
  );
}

/** Encodes a value of the type. Fields that the type does not know are left out, unless it preserves them. */
export function writeJson(value: unknown, node: TypeNode): string {
  if (value === undefined || value === null) return writeZero(node);
  switch (node.kind) {
    case 'scalar':
      return typeof value === 'string' ? writeJsonString(value) : writeOrdered(value);
    case 'struct':
      return writeStruct(value as Fields, node);
    case 'map': {
      const { element } = node;
      const parts = Object.keys(value)
        .sort()
        .map(key => `${writeJsonString(key)}:${writeJson((value as Fields)[key], element)}`);
      return `{${parts.join(',')}}`;
    }
    case 'list': {
      let out = '';
      for (const item of value as readonly unknown[]) out += (out === '' ? '' : ',') + writeJson(item, node.element);
      return `[${out}]`;
    }
    case 'any':
      return node.union === undefined ? writeSorted(value) : writeUnion(value, node.union.schema);
  }
}

/** A schema, or a list of them, or something else: the unions of JSONSchemaProps. */
function writeUnion(value: unknown, schema: StructNode): string {
  if (Array.isArray(value)) return `[${value.map(item => writeUnion(item, schema)).join(',')}]`;
  return typeof value === 'object' && value !== null ? writeJson(value, schema) : writeOrdered(value);
}

function writeStruct(value: Fields, node: StructNode): string {
  let out = '';
  for (const [name, field] of node.fields) {
    const item = value[name];
    if (item === undefined || item === null ? field.omitEmpty : isOmitted(field, item)) continue;
    out += out === '' ? '{"' : ',"';
    out += `${name}":${(item === undefined || item === null) && field.nullable ? 'null' : writeJson(item, field.node)}`;
  }
  if (node.preserveUnknown) {
    for (const name of Object.keys(value).sort()) {
      if (node.fields.has(name)) continue;
      out += `${out === '' ? '{' : ','}${writeJsonString(name)}:${writeSorted(value[name])}`;
    }
  }
  return out === '' ? '{}' : `${out}}`;
}

function writeZero(node: TypeNode): string {
  return node.kind === 'struct' ? writeStruct({}, node) : JSON.stringify(zeroValue(node));
}

/** Any value with the keys of objects sorted: what Go's maps encode to, and so custom resources. */
export function writeSorted(value: unknown): string {
  return writeAny(value, true);
}

/** Any value with the keys in the order that they have: raw JSON that is kept as it came. */
export function writeOrdered(value: unknown): string {
  return writeAny(value, false);
}

function writeAny(value: unknown, sorted: boolean): string {
  if (typeof value === 'string') return writeJsonString(value);
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'symbol') return numberText(value);
  if (typeof value !== 'object') return typeof value === 'number' && !Number.isFinite(value) ? 'null' : String(value);
  if (Array.isArray(value)) return `[${value.map(item => writeAny(item, sorted)).join(',')}]`;
  const keys = Object.keys(value);
  if (sorted) keys.sort();
  let out = '';
  for (const key of keys) {
    const item = (value as Fields)[key];
    if (item === undefined) continue;
    out += `${out === '' ? '' : ','}${writeJsonString(key)}:${writeAny(item, sorted)}`;
  }
  return `{${out}}`;
}
