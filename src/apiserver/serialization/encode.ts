/**
 * Objects as stored: Go's JSON of the type (fields in order, empty ones left out by their tags, map keys sorted), so
 * that equal objects have equal bytes, without `metadata.resourceVersion`.
 */
import { type KubeObject, type StructNode, writeJson, writeJsonString, writeSorted } from '#apimachinery';

/** Custom kinds have no Go type: their own fields are sorted, as a map's. */
function encodeCustom({ apiVersion, kind, metadata: meta, ...rest }: KubeObject, struct: StructNode): Buffer {
  const metaNode = struct.fields.get('metadata')!.node;
  const head = `{"apiVersion":${writeJsonString(apiVersion)},"kind":${writeJsonString(kind)},"metadata":${writeJson(meta, metaNode)}`;
  const own = writeSorted(rest);
  return Buffer.from(own === '{}' ? `${head}}` : `${head},${own.slice(1)}`);
}

/** `versioned`: a resourceVersion that the object has is kept, as in what a dry run shows. */
export function encodeObject(object: KubeObject, struct: StructNode, versioned = false): Buffer {
  const { resourceVersion, ...rest } = object.metadata;
  const metadata = versioned && resourceVersion !== undefined ? { ...rest, resourceVersion } : rest;
  if (struct.name === '') return encodeCustom({ ...object, metadata }, struct);
  return Buffer.from(writeJson({ ...object, metadata }, struct));
}

/** Kinds with fields of free JSON, in which an empty list means an empty list. */
const freeForm = new Set(['ControllerRevision', 'CustomResourceDefinition', 'ResourceClaim', 'ResourceClaimTemplate']);
/** An empty list as a member's value; a quote before a colon always ends a name. */
const emptyList = /(?<!\\)":\[\]/g;

/**
 * The same for what is really stored. Upstream stores built-in kinds as protobuf, which cannot tell an empty list from
 * none: what was written as `[]` is read as null.
 */
export function encodeStored(object: KubeObject, struct: StructNode): Buffer {
  const { resourceVersion: _, ...metadata } = object.metadata;
  const text = writeJson({ ...object, metadata }, struct);
  const plain = struct.preserveUnknown || freeForm.has(object.kind) || !text.includes(':[]');
  return Buffer.from(plain ? text : text.replace(emptyList, '":null'));
}
