/**
 * Follows the CustomResourceDefinitions: accepts their names, serves what has them, empties what is being deleted. One
 * change of one definition costs what that definition costs, however many there are. Upstream: apiextensions-apiserver
 * pkg/controller/{status,establish,nonstructuralschema,apiapproval,finalizer}.
 */
import { customGroups, type DiscoveryGroup } from '#api/discovery';
import type { CustomResourceDefinition } from '#api/types';
import { type Draft, formatTime, isStatusError, type KubeObject, semanticEqual } from '#apimachinery';
import type { Clock, Logger } from '#base';
import type { Caches } from '../registry/caches.ts';
import { deleteObject } from '../registry/delete.ts';
import { FieldManagers } from '../registry/field-managers.ts';
import { follow } from '../registry/follow.ts';
import { ownContext } from '../registry/own-context.ts';
import type { Registry, RegistryHook } from '../registry/registry.ts';
import type { StoredObject } from '../registry/stored-object.ts';
import type { ServedResource } from '../scheme/resource.ts';
import type { Scheme } from '../scheme/scheme.ts';
import type { CelMetrics } from './cel-metrics.ts';
import {
  acceptNames,
  approvalCondition,
  type Condition,
  conditionOf,
  establishedBeside,
  establishing,
  isSame,
  isTrue,
  namesSettled,
  removeCondition,
  setCondition,
  structuralCondition,
} from './conditions.ts';
import { customResources } from './custom-resource.ts';
import type { WebhookClient } from './webhook-client.ts';

const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';
const group = 'apiextensions.k8s.io';
const name = 'customresourcedefinitions';
const emptyingPeriodMs = 1000;
/** Before what the store would not take is tried again. */
const retryMs = 1000;

export interface DefinitionsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly scheme: Scheme;
  readonly caches: Caches;
  readonly registry: Registry;
  readonly webhooks: WebhookClient;
  readonly cel: CelMetrics;
  readonly keyPrefix: string;
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

/** What is served of a definition. */
interface Served {
  /** Changes with whatever the served resources depend on. */
  readonly key: string;
  readonly resources: readonly ServedResource[];
  /** Ends the watches of these resources. */
  readonly end: AbortController;
}

export class Definitions {
  readonly #deps: DefinitionsDeps;
  readonly #known = new Map<string, CustomResourceDefinition>();
  readonly #served = new Map<string, Served>();
  readonly #waiting = new Set<string>();
  #generation = 0;
  #list: { readonly generation: number; readonly all: readonly CustomResourceDefinition[] } | undefined;
  #groups: { readonly generation: number; readonly groups: readonly DiscoveryGroup[] } | undefined;
  #settling = false;
  #signal: AbortSignal = AbortSignal.abort();
  readonly #fieldManagers: FieldManagers;

  constructor(deps: DefinitionsDeps) {
    this.#deps = deps;
    this.#fieldManagers = new FieldManagers(deps.scheme);
  }

  /** Rises with every change. */
  get generation(): number {
    return this.#generation;
  }

  /** What there is, by name; the same list until something changes. */
  get definitions(): readonly CustomResourceDefinition[] {
    if (this.#list?.generation !== this.#generation) {
      const all = [...this.#known.values()].sort((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1));
      this.#list = { generation: this.#generation, all };
    }
    return this.#list.all;
  }

  /** The groups that discovery shows; the same list until something changes. */
  get groups(): readonly DiscoveryGroup[] {
    if (this.#groups?.generation !== this.#generation) {
      this.#groups = { generation: this.#generation, groups: this.#customGroups() };
    }
    return this.#groups.groups;
  }

  /** Less the versions that are built in, where nothing of a definition is served. */
  #customGroups(): DiscoveryGroup[] {
    const { scheme } = this.#deps;
    const groups = customGroups(this.definitions).map(group => ({
      ...group,
      versions: group.versions.filter(({ version }) => !scheme.isBuiltIn(group.name, version)),
    }));
    return groups.filter(({ versions }) => versions.length > 0);
  }

