/**
 * Follows the CustomResourceDefinitions: accepts their names, serves what is established, empties what is being deleted.
 * Upstream: apiextensions-apiserver pkg/controller/{status,establish,finalizer}.
 */
import type { CustomResourceDefinition } from '#api/types';
import { type Draft, formatTime, isStatusError, type KubeObject } from '#apimachinery';
import type { Clock, Logger } from '#base';
import { user } from '../authentication/user.ts';
import { keepFollowing } from '../authorization/rbac-objects.ts';
import type { Caches } from '../registry/caches.ts';
import type { DeleteContext } from '../registry/context.ts';
import { deleteObject } from '../registry/delete.ts';
import type { Registry, RegistryHook } from '../registry/registry.ts';
import type { ServedResource } from '../scheme/resource.ts';
import type { Scheme } from '../scheme/scheme.ts';
import { customResources } from './custom-resource.ts';

export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';
const group = 'apiextensions.k8s.io';
const name = 'customresourcedefinitions';

export interface DefinitionsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly scheme: Scheme;
  readonly caches: Caches;
  readonly registry: Registry;
  readonly keyPrefix: string;
}

type Condition = { type: string; status: string; reason: string; message: string; lastTransitionTime?: string };

function setCondition(draft: Draft<KubeObject>, condition: Condition, nowMs: number): void {
  const status = (draft['status'] ??= {}) as { conditions?: Condition[] };
  const conditions = (status.conditions ??= []);
  const found = conditions.find(each => each.type === condition.type);
  const next = { lastTransitionTime: formatTime(nowMs), ...condition };
  if (!found) conditions.push(next);
  else if (found.status !== condition.status || found.reason !== condition.reason) Object.assign(found, next);
}

/** A definition is marked first; its instances go before it does. */
export const definitionHook: RegistryHook = {
  prepare: () => undefined,
  beginDelete(draft, _options, nowMs) {
    const { metadata } = draft;
    if (metadata.deletionTimestamp) return metadata.finalizers?.includes(cleanupFinalizer) ? 'pending' : 'continue';
    metadata.deletionTimestamp = formatTime(nowMs);
    metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), cleanupFinalizer])];
    const message = 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon';
    setCondition(draft, { type: 'Terminating', status: 'True', reason: 'InstanceDeletionPending', message }, nowMs);
    return 'mark';
  },
};

export class Definitions {
  readonly #deps: DefinitionsDeps;
  readonly #served = new Map<string, { readonly version: string; readonly resources: readonly ServedResource[] }>();
  #definitions: readonly CustomResourceDefinition[] = [];
  #work: Promise<void> = Promise.resolve();

  constructor(deps: DefinitionsDeps) {
    this.#deps = deps;
  }

  /** What there is, for discovery and OpenAPI. */
  get definitions(): readonly CustomResourceDefinition[] {
    return this.#definitions;
  }

