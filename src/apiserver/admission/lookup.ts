/** What plugins ask of the cluster: objects from the watch caches, as new as the store. */
import type { Pod } from '#api/types';
import type { KubeObject } from '#apimachinery';
import type { Caches } from '../registry/caches.ts';
import { storageKey, storageRange } from '../scheme/resource.ts';
import type { Scheme } from '../scheme/scheme.ts';

export interface Lookup {
  /** One object of the group's stored version; frozen. */
  get(group: string, resource: string, namespace: string, name: string): Promise<KubeObject | undefined>;
  /** All of a namespace, or of the cluster when it is empty; frozen. */
  list(group: string, resource: string, namespace?: string): Promise<readonly KubeObject[]>;
}

export function cacheLookup(scheme: Scheme, caches: Caches): Lookup {
  const resourceOf = (group: string, name: string) => {
    for (const each of scheme.all()) if (each.group === group && each.resource === name) return each.storage;
    throw new Error(`${name}.${group} is not served`);
  };
  return {
    async get(group, name, namespace, objectName) {
      const resource = resourceOf(group, name);
      const cache = caches.of(resource);
      await cache.fresh();
      return cache.get(storageKey(resource, namespace, objectName))?.object;
    },
    async list(group, name, namespace = '') {
      const resource = resourceOf(group, name);
      const cache = caches.of(resource);
      await cache.fresh();
      return cache.list({ prefix: storageRange(resource, namespace) }).items.map(item => item.object);
    },
  };
}

/** The pods that are bound to a node, as new as the store; frozen. */
export type PodsOnNode = (node: string) => Promise<readonly Pod[]>;

export function podsOnNode(scheme: Scheme, caches: Caches): PodsOnNode {
  return async node => {
    const cache = caches.of(scheme.find('', 'v1', 'pods')!);
    await cache.fresh();
    return cache.list({ index: { name: 'spec.nodeName', value: node } }).items.map(item => item.object as Pod);
  };
}
