/**
 * A request body as a draft of its kind, with what strict decoding found. Upstream: apiserver
 * pkg/endpoints/handlers/{create,update}.go and the codec factory.
 */

import { builtinTypes, groups, typeNameOf } from '#api/tables';
import {
  badRequest,
  type Draft,
  goQuote,
  InputError,
  type KubeObject,
  parseApiVersion,
  readJson,
  readTypeMeta,
  type StructNode,
  yamlStrictError,
  yamlToJson,
} from '#apimachinery';
import type { CustomCodec } from '../custom/codec.ts';
import { apiVersionText } from '../scheme/resource.ts';
import type { MediaType } from './negotiation.ts';
import { openEnvelope, readMessage, summary } from './protobuf.ts';

/** How unknown and duplicate fields are treated. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** Upstream's default since 1.25. */
export function fieldValidationOf(value: string | undefined): FieldValidation {
  return value === 'Ignore' || value === 'Strict' ? value : 'Warn';
}

export interface DecodeTarget {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly struct: StructNode;
  /** In place of the struct, for custom kinds. */
  readonly codec?: CustomCodec;
  /** Other groups and versions whose kind of this name is taken as it stands. */
  readonly accepts?: (apiVersion: string) => boolean;
}

export interface DecodeOptions {
  readonly mediaType: MediaType;
  readonly validation: FieldValidation;
  readonly warn: (text: string) => void;
  /** Errors are told as they are, and the kind may come in any registered version: options of a deletion. */
  readonly bareErrors?: boolean;
}

function decodeFailure(
  target: DecodeTarget,
  seen: { apiVersion: string; kind: string } | undefined,
  text: string,
  body: Uint8Array,
): Error {
  if (seen && seen.kind !== '') {
    const version = seen.apiVersion.split('/').at(-1)!;
    return badRequest(`${seen.kind} in version ${goQuote(version)} cannot be handled as a ${target.kind}: ${text}`);
  }
  return badRequest(`the object provided is unrecognized (must be of type ${target.kind}): ${text} (${summary(body)})`);
}

/** A body as JSON; the keys that came twice in YAML, each told by its line. */
interface JsonBody {
  readonly source: Uint8Array;
  readonly text: string | Uint8Array;
  readonly duplicates: readonly string[];
}

function jsonBodyOf(body: Uint8Array, mediaType: MediaType): JsonBody {
  if (mediaType !== 'application/yaml') return { source: body, text: body, duplicates: [] };
  const { json, duplicates } = yamlToJson(body);
  return { source: body, text: json, duplicates };
}

/** The kind that a body claims, completed from the target. */
function typeMetaOf(
  { source, text }: JsonBody,
  target: DecodeTarget,
  isStrict: boolean,
): { apiVersion: string; kind: string } {
  const found = readTypeMeta(text);
  if (target.codec) {
    if (found.kind) return found;
    // A custom resource has to say what it is. Upstream's strict reader gives up here; the other goes on as if it did.
    const { version } = parseApiVersion(found.apiVersion);
    if (isStrict) throw new InputError('json', `Object 'Kind' is missing in '${Buffer.from(source).toString()}'`);
    return { apiVersion: version === '' ? apiVersionText(target) : found.apiVersion, kind: target.kind };
  }
  const own = apiVersionText(target);
  return { apiVersion: found.apiVersion || own, kind: found.kind || target.kind };
}

interface Read {
  readonly object: Draft<KubeObject>;
  readonly strictErrors: readonly string[];
}

function readAs(text: string | Uint8Array, { struct, codec }: DecodeTarget): Read {
  if (codec) return codec.read(text);
  const { value, strictErrors } = readJson(text, struct);
  return { object: value as Draft<KubeObject>, strictErrors };
}

/**
 * The usual case in one scan: JSON of the very kind and version. Undefined for anything else, and for what is wrong,
 * which is then looked at in upstream's order.
 */
