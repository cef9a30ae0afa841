/**
 * The reader of all configuration files that name their version: JSON or YAML, the kind that the file says it is, then
 * its fields, of which unknown ones and those that came twice are refused. Upstream: apimachinery
 * pkg/runtime/serializer/json/json.go (Decode), recognizer/recognizer.go, as codecs with EnableStrict put them together.
 */
import { InputError } from '../input-error.ts';
import { readJson, readTypeMeta } from '../json/index.ts';
import type { StructNode } from '../schema/type-node.ts';
import { yamlStrictError, yamlToJson } from '../yaml/index.ts';

/** Why a file is refused, in upstream's words. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  /** The file does not say what it is, or is of no kind that is known here. */
  readonly isOfNoKind: boolean;

  constructor(message: string, options: { readonly isOfNoKind?: boolean; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.isOfNoKind = options.isOfNoKind ?? false;
  }
}

/** What a version and kind are read as. */
export interface ConfigurationKind {
  /** Upstream's Go type, as its errors call it: `*apiserver.AdmissionConfiguration`. */
  readonly goType: string;
  readonly struct: StructNode;
}

/** By `apiVersion`, then a blank, then `kind`. */
export type ConfigurationKinds = ReadonlyMap<string, ConfigurationKind>;

/** A file whose kind is known; its fields are not read yet. */
export interface OpenConfiguration {
  readonly apiVersion: string;
  readonly kind: string;
  /** Throws a {@link ConfigurationError} for what does not fit the type. `strictError`: what strict reading refuses. */
  read(struct: StructNode): { readonly value: unknown; readonly strictError: string | undefined };
}

/** What begins as a JSON object is nothing else. */
const jsonPrefix = /^\s*\{/;

function translated<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof InputError) throw new ConfigurationError(cause.message, { cause });
    throw cause;
  }
}

/** Reads which kind a file is of; both may be empty. `isYaml`: JSON too. Throws a {@link ConfigurationError}. */
export function openConfiguration(bytes: Uint8Array, isYaml = false): OpenConfiguration {
  const isJson = !isYaml && jsonPrefix.test(Buffer.from(bytes).toString('latin1'));
  const { json, duplicates } = isJson ? { json: bytes, duplicates: [] } : translated(() => yamlToJson(bytes));
  const { apiVersion, kind } = translated(() => readTypeMeta(json));
  if (apiVersion.split('/').length > 2) {
    throw new ConfigurationError(`unexpected GroupVersion string: ${apiVersion}`);
  }
  return {
    apiVersion,
    kind,
    read(struct) {
      const { value, strictErrors } = translated(() => readJson(json, struct));
      const twice = yamlStrictError(duplicates);
      const errors = [...(twice === undefined ? [] : [twice]), ...strictErrors];
      return { value, strictError: errors.length === 0 ? undefined : `strict decoding error: ${errors.join(', ')}` };
    },
  };
}

/** Upstream's registries of kinds are all called so. */
const scheme = 'pkg/runtime/scheme.go:111';

export function kindNotRegistered(apiVersion: string, kind: string): ConfigurationError {
  const where = `version ${JSON.stringify(apiVersion)} in scheme ${JSON.stringify(scheme)}`;
  return new ConfigurationError(`no kind ${JSON.stringify(kind)} is registered for ${where}`, { isOfNoKind: true });
}

export interface DecodeOptions {
  /** What is shown of a file that does not say what it is. Unless given, all of it. */
  readonly shown?: (text: string) => string;
  /** What a file is that does not say so. */
  readonly defaults?: { readonly apiVersion: string; readonly kind: string };
  /** JSON is read as the YAML that it is too. */
  readonly isYaml?: boolean;
  /** Unknown fields are passed over, and of those that came twice the last one counts. */
  readonly isLenient?: boolean;
}

/** A file of one of the kinds. Throws a {@link ConfigurationError}. */
export function decodeConfiguration(
  bytes: Uint8Array,
  kinds: ConfigurationKinds,
  { shown = text => text, isLenient = false, isYaml = false, defaults }: DecodeOptions = {},
): { readonly apiVersion: string; readonly kind: string; readonly goType: string; readonly value: unknown } {
  const open = openConfiguration(bytes, isYaml);
  const { apiVersion, kind } = {
    apiVersion: open.apiVersion || defaults?.apiVersion || '',
    kind: open.kind || defaults?.kind || '',
  };
  for (const [name, given] of [['Kind', kind] as const, ['apiVersion', apiVersion] as const]) {
    if (given !== '') continue;
    const text = shown(Buffer.from(bytes).toString());
    throw new ConfigurationError(`Object '${name}' is missing in '${text}'`, { isOfNoKind: true });
  }
  const known = kinds.get(`${apiVersion} ${kind}`);
  if (known === undefined) throw kindNotRegistered(apiVersion, kind);
  const { value, strictError } = open.read(known.struct);
  if (strictError !== undefined && !isLenient) throw new ConfigurationError(strictError);
  return { apiVersion, kind, goType: known.goType, value };
}
