/**
 * YAML as kubectl and the API server read it: the first document, as JSON. Characters, tokens, grammar, nodes and their
 * meaning have a file each, after Go's yaml.v2, whose every fault is told with its text and line.
 * Upstream: sigs.k8s.io/yaml (yaml.go), go.yaml.in/yaml/v2.
 */
import { isUtf8 } from 'node:buffer';
import { InputError } from '../input-error.ts';
import { readJson } from '../json/read.ts';
import { setOwn } from '../json/set-own.ts';
import { writeSorted } from '../json/write.ts';
import { anyNode } from '../schema/build.ts';
import { compose } from './compose.ts';
import { decode, type YamlReadResult } from './decode.ts';
import { readSource } from './source.ts';
import { writeYaml } from './write.ts';

export type { YamlReadResult } from './decode.ts';

/** The text that strict decoding shows for duplicate keys, or undefined when there are none. */
export function yamlStrictError(duplicates: readonly string[]): string | undefined {
  return duplicates.length === 0 ? undefined : `yaml: unmarshal errors:\n  ${duplicates.join('\n  ')}`;
}

/** Reads the first document. Throws InputError `yaml` with Go's text. */
export function parseYaml(input: string | Uint8Array): YamlReadResult {
  const root = compose(readSource(input));
  return root === undefined ? { value: null, duplicates: [] } : decode(root);
}

/** JSON that YAML may read otherwise: numbers, escapes, characters, blanks between a key and its colon. */
const uncommon = /[0-9]{19}|[eE][-+]?[0-9]{3}|\\u[dD][89a-fA-F]|\\\/|"\s+:|[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/;
const jsonCollection = /^[ \r\n]*[{[][\s\S]*[}\]][ \r\n]*$/;

/** Reads the first document of a text that may be JSON, as bodies that are said to be YAML mostly are. */
export function parseYamlOrJson(input: string | Uint8Array): YamlReadResult {
  return parseCleanJson(input) ?? parseYaml(input);
}

/** Undefined where the slower way is needed: YAML tells of faults in its own words, and of duplicates by line. */
function parseCleanJson(input: string | Uint8Array): YamlReadResult | undefined {
  if (typeof input !== 'string' && !isUtf8(input)) return undefined;
  const text = typeof input === 'string' ? input : Buffer.from(input).toString();
  if (!jsonCollection.test(text) || uncommon.test(text)) return undefined;
  try {
    const { value, strictErrors } = readJson(text, anyNode);
    return strictErrors.length === 0 && !hasLongKey(value) ? { value, duplicates: [] } : undefined;
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** YAML refuses keys of more than 1024 characters as they are written; each is written with six at most. */
const longKey = 160;

function hasLongKey(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return false;
  if (Array.isArray(value)) return value.some(hasLongKey);
  for (const key in value) {
    if (key.length > longKey || hasLongKey((value as Readonly<Record<string, unknown>>)[key])) return true;
  }
  return false;
}

/**
 * A YAML (or JSON) text as JSON text with sorted keys, and what came twice: what upstream does before it decodes.
 * Throws InputError `yaml`.
 */
export function yamlToJson(input: string | Uint8Array): {
  readonly json: string;
  readonly duplicates: readonly string[];
} {
  const { value, duplicates } = parseYamlOrJson(input);
  return { json: writeSorted(value), duplicates };
}

/**
 * JSON as YAML. The text is read as YAML first, as upstream does, which refuses a few characters that JSON may hold and
 * folds a few breaks. Throws InputError `yaml`.
 */
export function jsonToYaml(text: string): string {
  return writeYaml(parseYamlOrJson(text).value);
}

/**
 * Reads the body of a server-side apply: any map, nothing counting as an empty one. Throws InputError `patch` with
 * upstream's text. `strictError` is what strict validation says of duplicate keys.
 */
export function readAppliedConfiguration(input: string | Uint8Array): {
  readonly config: Readonly<Record<string, unknown>>;
  readonly strictError: string | undefined;
  /** What the error tells of, each by itself, as warnings do. */
  readonly duplicates: readonly string[];
} {
  let read: YamlReadResult;
  try {
    read = parseYamlOrJson(input);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError('patch', `error decoding YAML: error converting YAML to JSON: ${error.message}`);
  }
  const { duplicates } = read;
  const value = hasBigInt(read.value) ? asUnstructured(read.value) : read.value;
  if (value !== null && (typeof value !== 'object' || Array.isArray(value))) {
    const kind = Array.isArray(value)
      ? 'array'
      : typeof value === 'boolean'
        ? 'bool'
        : typeof value === 'string'
          ? 'string'
          : 'number';
    const fault = `json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`;
    throw new InputError('patch', `error decoding YAML: error unmarshaling JSON: while decoding JSON: ${fault}`);
  }
  const strict = yamlStrictError(duplicates);
  return {
    config: (value ?? {}) as Readonly<Record<string, unknown>>,
    strictError: strict === undefined ? undefined : `error converting YAML to JSON: ${strict}`,
    duplicates,
  };
}

function hasBigInt(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return typeof value === 'bigint';
  for (const item of Array.isArray(value) ? value : Object.values(value)) if (hasBigInt(item)) return true;
  return false;
}

/** With whole numbers beyond an int64 as the doubles that Go holds them as. */
function asUnstructured(value: unknown): unknown {
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? value : Number(value);
  if (Array.isArray(value)) return value.map(asUnstructured);
  if (value === null || typeof value !== 'object') return value;
  const out: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) setOwn(out, key, asUnstructured(item));
  return out;
}
