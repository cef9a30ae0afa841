/**
 * Values as upstream's servers store them, for stores that are shared with one: built-in kinds as protobuf, unless JSON
 * is asked for; definitions, APIServices and custom kinds as JSON. Above this, everything is the JSON of
 * `encode.ts`. Upstream: apiserver pkg/server/storage/storage_codec.go and `--storage-media-type`.
 */
import { builtinTypes } from '#api/tables';
import {
  type Draft,
  field,
  isProtobuf,
  type KubeObject,
  parseApiVersion,
  readAnyJson,
  readEnvelope,
  readJson,
  type StructNode,
  struct,
  writeOrdered,
  writeProtobufObject,
} from '#apimachinery';
import { coerceMetadata, compileStructural } from '#apimachinery/schema';
import { type Store, transformedStore, type ValueTransformer } from '#storage';
import { apiVersionText, type ServedResource, toStorage } from '../scheme/resource.ts';
import type { Scheme } from '../scheme/scheme.ts';
import { encodeObject, encodeStored } from './encode.ts';
import { isOlderDefinition, newerDefinition } from './older-definition.ts';
import { readMessage } from './protobuf.ts';

export const storageMediaTypes = ['application/json', 'application/vnd.kubernetes.protobuf'] as const;
export type StorageMediaType = (typeof storageMediaTypes)[number];

/** Groups that servers of their own store, upstream: their codecs know JSON only. */
const jsonGroups = new Set(['apiextensions.k8s.io', 'apiregistration.k8s.io']);

/** What 17 digits or more say may not fit a double. */
const longNumber = /\d{16}/;
const newline = 0x0a;

/** `store` with values as `mediaType` says; those of the other form, and of other writers, are read as well. */
export function withStoredValues(store: Store, scheme: Scheme, mediaType: StorageMediaType): Store {
  return transformedStore(store, storedValues(scheme, mediaType === 'application/vnd.kubernetes.protobuf'));
}

export function storedValues(scheme: Scheme, protobuf: boolean): ValueTransformer {
  const custom = customStruct();
  return {
    seal(_key, value) {
      if (!protobuf) return value;
      const target = kindOf(scheme, value);
      if (!target || target.custom || jsonGroups.has(target.group)) return value;
      return writeProtobufObject(parse(value, target.struct), target.struct);
    },
    open(_key, stored) {
      if (isProtobuf(stored)) return fromProtobuf(scheme, stored, !protobuf);
      // Go's encoder ends what it writes with a newline, ours does not; what others write begins in other ways.
      const value = stored.at(-1) === newline || isForeign(stored) ? fromJson(scheme, stored, custom) : stored;
      const target = protobuf ? kindOf(scheme, stored) : undefined;
      const stale = value !== stored || (target !== undefined && !target.custom && !jsonGroups.has(target.group));
      return { value, stale };
    },
  };
}

function fromProtobuf(
  scheme: Scheme,
  stored: Uint8Array,
  stale: boolean,
): { readonly value: Uint8Array; readonly stale: boolean } {
  const { apiVersion, kind, raw } = readEnvelope(stored);
  const resource = resourceFor(scheme, apiVersion, kind);
  // What is no API of its own, a range of ports for example, is for those who know it.
  if (!resource) return { value: stored, stale: false };
  const object = Object.assign(readMessage(raw, resource), { kind, apiVersion });
  if (apiVersion !== apiVersionText(resource)) object.apiVersion = apiVersionText(resource);
  return { value: canonical(resource, object), stale: stale || resource !== resource.storage };
}

/**
 * The resource of a stored kind. A version that is not served (upstream stores some kinds in an older one for a while)
 * stands for one that is: versions of a kind are alike on the wire.
 */
function resourceFor(scheme: Scheme, apiVersion: string, kind: string): ServedResource | undefined {
  const { group, version } = parseApiVersion(apiVersion);
  const exact = scheme.ofKind({ group, version, kind });
  if (exact) return exact;
  for (const each of scheme.all()) if (each.group === group && each.kind === kind && !each.custom) return each.storage;
  return undefined;
}

function fromJson(scheme: Scheme, stored: Uint8Array, custom: StructNode): Uint8Array {
  const object = readAnyJson(Buffer.from(stored).toString()) as Draft<KubeObject>;
  if (object?.metadata === undefined) return stored;
  if (isOlderDefinition(object)) return fromJson(scheme, Buffer.from(writeOrdered(newerDefinition(object))), custom);
  const resource = resourceFor(scheme, object.apiVersion, object.kind);
  if (!resource || resource.custom) return encodeObject(readable(object), custom);
  return canonical(resource, parse(stored, resource.struct) as unknown as Draft<KubeObject>);
}

/** Without what cannot be read of its metadata. */
function readable(object: Draft<KubeObject>): KubeObject {
  const options = { objectMeta: metaStruct(), root: true, dropInvalid: true };
  return coerceMetadata(object, compileStructural({}), options).value as KubeObject;
}

/** As this server would have written it. Other servers add defaults when they read; here they are in what is written. */
function canonical(resource: ServedResource, object: Draft<KubeObject>): Uint8Array {
  const hub = toStorage(resource, object);
  resource.storage.rules.defaults?.(hub);
  return encodeStored(hub as KubeObject, resource.storage.struct);
}

function parse(value: Uint8Array, node: StructNode): object {
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
  return longNumber.test(text) ? (readJson(text, node).value as object) : (JSON.parse(text) as object);
}

const head = /^\{"(?:kind":"([^"]+)","apiVersion":"([^"]+)"|apiVersion":"([^"]+)","kind":"([^"]+)")/;

/**
 * An object's JSON that this server would not have written so: the metadata do not come next to the kind, beginning with
 * the name, or it is a definition of old.
 */
function isForeign(value: Uint8Array): boolean {
  const begin = Buffer.from(value.buffer, value.byteOffset, Math.min(value.byteLength, 400)).toString('latin1');
  if (!begin.startsWith('{')) return false;
  if (own.test(begin)) return begin.includes('"apiVersion":"apiextensions.k8s.io/v1beta1"');
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).includes('"metadata"');
}

const own = /^\{"(?:kind|apiVersion)":"[^"]+","(?:kind|apiVersion)":"[^"]+","metadata":\{"(?:name|generateName)":/;

/** The resource of a value that is an object's JSON, by how it begins. */
function kindOf(scheme: Scheme, value: Uint8Array): ServedResource | undefined {
  const begin = Buffer.from(value.buffer, value.byteOffset, Math.min(value.byteLength, 400)).toString('latin1');
  const found = head.exec(begin);
  if (!found) return undefined;
  const [, kind = found[4]!, apiVersion = found[3]!] = found;
  return scheme.ofKind({ ...parseApiVersion(apiVersion), kind });
}

const metaStruct = (): StructNode => builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');

/** A type of which only the metadata is known. */
function customStruct(): StructNode {
  return struct('', [field('metadata', metaStruct())]);
}
