/** GET of one object. Upstream: apiserver pkg/endpoints/handlers/get.go GetResource. */
import { badRequest, notFound } from '#apimachinery';
import type { ServerResponse } from '../http/message.ts';
import { storageKey } from '../scheme/resource.ts';
import { respondObject } from '../serialization/respond.ts';
import { itemSource, outputOf, shownItems } from './common.ts';
import { storeRevisionOf, waitForRevision } from './list-options.ts';
import type { Scope } from './scope.ts';
import { refreshed, refreshedSoon } from './unread.ts';

export async function getObject(scope: Scope): Promise<ServerResponse> {
  const { request, resource, namespace, name, deps, about } = scope;
  const output = outputOf(scope);
  refuseExport(request.query.get('export'));
  const cache = deps.caches.of(resource);
  const version = request.query.get('resourceVersion') ?? '';
  let unread: unknown;
  if (version === '') unread = await refreshed(cache, request.signal);
  else if (version === '0') unread = await refreshedSoon(cache, deps.clock, request.signal);
  else await waitForRevision(cache, storeRevisionOf(version), deps.clock, request.signal);
  const key = storageKey(resource.storage, namespace, name);
  const found = unread ? await cache.read(key) : cache.get(key);
  if (!found) throw notFound(about, name);
  const [item] = await shownItems(resource, [found]);
  const { subject } = scope;
  const options = { request, resource: subject.resource, output, nowMs: deps.clock.now() };
  return respondObject(subject.source(itemSource(item!)), options);
}

function refuseExport(value: string | null | undefined): void {
  if (value === null || value === undefined || /^(0|false)$/i.test(value)) return;
  throw badRequest('the export parameter, deprecated since v1.14, is no longer supported');
}