  /** Serves what is there, then follows changes until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const cache = this.#deps.caches.of(this.#own());
    await cache.fresh(signal);
    this.#refresh();
    void keepFollowing(cache, signal, () => this.#refresh());
  }

  #own(): ServedResource {
    return this.#deps.scheme.find(group, 'v1', name)!;
  }

  #refresh(): void {
    const cache = this.#deps.caches.of(this.#own());
    if (!cache.ready) return;
    this.#definitions = cache.list().items.map(item => item.object as unknown as CustomResourceDefinition);
    const names = new Set(this.#definitions.map(crd => crd.metadata.name!));
    for (const known of this.#served.keys()) if (!names.has(known)) this.#withdraw(known);
    for (const crd of this.#definitions) {
      if (isTrue(crd, 'Established')) this.#serve(crd);
      this.#work = this.#work
        .then(() => this.#settle(crd))
        .catch(error => {
          this.#deps.logger.warn('a custom resource definition was not settled', { name: crd.metadata.name, error });
        });
    }
  }

  #serve(crd: CustomResourceDefinition): void {
    const key = crd.metadata.name!;
    const version = `${crd.metadata.uid}/${crd.metadata.generation}`;
    if (this.#served.get(key)?.version === version) return;
    this.#withdraw(key);
    const resources = customResources(crd, this.#deps.keyPrefix);
    for (const resource of resources) if (resource.verbs.length > 0) this.#deps.scheme.add(resource);
    this.#served.set(key, { version, resources });
  }

  #withdraw(key: string): void {
    for (const resource of this.#served.get(key)?.resources ?? []) this.#deps.scheme.remove(resource);
    this.#served.delete(key);
  }

  /** Conditions of a new one, the end of a deleted one. */
  async #settle(crd: CustomResourceDefinition): Promise<void> {
    if (crd.metadata.deletionTimestamp) {
      if (crd.metadata.finalizers?.includes(cleanupFinalizer)) await this.#empty(crd);
      return;
    }
    const conflict = this.#conflict(crd);
    const accepted = isTrue(crd, 'NamesAccepted');
    const current = JSON.stringify(crd.status?.acceptedNames) === JSON.stringify(crd.spec.names);
    if (accepted && current && isTrue(crd, 'Established') && !conflict) return;
    if (!accepted && conflict && crd.status?.conditions?.some(each => each.type === 'NamesAccepted')) return;
    await this.#change(crd, draft => {
      const nowMs = this.#deps.clock.now();
      if (conflict) {
        setCondition(draft, { type: 'NamesAccepted', status: 'False', ...conflict }, nowMs);
        const message = 'not all names are accepted';
        setCondition(draft, { type: 'Established', status: 'False', reason: 'NotAccepted', message }, nowMs);
        return;
      }
      const status = draft['status'] as { acceptedNames?: object };
      status.acceptedNames = structuredClone(crd.spec.names) as object;
      const found = 'no conflicts found';
      setCondition(draft, { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: found }, nowMs);
      const message = 'the initial names have been accepted';
      setCondition(draft, { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message }, nowMs);
    });
  }

  /** A name of it that an accepted definition of the same group has already. */
  #conflict(crd: CustomResourceDefinition): { reason: string; message: string } | undefined {
    const own = crd.spec.names;
    for (const other of this.#definitions) {
      if (other.spec.group !== crd.spec.group || other.metadata.name === crd.metadata.name) continue;
      const taken = other.status?.acceptedNames;
      if (!taken?.plural) continue;
      const words = new Set([taken.plural, taken.singular ?? '', ...(taken.shortNames ?? [])]);
      const use = (text: string): string => `${JSON.stringify(text)} is already in use`;
      if (words.has(own.plural)) return { reason: 'PluralConflict', message: use(own.plural) };
      if (own.singular && words.has(own.singular)) return { reason: 'SingularConflict', message: use(own.singular) };
      const short = own.shortNames?.find(each => words.has(each));
      if (short) return { reason: 'ShortNamesConflict', message: use(short) };
      if (taken.kind === own.kind || taken.listKind === own.kind)
        return { reason: 'KindConflict', message: use(own.kind) };
    }
    return undefined;
  }

  async #change(crd: CustomResourceDefinition, change: (draft: Draft<KubeObject>) => void): Promise<void> {
    try {
      await this.#deps.registry.modify(this.#own(), this.#context(crd.metadata.name!), change);
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
  }

  #context(objectName: string, namespace = '', about = { group, resource: name }): DeleteContext {
    return {
      user: user('system:apiserver', ['system:masters']),
      namespace,
      name: objectName,
      subresource: '',
      dryRun: false,
      warn: () => {},
      requestResource: about,
      options: {},
    };
  }

  /** Deletes all instances; when none is left, takes the finalizer, and with it the definition. */
  async #empty(crd: CustomResourceDefinition): Promise<void> {
    const [resource] = this.#served.get(crd.metadata.name!)?.resources ?? [];
    if (resource && isTrue(crd, 'Established')) {
      const cache = this.#deps.caches.of(resource);
      await cache.fresh();
      const about = { group: resource.group, resource: resource.resource };
      for (const { object } of cache.list().items) {
        const { name: own = '', namespace = '' } = object.metadata;
        try {
          await deleteObject(this.#deps.registry, resource, this.#context(own, namespace, about));
        } catch (error) {
          if (!isStatusError(error, 'NotFound')) throw error;
        }
      }
      await cache.fresh();
      if (cache.size > 0) {
        this.#deps.clock.setTimer(() => this.#refresh(), 1000);
        return;
      }
    }
    try {
      await this.#deps.registry.update(
        this.#own(),
        async existing => {
          const draft = existing!.draft();
          draft.metadata.finalizers = (draft.metadata.finalizers ?? []).filter(each => each !== cleanupFinalizer);
          return draft;
        },
        this.#context(crd.metadata.name!),
      );
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
  }
}

function isTrue(crd: CustomResourceDefinition, type: string): boolean {
  return crd.status?.conditions?.some(each => each.type === type && each.status === 'True') ?? false;
}
