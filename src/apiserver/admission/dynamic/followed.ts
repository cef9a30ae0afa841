/**
 * Configurations that every write is held against, ready to use: made anew only when one of them changed, so that a
 * cluster without any pays nothing for them. Upstream: apiserver pkg/admission/configuration.
 */
import type { KubeObject } from '#apimachinery';
import type { Clock } from '#base';
import type { Caches } from '../../registry/caches.ts';
import { keepFollowing } from '../../registry/keep-following.ts';
import type { Scheme } from '../../scheme/scheme.ts';

export const admissionGroup = 'admissionregistration.k8s.io';

export interface FollowDeps {
  readonly clock: Clock;
  readonly scheme: Scheme;
  readonly caches: Caches;
  /** Ends the following. */
  readonly signal: AbortSignal;
}

/** What `make` makes of all objects of a resource of this group, by name. While the cache is refilled, the last answer. */
export function followed<T>(
  { clock, scheme, caches, signal }: FollowDeps,
  resource: string,
  make: (objects: readonly KubeObject[]) => T,
): () => T {
  const cache = caches.of(scheme.find(admissionGroup, 'v1', resource)!);
  let made: T | undefined;
  let stale = true;
  void keepFollowing(cache, clock, signal, () => {
    stale = true;
  });
  return () => {
    if (stale && cache.ready) {
      made = make(cache.list().items.map(item => item.object));
      stale = false;
    }
    return (made ??= make([]));
  };
}
