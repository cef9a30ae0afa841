/**
 * Deletion: preconditions, finalizers by propagation policy, grace periods, and the removal itself.
 * Upstream: apiserver pkg/registry/generic/registry/store.go Delete and pkg/registry/rest/delete.go.
 */
import {
  conflict,
  type DeleteOptions,
  type Draft,
  formatTime,
  invalid,
  type KubeObject,
  notFound,
  parseTimeMs,
  validateDeleteOptions,
} from '#apimachinery';
import { type ServedResource, storageKey } from '../scheme/resource.ts';
import type { DeleteContext } from './context.ts';
import type { Registry, RegistryHook } from './registry.ts';
import type { StoredObject } from './stored-object.ts';

const orphanFinalizer = 'orphan';
const foregroundFinalizer = 'foregroundDeletion';

export interface Deleted {
  /** The last state, or the state that waits for finalizers or the grace period. */
  readonly object: StoredObject;
  /** It is gone; else it was only marked. */
  readonly gone: boolean;
}

type Verdict =
  /** Store this state and leave the rest to finalizers or the kubelet. */
  | { readonly type: 'mark'; readonly object: Draft<KubeObject> }
  | { readonly type: 'remove' }
  /** First store this state, so that watchers see it, then remove it. */
  | { readonly type: 'markAndRemove'; readonly object: Draft<KubeObject> }
  /** A graceful deletion is under way already. */
  | { readonly type: 'pending' };

/** Throws NotFound, Conflict for preconditions, 422 for wrong options, and whatever admission throws. */
export async function deleteObject(
  registry: Registry,
  resource: ServedResource,
  context: DeleteContext,
): Promise<Deleted> {
  const storage = resource.storage;
  const { name, requestResource, options } = context;
  const key = storageKey(storage, context.namespace, name);
  const hook = registry.hookOf(storage);
  const errors = validateDeleteOptions(options);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  let marked = false;
  for (;;) {
    let again = false;
    const outcome = await registry.deps.objects.update(storage, key, context.dryRun, async existing => {
      if (!existing) throw notFound(requestResource, name);
      const old = existing.decoded();
      if (!marked) checkPreconditions(storage, options, old);
      if (!marked) await context.validate?.(null, old);
      const verdict: Verdict = marked ? { type: 'remove' } : judge(storage, hook, existing, options, registry.deps);
      again = verdict.type === 'markAndRemove';
      if (verdict.type === 'pending') return { type: 'keep' };
      if (verdict.type !== 'remove') return { type: 'put', object: verdict.object };
      const companions = await hook?.prepare(null, old, context);
      return companions ? { type: 'delete', with: companions } : { type: 'delete' };
    });
    if (!again) return { object: outcome.object, gone: outcome.type === 'deleted' };
    if (context.dryRun) return { object: outcome.object, gone: true };
    marked = true;
  }
}

