/** Small things that several handlers share. */
import { badRequest, type Draft, type KubeObject, type StatusError, writeJson } from '#apimachinery';
import { type ObjectItem, sentBytes } from '../registry/caches.ts';
import type { ServedResource } from '../scheme/resource.ts';
import { encodeObject } from '../serialization/encode.ts';
import { type MediaType, mediaTypes, negotiateOutput, type OutputType } from '../serialization/negotiation.ts';
import type { ObjectSource } from '../serialization/respond.ts';
import { Turns } from '../serialization/turns.ts';
import type { Scope } from './scope.ts';

/** Encodings of a kind's objects: custom resources have no protobuf form. */
export function encodingsOf({ custom }: Pick<ServedResource, 'custom'>): readonly MediaType[] {
  return custom ? mediaTypes.slice(0, 2) : mediaTypes;
}

/** Subresources that upstream's storage cannot show as a table: of any resource, and of one. */
const withoutTable: ReadonlySet<string> = new Set([
  'approval',
  'binding',
  'ephemeralcontainers',
  'eviction',
  'finalize',
  'log',
  'resize',
  'token',
  'apiservices/status',
  'customresourcedefinitions/status',
  'resourceclaims/status',
]);

function hasTable({ info: { resource, subresource } }: Pick<Scope, 'info'>): boolean {
  if (resource === 'bindings') return false;
  return !withoutTable.has(subresource) && !withoutTable.has(`${resource}/${subresource}`);
}

/** How the answer is to be encoded. Throws 406. */
export function outputOf(scope: Pick<Scope, 'request' | 'resource' | 'info'>): OutputType {
  return negotiateOutput(scope.request, { plain: encodingsOf(scope.resource), tables: hasTable(scope) });
}

/** 400 for what is to be done to one object, whose path names none. */
export const nameMissing = (): StatusError => badRequest('name must be provided');

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
  turns: Turns = new Turns(),
): Promise<readonly ObjectItem[]> {
  if (!storedForm) return items;
  await storedForm.prepare(items);
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
