/** PartialObjectMetadata: an object's metadata alone. Upstream: apimachinery meta/v1 and handlers/response.go. */
import { builtinTypes } from '#api/tables';
import type { KubeObject, StructNode } from '#apimachinery';

const name = 'io.k8s.apimachinery.pkg.apis.meta.v1.PartialObjectMetadata';

export function metadataStruct(): StructNode {
  return builtinTypes.struct(name);
}

export function asMetadata(object: KubeObject, version: 'v1' | 'v1beta1'): KubeObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}
