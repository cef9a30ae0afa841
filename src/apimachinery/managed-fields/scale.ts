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
  // Scale's managers are told apart by the main resource's identities, as they were handed out.
  const scale = new Map<string, Manager>();
  for (const manager of decodeManagers(scaleEntries, true).values()) scale.set(scaleKey(manager), manager);
  const out: Managers = new Map();
  for (const [key, manager] of decodeManagers(entries, true)) {
    if (!Object.hasOwn(paths, manager.apiVersion)) continue;
    const path = paths[manager.apiVersion];
    if (!path || !hasPath(manager.set, pathOf(path))) out.set(key, manager);
    else if (scale.delete(scaleKey(manager))) out.set(key, manager);
    else {
      const set = subtractSet(manager.set, setOfFields(path));
      if (!isEmptySet(set)) out.set(key, renewed(manager, manager.apiVersion, set));
    }
  }
  const path = paths[apiVersion];
  for (const [key, manager] of scale) {
    if (path && hasPath(manager.set, scalePath))
      out.set(`scale\0${key}`, renewed(manager, apiVersion, setOfFields(path)));
  }
  return encodeManagers(out);
}

/** Identity without the version, which differs between the two. */
function scaleKey({ name, operation, subresource }: Manager): string {
  return `${name}\0${operation}\0${subresource}`;
}

function renewed({ entry: _, ...manager }: Manager, apiVersion: string, set: FieldSet): Manager {
  return { ...manager, apiVersion, set };
}
