/** Types of lists. */

import { builtinTypes } from '#api/tables';
import type { StructNode } from '#apimachinery';
import type { ServedResource } from '../scheme/resource.ts';

/** Undefined for custom kinds, whose lists are plain JSON. */
export function listStruct(resource: ServedResource): StructNode | undefined {
  return resource.custom ? undefined : builtinTypes.struct(`${resource.typeName}List`);
}

export function metadataListStruct(): StructNode {
  return builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.PartialObjectMetadataList');
}
