/**
 * The configuration objects from the watch caches, and the server's own writes to them. Everyone else's changes come by
 * the same way. Upstream: apiserver pkg/util/flowcontrol/apf_controller.go (informers, apply).
 */
import type { FlowSchema, PriorityLevelConfiguration } from '#api/types';
import { type Draft, isStatusError, type KubeObject } from '#apimachinery';
import type { Clock } from '#base';
import type { Transport } from '#client';
import type { Caches, ObjectCache } from '../registry/caches.ts';
import { keepFollowing } from '../registry/keep-following.ts';
import type { Scheme } from '../scheme/scheme.ts';

const group = 'flowcontrol.apiserver.k8s.io';
const version = 'v1';

export type FlowControlResource = 'flowschemas' | 'prioritylevelconfigurations';

/** Reads as new as the store. */
export class FlowControlObjects {
  readonly #caches: Readonly<Record<FlowControlResource, ObjectCache>>;

  readonly #clock: Clock;

  constructor(scheme: Scheme, caches: Caches, clock: Clock) {
    this.#clock = clock;
    const of = (resource: FlowControlResource): ObjectCache => caches.of(scheme.find(group, version, resource)!);
    this.#caches = { flowschemas: of('flowschemas'), prioritylevelconfigurations: of('prioritylevelconfigurations') };
  }

  async levels(): Promise<readonly PriorityLevelConfiguration[]> {
    return (await this.#list('prioritylevelconfigurations')) as readonly PriorityLevelConfiguration[];
  }

  async schemas(): Promise<readonly FlowSchema[]> {
    return (await this.#list('flowschemas')) as unknown as readonly FlowSchema[];
  }

  /** Calls `changed` after every change to either kind, until `signal` aborts. */
  follow(changed: () => void, signal: AbortSignal): void {
    for (const cache of Object.values(this.#caches)) void keepFollowing(cache, this.#clock, signal, changed);
  }

  async #list(resource: FlowControlResource): Promise<readonly KubeObject[]> {
    const cache = this.#caches[resource];
    await cache.fresh();
    return cache.list().items.map(item => item.object);
  }
}

/** Writes as the server itself. */
export class FlowControlWriter {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** False: it was there. */
  async create(resource: FlowControlResource, object: Draft<KubeObject>, fieldManager: string): Promise<boolean> {
    try {
      await this.#transport.request({
        method: 'POST',
        path: pathOf(resource),
        query: [['fieldManager', fieldManager]],
        body: object,
      });
      return true;
    } catch (error) {
      if (isStatusError(error, 'AlreadyExists')) return false;
      throw error;
    }
  }

  /** Of the state that `object` was read in; what was changed meanwhile is looked at another time. */
  async update(resource: FlowControlResource, object: Draft<KubeObject>, fieldManager: string): Promise<void> {
    const path = pathOf(resource, object.metadata.name);
    await this.#transport
      .request({ method: 'PUT', path, query: [['fieldManager', fieldManager]], body: object })
      .catch(ignore('Conflict', 'NotFound'));
  }

  async delete(resource: FlowControlResource, name: string): Promise<void> {
    await this.#transport.request({ method: 'DELETE', path: pathOf(resource, name) }).catch(ignore('NotFound'));
  }

  /** Server-side apply of a schema's status. */
  async applyStatus(name: string, status: FlowSchema['status'], fieldManager: string): Promise<void> {
    const body = { apiVersion: `${group}/${version}`, kind: 'FlowSchema', metadata: { name }, status };
    await this.#transport
      .request({
        method: 'PATCH',
        path: `${pathOf('flowschemas', name)}/status`,
        query: [
          ['fieldManager', fieldManager],
          ['force', 'true'],
        ],
        headers: { 'content-type': 'application/apply-patch+yaml' },
        body: Buffer.from(JSON.stringify(body)),
      })
      .catch(ignore('NotFound'));
  }
}

function pathOf(resource: FlowControlResource, name?: string): string {
  return `/apis/${group}/${version}/${resource}${name === undefined ? '' : `/${name}`}`;
}

function ignore(...reasons: readonly ('Conflict' | 'NotFound')[]): (error: unknown) => void {
  return error => {
    if (!reasons.some(reason => isStatusError(error, reason))) throw error;
  };
}
