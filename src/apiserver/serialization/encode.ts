/**
 * Objects as stored: Go's JSON of the type (fields in order, empty ones left out by their tags, map keys sorted), so
 * that equal objects have equal bytes, without `metadata.resourceVersion`.
 */
import { type KubeObject, type StructNode, writeJson } from '#apimachinery';

export function encodeObject(object: KubeObject, struct: StructNode): Buffer {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return Buffer.from(writeJson({ ...object, metadata }, struct));
}
