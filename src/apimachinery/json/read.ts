/**
 * The JSON reader of write paths: one pass over the text gives the value as Go would hold it, and what strict field
 * validation has to say. Upstream: sigs.k8s.io/json (json.go).
 *
 * Against the type: fields stand in its order and keys of maps sorted; names are case-sensitive; null and, where Go
 * omits it, the zero value vanish; quantities, times, durations and base64 become canonical; integers are checked, and
 * kept exactly as bigint beyond 2^53. The texts of errors are Go's: a syntax error wins, then the first refusal of a
 * parser (a time, a quantity), then the first type mismatch. A field that comes twice is decoded into the value that is
 * there, as Go does.
 */
import type { TypeNode } from '../schema/type-node.ts';
import { AnyReader } from './any-reader.ts';
import { TypedReader } from './typed-reader.ts';

export interface JsonReadResult {
  readonly value: unknown;
  /** What strict validation refuses and lenient validation warns of, in order: `unknown field "spec.x"` … */
  readonly strictErrors: readonly string[];
}

/**
 * Reads `text` as a value of the type. Throws InputError `json` with Go's text: of a syntax error, or of a mismatch.
 * Nothing of the result is shared. A JSON null is an empty struct.
 */
export function readJson(text: string | Uint8Array, node: TypeNode): JsonReadResult {
  const source = typeof text === 'string' ? text : decodeUtf8(text);
  const reader = new TypedReader(source, typeof text === 'string' ? undefined : text);
  const value = reader.value(node, undefined);
  reader.end();
  reader.throwSaved();
  return {
    value: value === undefined && node.kind === 'struct' ? {} : (value ?? null),
    strictErrors: reader.strictErrors,
  };
}

/** Any JSON, with every number whose text counts kept as its text (see number-text.ts). Throws as `readJson` does. */
export function readExactJson(text: string): unknown {
  const reader = new AnyReader(text);
  reader.exact = true;
  const value = reader.any(reader.peek(), false);
  reader.end();
  return value;
}

/** Any JSON, with integers beyond 2^53 exact. Throws as `readJson` does. */
export function readAnyJson(text: string): unknown {
  return wide.test(text) ? readJson(text, { kind: 'any' }).value : JSON.parse(text);
}

/** Digits that a double may not hold. */
const wide = /[0-9]{16}/;

/** UTF-8 bytes as a string; what is not UTF-8 becomes U+FFFD, a byte order mark stays. */
function decodeUtf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
