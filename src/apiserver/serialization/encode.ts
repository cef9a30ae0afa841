/**
 * Objects as stored: Go's JSON of the type (fields in order, empty ones left out by their tags, map keys sorted), so
 * that equal objects have equal bytes, without `metadata.resourceVersion`.
 */
import {
  type KubeObject,
  type StructNode,
  withoutEmptyLists,
  writeJson,
  writeJsonString,
  writeSorted,
} from '#apimachinery';

const emptyList = Buffer.from(':[]');

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

/**
 * The same for what upstream stores as protobuf, which cannot tell an empty list from none: what was written as `[]` is
 * read as null.
 */
export function encodeStored(object: KubeObject, struct: StructNode, versioned = false): Buffer {
  const bytes = encodeObject(object, struct, versioned);
  if (struct.preserveUnknown || !bytes.includes(emptyList) || object.kind === 'CustomResourceDefinition') return bytes;
  return encodeObject(withoutEmptyLists(object, struct), struct, versioned);
}
