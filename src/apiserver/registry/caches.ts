/** The watch caches of a server: one a stored resource, made when first used, with the codec for stored bytes. */
import type { KubeObject } from '#apimachinery';
import type { CacheCodec, CacheItem, ResourceCache, WatchCache } from '#storage';
import type { ServedResource } from '../scheme/resource.ts';
import { StoredObject, spliced, spliceOffset, versionText } from './stored-object.ts';

export type ObjectCache = ResourceCache<KubeObject>;
/** A state of an object: as cached, or as a version of a custom kind shows it. */
export type ObjectItem = Pick<
  CacheItem<KubeObject>,
  'key' | 'createRevision' | 'modRevision' | 'labels' | 'fields' | 'owners' | 'bytes' | 'object' | 'passing'
> & { form<F>(name: string, make: () => F): F };

/** Fields with an index of their own: the kubelets' lists and watches of their pods. */
const indexes: Readonly<Record<string, readonly string[]>> = { pods: ['spec.nodeName'] };

export class Caches {
  readonly #watchCache: WatchCache;
  readonly #caches = new Map<string, ObjectCache>();

  constructor(watchCache: WatchCache) {
    this.#watchCache = watchCache;
  }

  get watchCache(): WatchCache {
    return this.#watchCache;
  }

  /** The cache of where `resource` is stored. */
  of(resource: ServedResource): ObjectCache {
    const { storage } = resource;
    let cache = this.#caches.get(storage.storagePrefix);
    if (!cache) {
      cache = this.#watchCache.resource<KubeObject>({
        prefix: `${storage.storagePrefix}/`,
        codec: codec(storage),
        labels: { group: storage.group, resource: storage.resource },
        indexes: storage.group === '' ? (indexes[storage.resource] ?? []) : [],
      });
      this.#caches.set(storage.storagePrefix, cache);
    }
    return cache;
  }

  /** Gives up the cache of a resource that is no longer served. */
  drop(resource: ServedResource): void {
    this.#caches.get(resource.storagePrefix)?.close();
    this.#caches.delete(resource.storagePrefix);
  }
}

function codec(resource: ServedResource): CacheCodec<KubeObject> {
  const { selectableFields } = resource.rules;
  return {
    decode(value, revision, key) {
      return new StoredObject(key, value, revision, 0).draft() as KubeObject;
    },
    index(object) {
      const { metadata } = object;
      const fields: Record<string, string> = {
        'metadata.name': metadata.name ?? '',
        ...(resource.namespaced && { 'metadata.namespace': metadata.namespace ?? '' }),
        ...selectableFields?.read(object),
      };
      const owners = metadata.ownerReferences?.map(owner => owner.uid);
      return { labels: metadata.labels ?? {}, fields, ...(owners && { owners }) };
    },
  };
}

/** What {@link sentBytes} puts together, without a copy and without the opening brace. */
export function storedParts(
  item: ObjectItem,
  skip: number,
): { readonly before: Uint8Array; readonly version: string; readonly after: Uint8Array } {
  const { bytes } = item;
  const at = spliceOffset(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return {
    before: bytes.subarray(1 + skip, at),
    version: versionText(item.modRevision),
    after: bytes.subarray(at),
  };
}

/** An item's bytes as sent. */
export function sentBytes(item: ObjectItem, skip = 0): Buffer {
  const bytes = item.bytes;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return spliced(buffer, spliceOffset(buffer), item.modRevision, skip);
}
