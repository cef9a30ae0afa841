/**
 * A resource as this server serves it: facts, rules, type and storage place, the same shape for built-in kinds and for
 * custom ones. Upstream: apiserver pkg/endpoints/handlers RequestScope and registry/generic/registry Store.
 */

import type { KindTable } from '#api/columns';
import type { KindRules, SubresourceFacts } from '#api/kind';
import { type Draft, type GroupVersionKind, type KubeObject, type StructNode, withoutNulls } from '#apimachinery';
import type { CustomCodec } from '../custom/codec.ts';
import type { StoredForm } from '../custom/stored-form.ts';

/** JSON paths of plain names with a leading dot, as a definition gives them. */
export interface ScalePaths {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath?: string | undefined;
  /** The replicas' place in the kind's other versions, by API version; null where there is none. */
  readonly siblings?: Readonly<Record<string, string | null>>;
}

export interface ServedResource {
  readonly group: string;
  readonly version: string;
  /** Lower-case plural. */
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly SubresourceFacts[];
  readonly rules: KindRules;
  readonly struct: StructNode;
  /** Definition name of the kind; empty for custom ones. */
  readonly typeName: string;
  readonly storageVersionHash: string | undefined;
  /** Where objects stand: `/registry/pods` with the server's key prefix, without a slash at the end. */
  readonly storagePrefix: string;
  /** The resource of the version that is stored; itself for most. */
  readonly storage: ServedResource;
  /** Another group shares the storage (events): requests name this group, the store the other. */
  readonly custom: boolean;
  /** Switched off: there for the server itself, not for its clients. */
  readonly hidden?: boolean;
  /** Aborted when its definition has changed or gone, which ends its watches; custom kinds only. */
  readonly ended?: AbortSignal;
  /** How bodies are read; custom kinds only. */
  readonly codec?: CustomCodec;
  /** Between what is stored and this version; custom kinds only, each of whose versions is its own `storage`. */
  readonly storedForm?: StoredForm;
  /** Said with every answer. */
  readonly deprecation?: string;
  /** Where its replicas stand; custom kinds with a scale subresource only. */
  readonly scale?: ScalePaths;
  /** How it is shown; custom kinds only. */
  readonly table?: KindTable;
}

export function kindOf(resource: ServedResource): GroupVersionKind {
  return { group: resource.group, version: resource.version, kind: resource.kind };
}

export function apiVersionText(resource: Pick<ServedResource, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** Key of an object. */
export function storageKey(resource: ServedResource, namespace: string, name: string): string {
  return resource.namespaced ? `${resource.storagePrefix}/${namespace}/${name}` : `${resource.storagePrefix}/${name}`;
}

/** Start of the keys of a namespace, or of all. */
export function storageRange(resource: ServedResource, namespace: string): string {
  return resource.namespaced && namespace !== ''
    ? `${resource.storagePrefix}/${namespace}/`
    : `${resource.storagePrefix}/`;
}

/** The request's version of a stored object. */
export function fromStorage(resource: ServedResource, object: KubeObject): KubeObject {
  if (resource.storage === resource) return object;
  const { fromHub } = resource.rules;
  return fromHub
    ? fromHub(withoutNulls(object, resource.storage.struct))
    : { ...object, apiVersion: apiVersionText(resource) };
}

/** The stored version of a request's object. */
export function toStorage(resource: ServedResource, object: Draft<KubeObject>): Draft<KubeObject> {
  if (resource.storage === resource) return object;
  const hub = resource.rules.toHub
    ? (resource.rules.toHub(object as KubeObject) as Draft<KubeObject>)
    : { ...object, kind: resource.storage.kind };
  hub.apiVersion = apiVersionText(resource.storage);
  // As what is read back from the store has them.
  resource.storage.rules.defaults?.(hub);
  return hub;
}