  /** Serves what is there, then follows changes until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    await follow(this.#deps, this.#own(), signal, {
      put: ({ object }) => this.#take(object as unknown as CustomResourceDefinition),
      gone: key => this.#forget(key.slice(key.lastIndexOf('/') + 1)),
    });
  }

  #own(): ServedResource {
    return this.#deps.scheme.find(group, 'v1', name)!;
  }

  /** Older states than what is known are left. */
  #take(crd: CustomResourceDefinition): void {
    const key = crd.metadata.name!;
    const known = this.#known.get(key);
    if (known && Number(known.metadata.resourceVersion) >= Number(crd.metadata.resourceVersion)) return;
    this.#known.set(key, crd);
    this.#generation++;
    if (isTrue(crd, 'Established') || isTrue(crd, 'NamesAccepted')) this.#serve(crd);
    else this.#withdraw(key);
    this.#settleSoon(key);
  }

  #forget(key: string): void {
    const crd = this.#known.get(key);
    if (!crd) return;
    this.#known.delete(key);
    this.#generation++;
    for (const resource of this.#withdraw(key).slice(0, 1)) this.#deps.caches.drop(resource);
    this.#settleGroup(crd);
  }

  #serve(crd: CustomResourceDefinition): void {
    const key = crd.metadata.name!;
    const version = `${crd.metadata.uid}/${crd.metadata.generation}/${JSON.stringify(crd.status?.acceptedNames)}`;
    if (this.#served.get(key)?.key === version) return;
    this.#withdraw(key);
    const { keyPrefix, webhooks, cel } = this.#deps;
    const terminating = (): boolean => {
      const known = this.#known.get(key);
      return known !== undefined && isTrue(known, 'Terminating');
    };
    const end = new AbortController();
    const resources = customResources(crd, { keyPrefix, webhooks, terminating, cel, ended: end.signal });
    for (const resource of resources) if (resource.verbs.length > 0) this.#deps.scheme.add(resource);
    this.#served.set(key, { key: version, resources, end });
  }

  #withdraw(key: string): readonly ServedResource[] {
    const { resources = [], end } = this.#served.get(key) ?? {};
    for (const resource of resources) this.#deps.scheme.remove(resource);
    this.#served.delete(key);
    end?.abort();
    return resources;
  }

  /** A name of the group has been given or set free: others may want it. */
  #settleGroup({ spec, metadata }: CustomResourceDefinition): void {
    for (const other of this.#known.values()) {
      if (other.spec.group !== spec.group || other.metadata.name === metadata.name) continue;
      if (!namesSettled(other)) this.#settleSoon(other.metadata.name!);
    }
  }

  /** Settles one after the other: names are given to one at a time. */
  #settleSoon(key: string): void {
    this.#waiting.add(key);
    if (this.#settling) return;
    this.#settling = true;
    const work = async (): Promise<void> => {
      for (const next of this.#waiting) {
        this.#waiting.delete(next);
        const crd = this.#known.get(next);
        if (!crd) continue;
        try {
          await this.#settle(crd);
        } catch (error) {
          if (this.#signal.aborted) return;
          this.#deps.logger.warn('a custom resource definition is settled later', { name: next, error });
          this.#settleLater(next, retryMs);
        }
      }
      this.#settling = false;
    };
    void Promise.resolve().then(work);
  }

  #settleLater(key: string, ms: number): void {
    const again = this.#deps.clock.sleep(ms, this.#signal).then(() => this.#settleSoon(key));
    // Nobody is served any more.
    again.catch(() => {});
  }

  /** Conditions of a new one, the end of a deleted one. */
  async #settle(crd: CustomResourceDefinition): Promise<void> {
    if (crd.metadata.deletionTimestamp) {
      if (crd.metadata.finalizers?.includes(cleanupFinalizer)) await this.#empty(crd);
      return;
    }
    await this.#settleNames(crd);
    const named = this.#known.get(crd.metadata.name!);
    if (named && isTrue(named, 'NamesAccepted') && !isTrue(named, 'Established')) {
      const condition = establishing(named);
      if (!isSame(condition, conditionOf(named, 'Established'))) {
        await this.#change(named, draft => setCondition(draft, condition, this.#deps.clock.now()));
      }
    }
    await this.#settleOptional('NonStructuralSchema', structuralCondition, crd);
    await this.#settleOptional('KubernetesAPIApprovalPolicyConformant', approvalCondition, crd);
  }

  async #settleNames(crd: CustomResourceDefinition): Promise<void> {
    if (namesSettled(crd)) return;
    const { accepted, condition } = acceptNames(crd, [...this.#known.values()]);
    const have = crd.status?.acceptedNames;
    if (semanticEqual(have, accepted) && isSame(conditionOf(crd, 'NamesAccepted'), condition)) return;
    await this.#change(crd, draft => {
      const nowMs = this.#deps.clock.now();
      setCondition(draft, condition, nowMs);
      setCondition(draft, establishedBeside(crd, condition), nowMs);
      (draft['status'] as { acceptedNames?: object }).acceptedNames = structuredClone(accepted) as object;
    });
    this.#settleGroup(crd);
  }

  async #settleOptional(
    type: string,
    wanted: (crd: CustomResourceDefinition) => Condition | undefined,
    { metadata }: CustomResourceDefinition,
  ): Promise<void> {
    const crd = this.#known.get(metadata.name!);
    if (!crd) return;
    const condition = wanted(crd);
    if (isSame(condition, conditionOf(crd, type))) return;
    await this.#change(crd, draft => {
      if (condition) setCondition(draft, condition, this.#deps.clock.now());
      else removeCondition(draft, type);
    });
  }

  /** Writes to the status; what others wrote meanwhile stays, and comes back as an event. */
  async #change(crd: CustomResourceDefinition, change: (draft: Draft<KubeObject>) => void): Promise<void> {
    try {
      const stored = await this.#deps.registry.modify(this.#own(), ownContext(this.#own(), crd.metadata.name!), draft =>
        this.#owning(draft, change),
      );
      this.#took(stored);
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
  }

  /** Changes a draft as the server's own manager, which then owns what it set. */
  #owning(draft: Draft<KubeObject>, change: (draft: Draft<KubeObject>) => void): void {
    const live = structuredClone(draft) as KubeObject;
    change(draft);
    const options = { manager: 'kube-apiserver', nowMs: this.#deps.clock.now() };
    const tracked = this.#fieldManagers.of(this.#own(), 'status').update(live, draft as KubeObject, options);
    if (tracked.metadata.managedFields)
      draft.metadata.managedFields = structuredClone(tracked.metadata.managedFields) as never;
    else delete draft.metadata.managedFields;
  }

  #took(stored: StoredObject): void {
    this.#take(stored.decoded() as unknown as CustomResourceDefinition);
  }

  /** Deletes all instances; when none is left, takes the finalizer, and with it the definition. */
  async #empty(crd: CustomResourceDefinition): Promise<void> {
    const terminating = (status: Condition['status'], reason: string, message: string): Condition => ({
      type: 'Terminating',
      status,
      reason,
      message,
    });
    const begun = terminating('True', 'InstanceDeletionInProgress', 'CustomResource deletion is in progress');
    if (conditionOf(crd, 'Terminating')?.reason !== begun.reason) {
      await this.#change(crd, draft => setCondition(draft, begun, this.#deps.clock.now()));
    }
    let end = terminating('False', 'NeverEstablished', 'resource was never established');
    const [resource] = this.#served.get(crd.metadata.name!)?.resources ?? [];
    if (resource && isTrue(crd, 'Established')) {
      if (!(await this.#deleteInstances(resource))) {
        this.#settleLater(crd.metadata.name!, emptyingPeriodMs);
        return;
      }
      end = terminating('False', 'InstanceDeletionCompleted', 'removed all instances');
    }
    try {
      await this.#deps.registry.update(
        this.#own(),
        async existing => {
          const next = existing!.draft();
          this.#owning(next, draft => {
            draft.metadata.finalizers = (draft.metadata.finalizers ?? []).filter(each => each !== cleanupFinalizer);
            setCondition(draft, end, this.#deps.clock.now());
          });
          return next;
        },
        { ...ownContext(this.#own(), crd.metadata.name!), subresource: 'status' },
      );
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
  }

  /** Whether none is left. */
  async #deleteInstances(resource: ServedResource): Promise<boolean> {
    const cache = this.#deps.caches.of(resource);
    await cache.fresh();
    const about = { group: resource.group, resource: resource.resource };
    for (const { object } of cache.list().items) {
      if (object.metadata.deletionTimestamp) continue;
      const { name: own = '', namespace = '' } = object.metadata;
      try {
        await deleteObject(this.#deps.registry, resource, ownContext(about, own, namespace));
      } catch (error) {
        if (!isStatusError(error, 'NotFound')) throw error;
      }
    }
    await cache.fresh();
    return cache.size === 0;
  }
}
