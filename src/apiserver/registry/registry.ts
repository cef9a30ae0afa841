/**
 * The generic registry: create, update and delete of any resource with its rules, admission, finalizers, graceful
 * deletion and companions. Works on objects of the stored version. Upstream: apiserver
 * pkg/registry/generic/registry/store.go.
 */

import type { RuleContext } from '#api/kind';
import {
  alreadyExists,
  cloneJson,
  conflict,
  type DeleteOptions,
  type Draft,
  deepFreeze,
  ignoreManagedFieldsTimestamps,
  type KubeObject,
  notFound,
  StatusError,
  withoutNulls,
} from '#apimachinery';
import type { Clock, Random } from '#base';
import { apiVersionText, type ServedResource, storageKey } from '../scheme/resource.ts';
import { encodeObject, encodeStored } from '../serialization/encode.ts';
import type { Caches } from './caches.ts';
import type { RuleConfig, WriteContext } from './context.ts';
import type { FieldManagers } from './field-managers.ts';
import { CompanionConflict, type Companions, type Decision, joinCompanions, type ObjectStore } from './object-store.ts';
import { StoredObject } from './stored-object.ts';
import {
  beforeCreate,
  beforeUpdate,
  checkResourceVersion,
  checkVersionIsNumber,
  fillSystemFields,
  generatedName,
} from './strategy.ts';

/** Whether two objects of a built-in kind are stored as the same; of custom ones every value counts, empty ones too. */
function sameStored({ custom, struct }: ServedResource): ((a: KubeObject, b: KubeObject) => boolean) | undefined {
  return custom ? undefined : (a, b) => encodeStored(a, struct).equals(encodeStored(b, struct));
}

/** Upstream's maxNameGenerationCreateAttempts. */
const generateNameAttempts = 8;
const companionAttempts = 16;

/** What some kinds need beyond their rules: allocations that commit with the object. */
export interface RegistryHook {
  /** Called after defaults and before validation; may change the draft. `old` is null on create, `object` on delete. */
  prepare(
    object: Draft<KubeObject> | null,
    old: KubeObject | null,
    context: WriteContext,
  ): Promise<Companions | undefined> | Companions | undefined;
  /** What the kind's rules ask of the cluster, before they are asked; the object as the client sent it. */
  facts?(
    object: KubeObject,
    old: KubeObject | null,
    context: WriteContext,
  ): Promise<Pick<RuleContext, 'namespaceLabels' | 'refusals'>>;
  /** Told of updates that are stored. */
  updated?(object: KubeObject, old: KubeObject): void;
  /** Of what is stored with a time to live. */
  ttlSeconds?: number;
  /**
   * Asked before the generic rules of deletion; may change the draft. `mark`: store the draft and wait; `pending`: a
   * deletion is under way, leave it; `continue`: as any other kind.
   */
  beginDelete?(draft: Draft<KubeObject>, options: DeleteOptions, nowMs: number): 'mark' | 'pending' | 'continue';
  /** Further condition for an update to become the deletion of an object whose last finalizer went. */
  mayDelete?(object: KubeObject): boolean;
}

export interface RegistryDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly objects: ObjectStore;
  readonly caches: Caches;
  readonly config: RuleConfig & { readonly enableGarbageCollector: boolean };
  /** By `group/resource` of the stored kind. */
  readonly hooks: ReadonlyMap<string, RegistryHook>;
  readonly fieldManagers: FieldManagers;
}

export interface Updated {
  readonly object: StoredObject;
  readonly created: boolean;
}

/** Makes the new object from what stands there (null where creating is allowed). Called again after a lost race. */
export type Transform = (existing: StoredObject | null) => Promise<Draft<KubeObject>>;

export interface UpdateOptions {
  readonly uid?: string | undefined;
  /** Server-side apply creates whatever the kind's rules say. */
  readonly forceAllowCreate?: boolean;
  /** What is written is not stored without its managers, however large it is. */
  readonly keepsManagers?: boolean;
  /** In place of {@link WriteContext.validate} when the update turns out to be a creation. */
  readonly validateCreate?: (object: KubeObject) => Promise<Companions | undefined>;
}

export class Registry {
  readonly deps: RegistryDeps;

  constructor(deps: RegistryDeps) {
    this.deps = deps;
  }

  /** The same registry, whose use of the store is timed: `timer` begins, what it answers ends. */
  timed(timer: () => () => void): Registry {
    return new Registry({ ...this.deps, objects: this.deps.objects.timed(timer) });
  }

  /** The object as it is now; throws NotFound. */
  async get(
    resource: ServedResource,
    namespace: string,
    name: string,
    about: WriteContext['requestResource'],
  ): Promise<StoredObject> {
    const found = await this.deps.objects.get(storageKey(resource.storage, namespace, name));
    if (!found) throw notFound(about, name);
    return resource.storedForm ? resource.storedForm.read(found) : found;
  }

