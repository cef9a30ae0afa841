/** Small things that several handlers share. */
import { type Draft, type KubeObject, writeJson } from '#apimachinery';
import { type ObjectItem, sentBytes } from '../registry/caches.ts';
import type { ServedResource } from '../scheme/resource.ts';
import { encodeObject } from '../serialization/encode.ts';
import { mediaTypes } from '../serialization/negotiation.ts';
import type { ObjectSource } from '../serialization/respond.ts';
import { Turns } from '../serialization/turns.ts';
import type { Scope } from './scope.ts';

/** Custom resources have no protobuf form. */
export function inputTypes(resource: ServedResource): readonly string[] {
  return resource.custom ? mediaTypes.slice(0, 2) : mediaTypes;
}

/** The body as it was decoded and defaulted, for the audit log. */
export function logRequestObject(
  { request }: Pick<Scope, 'request'>,
  body: KubeObject | Draft<KubeObject>,
  { struct }: Pick<ServedResource, 'struct'>,
): void {
  const object = body as KubeObject;
  // Options have no metadata that stored forms could leave anything out of.
  const json = (): string =>
    struct.name === '' ? encodeObject(object, struct, true).toString() : writeJson(object, struct);
  request.audit?.requestObject(object, json);
}

/** Cached states as the version asked for shows them. */
export async function shownItems(
  { storedForm }: ServedResource,
  items: readonly ObjectItem[],
): Promise<readonly ObjectItem[]> {
  if (!storedForm) return items;
  await storedForm.prepare(items);
  const turns = new Turns();
  const shown: ObjectItem[] = [];
  for (const item of items) {
    shown.push(storedForm.show(item));
    if (turns.over(item.bytes.length)) await turns.next();
  }
  return shown;
}

/** A filter of cached states by what the version asked for shows of them; those of `among` may be asked. */
export async function shownFilter(
  resource: ServedResource,
  filter: ((item: ObjectItem) => boolean) | undefined,
  among: () => readonly ObjectItem[],
): Promise<((item: ObjectItem) => boolean) | undefined> {
  const { storedForm } = resource;
  if (!filter || !storedForm?.changesSelection) return filter;
  await shownItems(resource, among());
  return item => filter(storedForm.show(item));
}

export function itemSource(item: ObjectItem): ObjectSource {
  return { sent: skip => sentBytes(item, skip), decoded: () => item.object };
}
