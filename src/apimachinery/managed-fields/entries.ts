/** The managers of an object, where they stand in it. Upstream: apimachinery pkg/util/managedfields/internal/managedfields.go. */
import type { KubeObject, ManagedFieldsEntry } from '../meta.ts';
import { equalValues } from './typed.ts';

/** The object with these managers; itself when it has none and gets none. */
export function withManagers<T extends KubeObject>(object: T, entries: readonly ManagedFieldsEntry[] | undefined): T {
  const { managedFields, ...metadata } = object.metadata;
  if (entries === undefined && managedFields === undefined) return object;
  return { ...object, metadata: entries === undefined ? metadata : { ...metadata, managedFields: entries } };
}

/**
 * `next` with the times of `live`'s entries where nothing else in the two objects differs, so that a write that
 * changes nothing is none. `same` says whether two objects with the same entries are one: for a built-in kind `{}` and
 * nothing are the same map. Upstream: apiserver pkg/endpoints/handlers/fieldmanager/equality.go.
 */
export function ignoreManagedFieldsTimestamps<T extends KubeObject>(
  next: T,
  live: KubeObject,
  same: (next: KubeObject, live: KubeObject) => boolean = sameButVersion,
): T {
  const entries = next.metadata.managedFields;
  const before = live.metadata.managedFields;
  if (entries === undefined || before === undefined || entries.length !== before.length) return next;
  const untimed = (list: readonly ManagedFieldsEntry[]): unknown => list.map(({ time: _, ...entry }) => entry);
  if (!equalValues(untimed(entries), untimed(before))) return next;
  const timed = withManagers(next, before);
  return same(timed, live) ? timed : next;
}

function sameButVersion(next: KubeObject, live: KubeObject): boolean {
  const bare = (object: KubeObject): unknown => {
    const { resourceVersion: _, ...metadata } = object.metadata;
    return { ...object, metadata };
  };
  return equalValues(bare(next), bare(live));
}
