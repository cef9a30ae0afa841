/**
 * Informers that several controllers of a process share: one watch a resource, however many look at it.
 * Upstream: client-go informers/factory.go.
 */
import type { KubeObject } from '#apimachinery';
import type { Client, ResourceName } from './client.ts';
import { createInformer, type Informer, type InformerDeps } from './informer.ts';

export interface InformerFactory extends AsyncDisposable {
  /** The shared informer of all objects of a resource; made at the first call. */
  informer<T extends KubeObject>(resource: ResourceName<T>): Informer<T>;
  /** Starts those made since the last call; resolves when all are synced. */
  start(signal: AbortSignal): Promise<void>;
}

/** A factory whose informers read through `client`. */
export function createInformerFactory(deps: InformerDeps, client: Client): InformerFactory {
  const informers = new Map<string, Informer<KubeObject>>();
  return {
    informer<T extends KubeObject>(resource: ResourceName<T>): Informer<T> {
      const key = `${resource.group}/${resource.version}/${resource.resource}`;
      let informer = informers.get(key);
      if (!informer) {
        informer = createInformer(deps, client.resource(resource)) as unknown as Informer<KubeObject>;
        informers.set(key, informer);
      }
      return informer as unknown as Informer<T>;
    },
    async start(signal) {
      await Promise.all([...informers.values()].map(informer => informer.start(signal)));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...informers.values()].map(informer => informer[Symbol.asyncDispose]()));
    },
  };
}
