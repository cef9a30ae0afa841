/**
 * Impersonations that were allowed, for as long as a token is believed without being looked at. Upstream: apiserver
 * pkg/endpoints/filters/impersonation/cache.go.
 */
import { createHash } from 'node:crypto';
import { type Clock, LruMap } from '#base';
import { tokenSuccessCacheMs } from '../../authentication/options.ts';
import type { UserInfo } from '../../authentication/user.ts';
import type { AuthorizationAttributes } from '../../authorization/authorizer.ts';
import type { Impersonated } from './modes.ts';

const maxEntries = 8192;

/** Of a fixed length, as who asks chooses what goes in. */
const hashOf = (parts: unknown): string => createHash('sha256').update(JSON.stringify(parts)).digest('base64');

const partsOf = ({ name, uid, groups, extra }: UserInfo): unknown => [
  name,
  uid,
  groups,
  Object.entries(extra).toSorted(([a], [b]) => (a < b ? -1 : 1)),
];

/** Whom, by whom, and for what. */
export function attributesKey(wanted: UserInfo, { user, ...request }: AuthorizationAttributes): string {
  const { verb, isResourceRequest, path, group, version, namespace, resource, subresource, name } = request;
  const what = [verb, isResourceRequest, path, group, version, namespace, resource, subresource, name];
  return hashOf([partsOf(wanted), partsOf(user), what, request.fieldSelector, request.labelSelector]);
}

/** Whom, and by whom. */
export function usersKey(wanted: UserInfo, requester: UserInfo): string {
  return hashOf([partsOf(wanted), partsOf(requester)]);
}

export class ImpersonationCache {
  readonly #clock: Clock;
  readonly #entries = new LruMap<string, { readonly found: Impersonated; readonly untilMs: number }>(maxEntries);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(key: string): Impersonated | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    if (entry.untilMs > this.#clock.now()) return entry.found;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, found: Impersonated): void {
    this.#entries.set(key, { found, untilMs: this.#clock.now() + tokenSuccessCacheMs });
  }
}
