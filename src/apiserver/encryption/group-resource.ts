/** Resources as an EncryptionConfiguration names them, and which one a key of the store belongs to. */
import type { Scheme } from '../scheme/scheme.ts';

export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

/** `deployments.apps`; without a dot the group is the core one. Upstream: apimachinery schema.ParseGroupResource. */
export function parseGroupResource(text: string): GroupResource {
  const dot = text.indexOf('.');
  return dot < 0 ? { group: '', resource: text } : { group: text.slice(dot + 1), resource: text.slice(0, dot) };
}

export function groupResourceText({ group, resource }: GroupResource): string {
  return group === '' ? resource : `${resource}.${group}`;
}

/** What is stored without being an API of its own, by upstream's names for it. */
const withoutApi: Readonly<Record<string, string>> = {
  'ranges/serviceips': 'serviceipallocations',
  'ranges/servicenodeports': 'servicenodeportallocations',
  masterleases: 'apiserveripinfo',
};

/**
 * The resource that a key belongs to: built-in ones by their place, custom ones by the group and the plural that their
 * keys begin with. The answers are the same objects every time.
 */
export function resourcesByKey(scheme: Scheme, keyPrefix: string): (key: string) => GroupResource {
  const places = new Map<string, GroupResource>();
  for (const { storage } of scheme.all())
    if (!storage.custom)
      places.set(storage.storagePrefix.slice(keyPrefix.length + 1), {
        group: storage.group,
        resource: storage.resource,
      });
  for (const [place, resource] of Object.entries(withoutApi)) places.set(place, { group: '', resource });
  return key => {
    const start = keyPrefix.length + 1;
    const first = key.indexOf('/', start);
    const one = first < 0 ? key.slice(start) : key.slice(start, first);
    const second = first < 0 ? -1 : key.indexOf('/', first + 1);
    const two = second < 0 ? key.slice(start) : key.slice(start, second);
    const known = places.get(one) ?? places.get(two);
    if (known) return known;
    const made = { group: one, resource: two.slice(one.length + 1) };
    places.set(two, made);
    return made;
  };
}
