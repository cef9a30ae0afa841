/**
 * Requests for resources some of whose stored values cannot be read (a key that is no longer configured, a KMS plug-in
 * that is gone): what is asked of the cache is refused, what can be answered from the store is. Upstream: apiserver
 * pkg/storage/cacher/{delegator,cacher}.go.
 * Deviation: a server that finds such values when it starts is ready, as what else it has can be served; upstream's
 * `informer-sync` and `storage-readiness` fail. The time to wait before asking again is always a second.
 */
import { type StatusError, tooManyRequests } from '#apimachinery';
import type { Clock } from '#base';
import { StorageError } from '#storage';
import type { ObjectCache } from '../registry/caches.ts';
import { apiVersionText, type ServedResource } from '../scheme/resource.ts';

const soonMs = 250;

/** Brings the cache up to date; answers why it cannot be filled when values cannot be read. */
export async function refreshed(cache: ObjectCache, signal: AbortSignal): Promise<StorageError | undefined> {
  try {
    await cache.fresh(signal);
    return undefined;
  } catch (error) {
    if (error instanceof StorageError && error.code === 'transform') return error;
    throw error;
  }
}

/**
 * The same for a request that any state will do for: what the cache has when the store does not answer at once, as when
 * it cannot be reached.
 */
export async function refreshedSoon(
  cache: ObjectCache,
  clock: Clock,
  signal: AbortSignal,
): Promise<StorageError | undefined> {
  if (!cache.ready) return refreshed(cache, signal);
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = clock.setTimer(() => resolve(undefined), soonMs);
  const fresh = refreshed(cache, signal).catch(error => {
    if (error instanceof StorageError && error.code === 'unavailable' && cache.ready) return undefined;
    throw error;
  });
  try {
    return await Promise.race([fresh, late]);
  } finally {
    timer.cancel();
  }
}

/** What upstream's cache says while it cannot be filled. */
export function initializing(resource: ServedResource, problem: StorageError): StatusError {
  const { group, kind, custom } = resource.storage;
  const type = custom ? `${apiVersionText(resource)}, Kind=${kind}` : `*${group.split('.')[0] || 'core'}.${kind}`;
  return tooManyRequests(`storage is (re)initializing: failed to list ${type}: ${problem.message}`, 1);
}
