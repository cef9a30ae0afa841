/**
 * The shapes that every object shares: type meta, object meta, list meta.
 * Upstream: apimachinery pkg/apis/meta/v1/types.go. Objects are plain JSON; cached ones are deep-frozen.
 */

/** Which kind, in which version, an object is. `apiVersion` is `v1` or `<group>/<version>`. */
export interface TypeMeta {
  readonly apiVersion: string;
  readonly kind: string;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ManagedFieldsEntry {
  readonly manager?: string;
  readonly operation?: 'Apply' | 'Update';
  readonly apiVersion?: string;
  /** RFC 3339, seconds. */
  readonly time?: string;
  readonly fieldsType?: 'FieldsV1';
  readonly fieldsV1?: JsonObject;
  readonly subresource?: string;
}

export interface ObjectMeta {
  readonly name?: string;
  readonly generateName?: string;
  readonly namespace?: string;
  readonly selfLink?: string;
  readonly uid?: string;
  /** A decimal integer, comparable within one kind; absent in stored bytes. */
  readonly resourceVersion?: string;
  readonly generation?: number;
  /** RFC 3339, seconds. */
  readonly creationTimestamp?: string | null;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly ManagedFieldsEntry[];
}

export interface ListMeta {
  readonly selfLink?: string;
  readonly resourceVersion?: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** Any object with object meta, of whatever kind. */
export interface KubeObject extends TypeMeta {
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** A list of a kind as the API answers it; `kind` ends in List. */
export interface KubeList<T = KubeObject> extends TypeMeta {
  readonly metadata: ListMeta;
  readonly items: readonly T[];
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** Drops `readonly`, deeply: the type of a draft that is not yet anyone else's. */
export type Draft<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends readonly (infer E)[]
    ? Draft<E>[]
    : T extends object
      ? { -readonly [K in keyof T]: Draft<T[K]> }
      : T;

/** Freezes `value` and everything in it, in place, and returns it. */
export function deepFreeze<T>(value: T): T {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const key in value) deepFreeze((value as Record<string, unknown>)[key]);
  return value;
}

/** `namespace/name`, or `name` for what has no namespace: the key of caches and work queues. */
export function objectKey(object: { readonly metadata: ObjectMeta }): string {
  const { namespace, name = '' } = object.metadata;
  return namespace ? `${namespace}/${name}` : name;
}

/** The owner reference whose `controller` is true, if any. Upstream: meta/v1/controller_ref.go. */
export function controllerOf(object: { readonly metadata: ObjectMeta }): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(owner => owner.controller);
}