  /** `object` is a draft of the stored version, with the request's defaults applied; it is used up. */
  async create(resource: ServedResource, object: Draft<KubeObject>, context: WriteContext): Promise<StoredObject> {
    const generate = !object.metadata.name && Boolean(object.metadata.generateName);
    this.#own(resource, object, null, context);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#create(resource, generate ? (cloneJson(object) as Draft<KubeObject>) : object, context);
      } catch (error) {
        const taken = error instanceof StatusError && error.reason === 'AlreadyExists';
        if (!generate || !taken || attempt >= generateNameAttempts) throw error;
      }
    }
  }

  async #create(resource: ServedResource, object: Draft<KubeObject>, context: WriteContext): Promise<StoredObject> {
    const storage = resource.storage;
    const rules = this.#ruleContext(resource, context);
    const { metadata } = object;
    fillSystemFields(object, rules);
    if (!metadata.name && metadata.generateName) metadata.name = generatedName(metadata.generateName, rules.random);
    const hook = this.#hook(storage);
    for (let attempt = 1; ; attempt++) {
      const draft = hook ? (cloneJson(object) as Draft<KubeObject>) : object;
      const companions = await hook?.prepare(draft, null, context);
      const facts = await hook?.facts?.(draft as KubeObject, null, context);
      beforeCreate(storage, draft, { ...rules, ...facts }, context.warn);
      const charges = await context.validate?.(frozenCopy(draft), null);
      if (!context.dryRun) delete draft.metadata.resourceVersion;
      const name = draft.metadata.name!;
      const key = storageKey(storage, context.namespace, name);
      try {
        const stored = await this.deps.objects.create(storage, key, draft, {
          dryRun: context.dryRun,
          ttlSeconds: hook?.ttlSeconds,
          with: joinCompanions(companions, charges),
        });
        if (stored) return stored;
      } catch (error) {
        if (!(error instanceof CompanionConflict) || attempt >= companionAttempts) throw error;
        continue;
      }
      throw await this.#exists(key, name, metadata.generateName, context);
    }
  }

  async #exists(
    key: string,
    name: string,
    generateName: string | undefined,
    context: WriteContext,
  ): Promise<StatusError> {
    const error = alreadyExists(context.requestResource, name);
    // That it is there is certain, even where what stands there cannot be read.
    const standing = await this.deps.objects.get(key).catch(() => null);
    const prefix = standing?.decoded().metadata.deletionTimestamp ? 'object is being deleted: ' : '';
    const suffix = generateName && name.startsWith(generateName) && generateName !== name ? '' : '';
    const message = `${prefix}${error.message}${suffix}`;
    return new StatusError({ ...error.status, message });
  }

  /** Replaces or creates an object; `transform` is asked again whenever somebody else wrote in between. */
  async update(
    resource: ServedResource,
    transform: Transform,
    context: WriteContext,
    options: UpdateOptions = {},
  ): Promise<Updated> {
    const storage = resource.storage;
    const { name, requestResource } = context;
    const key = storageKey(storage, context.namespace, name);
    const allowCreate = storage.rules.allowCreateOnUpdate === true || options.forceAllowCreate === true;
    const rules = this.#ruleContext(resource, context);
    const hook = this.#hook(storage);
    let last: { readonly draft: Draft<KubeObject>; readonly existing: StoredObject } | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        const outcome = await this.deps.objects.update(storage, key, context.dryRun, async existing => {
          if (!existing) {
            if (!allowCreate) throw notFound(requestResource, name);
            if (options.uid && storage.rules.allowCreateOnUpdate) {
              throw uidConflict(requestResource, key, options.uid, '', context);
            }
            const made = await transform(null);
            checkVersionIsNumber(made);
            return this.#creation(storage, made, rules, context, options, hook);
          }
          const old = withoutNulls(existing.decoded(), storage.struct);
          if (options.uid && options.uid !== old.metadata.uid)
            throw uidConflict(requestResource, key, options.uid, old.metadata.uid, context);
          let draft = await transform(existing);
          this.#own(resource, draft, old, context);
          checkResourceVersion(storage, draft, old, requestResource);
          const companions = context.subresource === '' ? await hook?.prepare(draft, old, context) : undefined;
          const facts = await hook?.facts?.(draft as KubeObject, old, context);
          beforeUpdate(storage, draft, old, { ...rules, ...facts }, context.warn);
          draft = ignoreManagedFieldsTimestamps(draft as KubeObject, old, sameStored(storage)) as Draft<KubeObject>;
          const frozen = frozenCopy(draft);
          const charges = await context.validate?.(frozen, old);
          last = { draft, existing };
          if (finalized(draft, old) && (hook?.mayDelete?.(draft as KubeObject) ?? true)) {
            charges?.release?.();
            const release = await hook?.prepare(null, old, context);
            return release ? { type: 'delete', with: release } : { type: 'delete' };
          }
          const together = joinCompanions(companions, charges);
          return {
            type: 'put',
            object: draft,
            ...(together && { with: together }),
            ...(hook?.ttlSeconds !== undefined && { ttlSeconds: hook.ttlSeconds }),
            ...(options.keepsManagers && { keepsManagers: true }),
          };
        });
        if (outcome.type === 'deleted') return { object: shown(storage, last!.draft, last!.existing), created: false };
        const created = outcome.type === 'created';
        if (!created && !context.dryRun) hook?.updated?.(outcome.object.decoded(), last!.existing.decoded());
        return { object: outcome.object, created };
      } catch (error) {
        if (!(error instanceof CompanionConflict) || attempt >= companionAttempts) throw error;
      }
    }
  }

  /**
   * Changes an object by a rule of the server's own, without the kind's strategy: bindings, evictions, conditions.
   * `change` may throw; it is asked again after a lost race.
   */
  async modify(
    resource: ServedResource,
    context: WriteContext,
    change: (draft: Draft<KubeObject>) => void | Promise<void>,
  ): Promise<StoredObject> {
    const { storage } = resource;
    const key = storageKey(storage, context.namespace, context.name);
    const outcome = await this.deps.objects.update(storage, key, context.dryRun, async existing => {
      if (!existing) throw notFound(context.requestResource, context.name);
      const draft = existing.draft();
      await change(draft);
      this.#own(resource, draft, existing.decoded(), context);
      return { type: 'put', object: draft };
    });
    return outcome.object;
  }

  async #creation(
    storage: ServedResource,
    draft: Draft<KubeObject>,
    rules: RuleContext,
    context: WriteContext,
    options: UpdateOptions,
    hook: RegistryHook | undefined,
  ): Promise<Decision> {
    fillSystemFields(draft, rules);
    const companions = await hook?.prepare(draft, null, context);
    beforeCreate(storage, draft, rules, context.warn);
    const frozen = frozenCopy(draft);
    const charges = await (options.validateCreate ? options.validateCreate(frozen) : context.validate?.(frozen, null));
    delete draft.metadata.resourceVersion;
    const together = joinCompanions(companions, charges);
    return {
      type: 'put',
      object: draft,
      ...(together && { with: together }),
      ...(hook?.ttlSeconds !== undefined && { ttlSeconds: hook.ttlSeconds }),
      ...(options.keepsManagers && { keepsManagers: true }),
    };
  }

  /** Keeps account of the fields that the server itself writes. Both objects are of the stored version. */
  #own(resource: ServedResource, draft: Draft<KubeObject>, old: KubeObject | null, context: WriteContext): void {
    const { fieldManager: manager, subresource } = context;
    if (manager === undefined) return;
    const { clock, fieldManagers } = this.deps;
    const tracker = fieldManagers.of(resource.storage, subresource);
    const { metadata } = tracker.update(old, draft as KubeObject, { manager, nowMs: clock.now() });
    draft.metadata = metadata as Draft<typeof metadata>;
  }

  hookOf(resource: ServedResource): RegistryHook | undefined {
    return this.#hook(resource.storage);
  }

  #ruleContext(resource: ServedResource, context: WriteContext): RuleContext {
    return {
      nowMs: this.deps.clock.now(),
      namespace: context.namespace,
      subresource: context.subresource,
      groupVersion: context.groupVersion ?? apiVersionText(resource),
      random: this.deps.random,
      warn: context.warn,
      user: context.user,
      config: this.deps.config,
    };
  }

  #hook(storage: ServedResource): RegistryHook | undefined {
    return this.deps.hooks.get(`${storage.group}/${storage.resource}`);
  }
}

