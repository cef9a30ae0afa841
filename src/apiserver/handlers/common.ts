/** Small things that several handlers share. */
import { type ObjectItem, sentBytes } from '../registry/caches.ts';
import type { ServedResource } from '../scheme/resource.ts';
import { mediaTypes } from '../serialization/negotiation.ts';
import type { ObjectSource } from '../serialization/respond.ts';

/** Custom resources have no protobuf form. */
export function inputTypes(resource: ServedResource): readonly string[] {
  return resource.custom ? mediaTypes.slice(0, 2) : mediaTypes;
}

export function itemSource(item: ObjectItem): ObjectSource {
  return { sent: skip => sentBytes(item, skip), decoded: () => item.object };
}
