/**
 * Ownership across the scale subresource: `spec.replicas` of Scale is the replicas field of the main resource.
 * Upstream: apimachinery pkg/util/managedfields/scalehandler.go.
 */
import type { ManagedFieldsEntry } from '../meta.ts';
import { type FieldSet, hasPath, isEmptySet, setOf, setOfFields, subtractSet } from './field-set.ts';
import { decodeManagers, encodeManagers, type Manager, type Managers } from './managers.ts';
import { fieldElement } from './path-element.ts';

const scaleVersion = 'autoscaling/v1';
const scalePath = [fieldElement('spec'), fieldElement('replicas')];

/** Where replicas stand, as `spec.replicas`, by API version of the main resource; null where there is no such field. */
export type ReplicasPaths = Readonly<Record<string, string | null>>;

const pathOf = (text: string): string[] => text.split('.').map(fieldElement);

/** The entries that a Scale shows for the main resource's entries. */
export function managersOfScale(
  entries: readonly ManagedFieldsEntry[] | undefined,
  paths: ReplicasPaths,
): ManagedFieldsEntry[] | undefined {
  const out: Managers = new Map();
  for (const [key, manager] of decodeManagers(entries, true)) {
    const path = Object.hasOwn(paths, manager.apiVersion) ? paths[manager.apiVersion] : undefined;
    if (!path || !hasPath(manager.set, pathOf(path))) continue;
    out.set(key, renewed(manager, scaleVersion, setOf(scalePath)));
  }
  return encodeManagers(out);
}

/** The main resource's entries after a write to its Scale left that with `scaleEntries`. */
export function managersFromScale(
  entries: readonly ManagedFieldsEntry[] | undefined,
  scaleEntries: readonly ManagedFieldsEntry[] | undefined,
  apiVersion: string,
  paths: ReplicasPaths,
): ManagedFieldsEntry[] | undefined {
  // Updaters are told apart by their version too, which differs between the two: upstream writes theirs anew.
  const scale = decodeManagers(scaleEntries, true);
  const before = decodeManagers(entries, true);
  const out: Managers = new Map();
  for (const [key, manager] of before) {
    if (!Object.hasOwn(paths, manager.apiVersion)) continue;
    const path = paths[manager.apiVersion];
    if (!path || !hasPath(manager.set, pathOf(path))) out.set(key, manager);
    else if (scale.delete(key)) out.set(key, manager);
    else {
      const set = subtractSet(manager.set, setOfFields(path));
      if (!isEmptySet(set)) out.set(key, renewed(manager, manager.apiVersion, set));
    }
  }
  const path = paths[apiVersion];
  for (const [key, manager] of scale) {
    if (!path || !hasPath(manager.set, scalePath)) continue;
    const { time: _, ...timeless } = renewed(manager, apiVersion, setOfFields(path));
    // Of an owner that is new to the main resource upstream knows no time.
    const time = before.get(key)?.time;
    out.set(key, { ...timeless, ...(time !== undefined && { time }) });
  }
  return encodeManagers(out);
}

function renewed({ entry: _, ...manager }: Manager, apiVersion: string, set: FieldSet): Manager {
  return { ...manager, apiVersion, set };
}