/** A copy for those who may only look. Cheaper than a structured clone, and as good for what is JSON. */
function frozenCopy(draft: Draft<KubeObject>): KubeObject {
  return deepFreeze(cloneJson(draft)) as KubeObject;
}

/** What the update would have stored had it not become a deletion, under the version before: upstream answers that. */
function shown(storage: ServedResource, draft: Draft<KubeObject>, existing: StoredObject): StoredObject {
  const bytes = encodeObject(draft as KubeObject, storage.struct);
  return new StoredObject(existing.key, bytes, existing.revision, existing.createRevision);
}

/** Whether an update took the last finalizer of an object that waits to be deleted. Upstream: ShouldDeleteDuringUpdate. */
function finalized(object: Draft<KubeObject>, old: KubeObject): boolean {
  if ((object.metadata.finalizers ?? []).length > 0) return false;
  if (!old.metadata.deletionTimestamp) return false;
  return !old.metadata.deletionGracePeriodSeconds;
}

/** In the words of upstream's store, which tells its key; a dry run's is without the prefix of all keys. */
function uidConflict(
  about: WriteContext['requestResource'],
  fullKey: string,
  wanted: string,
  uid: string | undefined,
  { name, dryRun }: WriteContext,
): StatusError {
  const key = fullKey.slice(fullKey.indexOf('/', 1));
  const place = dryRun ? key : `/registry${key}`;
  const why = `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${uid ?? ''}`;
  const text = `StorageError: invalid object, Code: 4, Key: ${place}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`;
  return conflict(about, name, text);
}