function checkPreconditions(storage: ServedResource, options: DeleteOptions, old: KubeObject): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  const about = { group: storage.group, resource: storage.kind };
  const name = old.metadata.name ?? '';
  if (uid !== undefined && uid !== old.metadata.uid) {
    throw conflict(
      about,
      name,
      `the UID in the precondition (${uid}) does not match the UID in record (${old.metadata.uid}). The object might have been deleted and then recreated`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion) {
    throw conflict(
      about,
      name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${old.metadata.resourceVersion}). The object might have been modified`,
    );
  }
}

/** Upstream's BeforeDelete and the choice that follows it. */
function judge(
  storage: ServedResource,
  hook: RegistryHook | undefined,
  existing: StoredObject,
  options: DeleteOptions,
  { clock, config }: Registry['deps'],
): Verdict {
  const nowMs = clock.now();
  const draft = existing.draft();
  const own = hook?.beginDelete?.(draft, options, nowMs) ?? 'continue';
  if (own === 'pending') return { type: 'pending' };
  if (own === 'mark') return { type: 'mark', object: draft };
  const { metadata } = draft;
  const asked = options.gracePeriodSeconds;
  let grace = asked !== undefined && asked < 0 ? 1 : asked;
  const marked = applyGrace(storage, existing.decoded(), draft, grace, nowMs);
  if (marked === 'pending') return { type: 'pending' };
  if (marked !== 'no') grace = marked;
  const changed = config.enableGarbageCollector && setFinalizers(storage, draft, options);
  const pendingFinalizers = (metadata.finalizers ?? []).length > 0;
  if (marked !== 'no') {
    return { type: pendingFinalizers || (grace ?? 0) > 0 ? 'mark' : 'markAndRemove', object: draft };
  }
  if (!pendingFinalizers) return { type: 'remove' };
  if (changed || metadata.deletionGracePeriodSeconds !== 0 || !metadata.deletionTimestamp) markDeleting(draft, nowMs);
  return { type: 'mark', object: draft };
}

/** Sets the deletion's time and grace on a draft of a kind that dies gracefully. Answers the grace, or that there is none. */
function applyGrace(
  storage: ServedResource,
  old: KubeObject,
  draft: Draft<KubeObject>,
  asked: number | undefined,
  nowMs: number,
): number | 'no' | 'pending' {
  const { gracePeriodSeconds } = storage.rules;
  if (!gracePeriodSeconds) return 'no';
  const { metadata } = draft;
  const standing = metadata.deletionGracePeriodSeconds;
  if (metadata.deletionTimestamp) {
    if (!standing) return 'no';
    if (asked === undefined || asked >= standing) return 'pending';
    let at = parseTimeMs(metadata.deletionTimestamp) - standing * 1000 + asked * 1000;
    let period = asked;
    if (at < nowMs) {
      at = nowMs;
      if (period !== 0) period = 1;
    }
    metadata.deletionTimestamp = formatTime(at);
    metadata.deletionGracePeriodSeconds = period;
    return period;
  }
  const own = gracePeriodSeconds(old);
  if (own === undefined) return 'no';
  const period = own === 0 ? 0 : (asked ?? own);
  metadata.deletionTimestamp = formatTime(nowMs + period * 1000);
  metadata.deletionGracePeriodSeconds = period;
  if ((metadata.generation ?? 0) > 0) metadata.generation = metadata.generation! + 1;
  return period;
}

/** Adds or takes the finalizers of the garbage collector as policy and options say; true when the set changed. */
function setFinalizers(storage: ServedResource, draft: Draft<KubeObject>, options: DeleteOptions): boolean {
  const { metadata } = draft;
  const before = metadata.finalizers ?? [];
  if (!collectsGarbage(storage)) return false;
  const after = before.filter(each => each !== orphanFinalizer && each !== foregroundFinalizer);
  if (shouldOrphan(storage, before, options)) after.push(orphanFinalizer);
  if (shouldDeleteInForeground(before, options)) after.push(foregroundFinalizer);
  if (after.length === before.length && after.every(each => before.includes(each))) return false;
  metadata.finalizers = after;
  return true;
}

/** Events are written too often to be anyone's owner; namespaces finalize by their spec. */
function collectsGarbage(storage: ServedResource): boolean {
  return !(storage.resource === 'events' || (storage.group === '' && storage.resource === 'namespaces'));
}

function shouldOrphan(storage: ServedResource, finalizers: readonly string[], options: DeleteOptions): boolean {
  if (options.orphanDependents !== undefined) return options.orphanDependents;
  if (options.propagationPolicy === 'Orphan') return true;
  if (options.propagationPolicy !== undefined) return false;
  for (const each of finalizers) {
    if (each === orphanFinalizer) return true;
    if (each === foregroundFinalizer) return false;
  }
  return storage.rules.defaultPropagation === 'Orphan';
}

function shouldDeleteInForeground(finalizers: readonly string[], options: DeleteOptions): boolean {
  if (options.orphanDependents !== undefined) return false;
  if (options.propagationPolicy === 'Foreground') return true;
  if (options.propagationPolicy !== undefined) return false;
  for (const each of finalizers) {
    if (each === foregroundFinalizer) return true;
    if (each === orphanFinalizer) return false;
  }
  return false;
}

function markDeleting(draft: Draft<KubeObject>, nowMs: number): void {
  const { metadata } = draft;
  if (!metadata.deletionTimestamp && (metadata.generation ?? 0) > 0) metadata.generation = metadata.generation! + 1;
  if (!metadata.deletionTimestamp || parseTimeMs(metadata.deletionTimestamp) > nowMs) {
    metadata.deletionTimestamp = formatTime(nowMs);
  }
  metadata.deletionGracePeriodSeconds = 0;
}
