/**
 * What the expression of a mutation made, applied to the object. Upstream: apiserver
 * pkg/admission/plugin/policy/mutating/patch/{smd,json_patch}.go.
 */
import { MadeStruct } from '#api/expressions';
import {
  applyJsonPatch,
  type Draft,
  InputError,
  internalError,
  type JsonPatchOperation,
  type KubeObject,
  mergeConfiguration,
  parseApiVersion,
  readAnyJson,
  readJson,
  type StructNode,
  writeOrdered,
} from '#apimachinery';
import type { ListValue, Value } from '#apimachinery/cel';
import type { Scheme } from '../../../scheme/scheme.ts';
import type { AdmissionAttributes } from '../../chain.ts';
import type { Invocation } from '../matching.ts';
import { objectJson, structOf } from '../versioned.ts';
import { jsonOf, misnamed, NoJson } from './made-json.ts';

type KindFinder = Pick<Scheme, 'ofKind'>;

interface Subject {
  readonly attributes: AdmissionAttributes;
  readonly object: KubeObject;
}

/** As Go names the scheme of all kinds in its errors. */
const schemeName = 'pkg/runtime/scheme.go:111';

/** A mutation of the object failed; what it means is the failure policy's to say. */
export class MutationError extends Error {
  override readonly name = 'MutationError';
}

/** The object with what `Object{…}` says merged into it. */
export function merged(
  attributes: AdmissionAttributes,
  invocation: Invocation,
  object: KubeObject,
  made: Value,
): Draft<KubeObject> {
  const wrong = misnamed(made);
  if (wrong !== undefined) throw new MutationError(`type mismatch: ${wrong}`);
  const node = structOf(attributes, invocation) ?? invocation.resource.struct;
  try {
    const { apiVersion, kind } = object;
    const configuration = { ...(jsonOf(made, 0) as object), apiVersion, kind };
    return structuredClone(mergeConfiguration(node, object, configuration)) as Draft<KubeObject>;
  } catch (error) {
    if (error instanceof InputError) throw new MutationError(`error applying patch: ${error.message}`);
    if (error instanceof NoJson) throw new MutationError(`error applying patch: ${error.message}`);
    throw error;
  }
}

/** The object after the operations of a list of `JSONPatch{…}`; undefined when a test among them does not hold. */
export function patched(
  scheme: KindFinder,
  attributes: AdmissionAttributes,
  invocation: Invocation,
  object: KubeObject,
  made: Value,
): Draft<KubeObject> | undefined {
  const operations = [...(made as ListValue)].map(operationOf);
  const struct = structOf(attributes, invocation);
  const { resource } = invocation;
  let document: unknown;
  try {
    document = applyJsonPatch(readAnyJson(objectJson(object, struct)), operations);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    if (error.message.endsWith(': test failed')) return undefined;
    throw new MutationError(`JSON Patch: ${error.message}`);
  }
  try {
    const text = writeOrdered(document);
    if (resource.codec && attributes.ownKind) return resource.codec.read(text).object as Draft<KubeObject>;
    if (!struct) return document as Draft<KubeObject>;
    return readPatched(text, { scheme, attributes, object, struct });
  } catch (error) {
    if (error instanceof InputError) throw internalError(error.message);
    throw error;
  }
}

/** As upstream reads it, strictly: as what it says it is, which nothing converts if that is another kind. */
function readPatched(
  text: string,
  { scheme, attributes, object, struct }: Readonly<{ scheme: KindFinder; struct: StructNode }> & Subject,
): Draft<KubeObject> {
  const { apiVersion, kind } = saidKind(text, object);
  const same = apiVersion === object.apiVersion && kind === object.kind;
  const { group, version } = parseApiVersion(apiVersion);
  const node = same ? struct : scheme.ofKind({ group, version, kind })?.struct;
  if (!node) {
    throw internalError(`no kind "${kind}" is registered for version "${apiVersion}" in scheme "${schemeName}"`);
  }
  const { value, strictErrors } = readJson(text, node);
  if (strictErrors.length > 0) throw internalError(`strict decoding error: ${strictErrors.join(', ')}`);
  if (same) return { ...(value as Draft<KubeObject>), apiVersion, kind };
  const internal = attributes.resource.group === '' ? 'core' : attributes.resource.group.split('.', 1)[0]!;
  const what = `(${version}.${kind}) to (${internal}.${object.kind})`;
  throw internalError(`failed to convert object: converting ${what}: unknown conversion`);
}

/** What a text says it is; the object's own where it does not say. */
function saidKind(text: string, { apiVersion, kind }: KubeObject): Pick<KubeObject, 'apiVersion' | 'kind'> {
  const said = JSON.parse(text) as Readonly<Record<string, unknown>>;
  for (const name of ['kind', 'apiVersion']) {
    const value = said[name] ?? '';
    if (typeof value === 'string') continue;
    const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
    const why = `json: cannot unmarshal ${what} into Go struct field .${name} of type string`;
    throw internalError(`couldn't get version/kind; json parse error: ${why}`);
  }
  return { apiVersion: (said['apiVersion'] as string) || apiVersion, kind: (said['kind'] as string) || kind };
}

function operationOf(value: Value): JsonPatchOperation {
  if (!(value instanceof MadeStruct)) {
    throw new MutationError('type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch');
  }
  const { fields } = value;
  const part = (name: string): string => (fields.get(name) as string | undefined) ?? '';
  const from = part('from');
  const given = fields.get('value');
  if (given instanceof MadeStruct) {
    const wrong = misnamed(given, [given.type.name]);
    if (wrong !== undefined) throw new MutationError(`type mismatch: ${wrong}`);
  }
  return {
    op: part('op'),
    path: part('path'),
    ...(from !== '' && { from }),
    ...(given !== undefined && { value: patchValue(given) }),
  } as JsonPatchOperation;
}

function patchValue(value: Value): unknown {
  try {
    return jsonOf(value);
  } catch (error) {
    if (!(error instanceof NoJson)) throw error;
    const what = 'JSONPath valueExpression evaluated to a type that could not marshal to JSON';
    throw new MutationError(`${what}: ${error.message}`);
  }
}