function readPlain(
  body: Uint8Array,
  target: DecodeTarget,
): { readonly object: Draft<KubeObject>; readonly strictErrors: readonly string[] } | undefined {
  const { struct, kind } = target;
  if (target.codec || !struct.fields.has('kind') || body[0] !== 0x7b) return undefined;
  const own = apiVersionText(target);
  try {
    const { value, strictErrors } = readJson(body, struct);
    const object = value as Draft<KubeObject>;
    if ((object.kind || kind) !== kind || (object.apiVersion || own) !== own) return undefined;
    object.apiVersion = own;
    object.kind = kind;
    if (struct.fields.has('metadata')) object.metadata ??= {};
    return { object, strictErrors };
  } catch (error) {
    if (error instanceof InputError || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Decodes and checks the kind. Throws 400. */
export function decodeBody(body: Uint8Array, target: DecodeTarget, options: DecodeOptions): Draft<KubeObject> {
  const { mediaType } = options;
  if (mediaType === 'application/vnd.kubernetes.protobuf') {
    return decodeProtobuf(body, target, options.bareErrors ?? false);
  }
  const plain = mediaType === 'application/json' && !options.bareErrors ? readPlain(body, target) : undefined;
  if (plain) {
    applyStrict(plain.strictErrors, [], options, plain.object, target);
    return plain.object;
  }
  let seen: { apiVersion: string; kind: string } | undefined;
  try {
    const json = jsonBodyOf(body, mediaType);
    const found = typeMetaOf(json, target, options.validation !== 'Ignore');
    const gv = parseApiVersion(found.apiVersion);
    seen = found;
    const same = seen.kind === target.kind && gv.group === target.group;
    const free = options.bareErrors ?? false;
    if (free) checkAnyVersion(seen, target);
    const known = target.codec || target.struct.name === '' || isRegistered(seen);
    // Of custom kinds, another one is refused by the validation, which names it.
    if (!(same && known) && !free && !target.codec && !target.accepts?.(seen.apiVersion)) {
      const struct = ownStruct(seen);
      if (struct) readAs(json.text, { ...target, struct });
      refuseKind(seen, target);
    }
    const { object, strictErrors } = readAs(json.text, target);
    object.apiVersion = seen.apiVersion;
    object.kind = seen.kind;
    if (target.struct.fields.has('metadata')) object.metadata ??= {};
    applyStrict(strictErrors, json.duplicates, options, seen, target);
    return free ? object : checkKind(object, target);
  } catch (error) {
    if (options.bareErrors && error instanceof InputError) throw badRequest(error.message);
    if (error instanceof InputError || error instanceof RangeError)
      throw decodeFailure(target, seen, error.message, body);
    throw error;
  }
}

function decodeProtobuf(body: Uint8Array, target: DecodeTarget, bareErrors: boolean): Draft<KubeObject> {
  let seen: { apiVersion: string; kind: string } | undefined;
  try {
    const { raw, apiVersion, kind } = openEnvelope(body, target, apiVersionText(target));
    seen = { apiVersion, kind };
    if (bareErrors) checkAnyVersion(seen, target);
    else if (kind !== target.kind || !isRegistered(seen)) {
      const struct = ownStruct(seen);
      if (struct) readMessage(raw, { kind, struct });
      refuseKind(seen, target);
    }
    const object = Object.assign(readMessage(raw, target), seen);
    return bareErrors ? object : checkKind(object, target);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    if (bareErrors) throw badRequest(error.message);
    throw decodeFailure(target, seen, error.message, body);
  }
}

/** The type of what is of another kind, which it is read as first; undefined when nobody knows the kind. */
export function ownStruct(seen: { readonly apiVersion: string; readonly kind: string }): StructNode | undefined {
  if (!isRegistered(seen)) return undefined;
  return builtinTypes.struct(typeNameOf({ ...parseApiVersion(seen.apiVersion), kind: seen.kind })!);
}

/** Whether upstream has an internal type of the kind, as it has for each that any version of the group has. */
function isInternal(group: string, kind: string): boolean {
  const versions = groups.find(each => each.name === group)?.versions ?? [];
  return versions.some(version => typeNameOf({ group, version, kind }) !== undefined);
}

/** Go's packages of internal types that are not called as their group. */
const internalPackages: Readonly<Record<string, string>> = {
  '': 'core',
  'events.k8s.io': 'core',
  'internal.apiserver.k8s.io': 'apiserverinternal',
};

/** Whether a definition is that of a kind, and not of a part of one. */
function isWhole(definition: string): boolean {
  const { fields } = builtinTypes.struct(definition);
  return fields.has('kind') && (fields.has('metadata') || definition.endsWith('Options'));
}

function isRegistered({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): boolean {
  const gv = parseApiVersion(apiVersion);
  const known = gv.group === '' || groups.some(({ name }) => name === gv.group);
  // Every version has it.
  if (kind === 'WatchEvent' && groups.some(each => each.name === gv.group && each.versions.includes(gv.version)))
    return true;
  const name = known ? typeNameOf({ ...gv, kind }) : undefined;
  return name !== undefined && isWhole(name);
}

/** Kinds that stand in `v1` for all groups. */
const unversioned: ReadonlySet<string> = new Set([
  'Status',
  'APIVersions',
  'APIGroup',
  'APIGroupList',
  'APIResourceList',
]);

/** The target's kind, in any version that has it: client-go sends the options of a deletion in the group's version. */
function checkAnyVersion(seen: { apiVersion: string; kind: string }, target: DecodeTarget): void {
  const known = typeNameOf({ ...parseApiVersion(seen.apiVersion), kind: seen.kind }) !== undefined;
  if (seen.apiVersion === 'v1' && unversioned.has(seen.kind)) {
    throw badRequest(`converting (v1.${seen.kind}) to (v1.${target.kind}): unknown conversion`);
  }
  if (!known || seen.kind !== target.kind) throw badRequest(noKindText(seen));
}

/** `duplicates` are those that YAML's reader tells by line. */
function applyStrict(
  errors: readonly string[],
  duplicates: readonly string[],
  options: DecodeOptions,
  seen: { apiVersion: string; kind: string },
  target: DecodeTarget,
): void {
  if (options.validation === 'Ignore') return;
  if (options.validation === 'Warn') {
    for (const text of [...duplicates, ...errors]) options.warn(text);
    return;
  }
  const yaml = yamlStrictError(duplicates);
  const all = yaml === undefined ? errors : [yaml, ...errors];
  if (all.length === 0) return;
  throw decodeFailure(target, seen, `strict decoding error: ${all.join(', ')}`, new Uint8Array());
}

function refuseKind(seen: { apiVersion: string; kind: string }, target: DecodeTarget): never {
  const { version } = parseApiVersion(seen.apiVersion);
  const own = apiVersionText(target);
  const registered = isRegistered(seen);
  if (registered && seen.kind === target.kind && seen.apiVersion !== own) {
    throw badRequest(
      `the API version in the data (${seen.apiVersion}) does not match the expected API version (${own})`,
    );
  }
  const why = otherKindText(seen, target);
  throw badRequest(`${seen.kind} in version ${goQuote(version)} cannot be handled as a ${target.kind}: ${why}`);
}

/** How upstream says that what it read is of another kind, or of none that it knows. */
export function otherKindText(
  seen: { readonly apiVersion: string; readonly kind: string },
  target: Pick<DecodeTarget, 'group' | 'kind'>,
): string {
  const to = internalPackages[target.group] ?? target.group.split('.')[0];
  let from: string | undefined;
  if (seen.apiVersion !== '') {
    if (!isRegistered(seen)) return noKindText(seen);
    from = parseApiVersion(seen.apiVersion).version;
  } else if (unversioned.has(seen.kind)) from = 'v1';
  else if (isInternal(target.group, seen.kind)) from = to;
  else {
    const where = `the internal version of group ${goQuote(target.group)}`;
    return `no kind ${goQuote(seen.kind)} is registered for ${where} in scheme "pkg/runtime/scheme.go:111"`;
  }
  return `converting (${from}.${seen.kind}) to (${to}.${target.kind}): unknown conversion`;
}

/** How upstream says that it does not know a kind. */
export function noKindText({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): string {
  return `no kind ${goQuote(kind)} is registered for version ${goQuote(apiVersion.replace(/^\//, ''))} in scheme "pkg/runtime/scheme.go:111"`;
}

function checkKind(object: Draft<KubeObject>, target: DecodeTarget): Draft<KubeObject> {
  const own = apiVersionText(target);
  if (object.apiVersion !== own && object.apiVersion !== `/${own}` && !target.accepts?.(object.apiVersion)) {
    throw badRequest(
      `the API version in the data (${object.apiVersion}) does not match the expected API version (${own})`,
    );
  }
  object.apiVersion = own;
  if (!target.codec) object.kind = target.kind;
  return object;
}
