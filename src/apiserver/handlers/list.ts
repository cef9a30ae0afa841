/**
 * GET of a list, whole or by pages, at the current or a given revision, sent in pieces. Upstream: apiserver
 * pkg/endpoints/handlers/get.go ListResource, pkg/storage/etcd3/store.go GetList, pkg/storage/cacher.
 */
import { badRequest, expired, type ListMeta } from '#apimachinery';
import { StorageError } from '#storage';
import type { ServerResponse } from '../http/message.ts';
import type { ObjectItem } from '../registry/caches.ts';
import { type ServedResource, storageKey, storageRange } from '../scheme/resource.ts';
import { listForm } from '../serialization/list-form.ts';
import { emptyList, formedPieces, storedPieces } from '../serialization/list-pieces.ts';
import type { OutputType } from '../serialization/negotiation.ts';
import { plainJson } from '../serialization/respond.ts';
import { Turns } from '../serialization/turns.ts';
import { outputOf, shownFilter, shownItems } from './common.ts';
import {
  decodeContinue,
  encodeContinue,
  type ListOptions,
  listOptions,
  listRevisionOf,
  selects,
  tooLargeVersion,
  waitForRevision,
} from './list-options.ts';
import type { Scope } from './scope.ts';
import { initializing, refreshed, refreshedSoon } from './unread.ts';

interface Page {
  readonly items: readonly ObjectItem[];
  readonly meta: ListMeta;
}

export async function listObjects(scope: Scope): Promise<ServerResponse> {
  const { request, resource } = scope;
  const output = outputOf(scope);
  const options = listOptions(request.query, resource);
  const page = await readPage(scope, options);
  return respondList(scope, page, output);
}

/** What the options select, for this handler and for deletecollection. */
export async function readPage(scope: Scope, options: ListOptions): Promise<Page> {
  const page = await storedPage(scope, options);
  return { ...page, items: await shownItems(scope.resource, page.items, turnsOf(scope)) };
}

async function storedPage(scope: Scope, options: ListOptions): Promise<Page> {
  const { resource, deps, request } = scope;
  const cache = deps.caches.of(resource);
  const namespace = scope.namespace || namespaceOf(options, resource);
  const prefix = storageRange(resource.storage, namespace);
  if (options.continue !== '') return continued(scope, options, prefix);
  const { resourceVersion: version, resourceVersionMatch: match, limit } = options;
  if (version === '' || version === '0') {
    const unread =
      version === '0' ? await refreshedSoon(cache, deps.clock, request.signal) : await refreshed(cache, request.signal);
    if (unread && version === '0') throw initializing(resource, unread);
    if (unread) return historic(scope, options, prefix, await storeRevision(scope), undefined);
  } else await waitForRevision(cache, listRevisionOf(version), deps.clock, request.signal);
  const exact = version !== '' && version !== '0' && (match === 'Exact' || (match === '' && limit > 0));
  const filter = await shownFilter(resource, selects(options), () => cache.list({ prefix }).items);
  if (exact) {
    const revision = listRevisionOf(version);
    if (revision < cache.revision) return historic(scope, options, prefix, revision, undefined);
  }
  const name = options.fields.requiredValue('metadata.name');
  if (name !== undefined && (namespace !== '' || !resource.namespaced)) {
    const item = cache.get(storageKey(resource.storage, namespace, name));
    const items = item && (!filter || filter(item)) ? [item] : [];
    return { items, meta: { resourceVersion: String(cache.revision) } };
  }
  const index = nodeIndex(options, resource);
  const list = await cache.filtered({
    prefix,
    ...(limit > 0 && version !== '0' && { limit }),
    ...(index && { index }),
    ...(filter && { filter }),
  });
  return paged(list.items, list.revision, list.more, list.remaining, prefix, options);
}

function paged(
  items: readonly ObjectItem[],
  revision: number,
  more: boolean,
  remaining: number,
  prefix: string,
  options: ListOptions,
): Page {
  const meta: { -readonly [K in keyof ListMeta]: ListMeta[K] } = { resourceVersion: String(revision) };
  if (more && items.length > 0) {
    meta.continue = encodeContinue({ revision, start: items.at(-1)!.key.slice(prefix.length) });
    if (options.labels.isEmpty && options.fields.isEmpty) meta.remainingItemCount = remaining;
  }
  return { items, meta };
}

async function continued(scope: Scope, options: ListOptions, prefix: string): Promise<Page> {
  const { resourceVersion } = options;
  const token = decodeContinue(options.continue);
  if (resourceVersion !== '' && resourceVersion !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  const cache = scope.deps.caches.of(scope.resource);
  const unread = await refreshed(cache, scope.request.signal);
  if (token.revision > 0) return historic(scope, options, prefix, token.revision, prefix + token.start);
  if (unread) return historic(scope, options, prefix, await storeRevision(scope), prefix + token.start);
  const filter = await shownFilter(scope.resource, selects(options), () => cache.list({ prefix }).items);
  const list = await cache.filtered({
    prefix,
    after: prefix + token.start,
    ...(options.limit > 0 && { limit: options.limit }),
    ...(filter && { filter }),
  });
  return paged(list.items, list.revision, list.more, list.remaining, prefix, options);
}

const storeRevision = (scope: Scope): Promise<number> => scope.deps.registry.deps.objects.store.currentRevision();

/** A page as of an earlier revision, filled up from further pages while a selector leaves it short. */
async function historic(
  scope: Scope,
  options: ListOptions,
  prefix: string,
  revision: number,
  after: string | undefined,
): Promise<Page> {
  const cache = scope.deps.caches.of(scope.resource);
  const { limit } = options;
  const items: ObjectItem[] = [];
  let from = after;
  try {
    for (;;) {
      const page = await cache.listAt(revision, {
        prefix,
        ...(from !== undefined && { after: from }),
        limit: Math.max(0, limit),
      });
      const filter = await shownFilter(scope.resource, selects(options), () => page.items);
      for (const [at, item] of page.items.entries()) {
        if (filter && !filter(item)) continue;
        items.push(item);
        if (limit > 0 && items.length === limit) {
          const left = page.remaining + page.items.length - at - 1;
          return paged(items, revision, left > 0, left, prefix, options);
        }
      }
      if (!page.more) return { items, meta: { resourceVersion: String(revision) } };
      from = page.items.at(-1)!.key;
    }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (error.code === 'futureRevision') throw tooLargeVersion(revision, cache.revision);
    if (error.code !== 'compacted') throw error;
    throw compacted(after, prefix, items);
  }
}

/** 410; with a token for the inconsistent rest when the client was paging. Upstream: etcd3/errors.go. */
function compacted(after: string | undefined, prefix: string, seen: readonly ObjectItem[]): Error {
  const start = seen.at(-1)?.key ?? after;
  if (start === undefined) return expired('The resourceVersion for the provided list is too old.');
  const token = encodeContinue({ revision: -1, start: start.slice(prefix.length) });
  return expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
    { continue: token },
  );
}

/** A list over all namespaces that a field selector narrows to one. */
function namespaceOf(options: ListOptions, resource: ServedResource): string {
  return resource.namespaced ? (options.fields.requiredValue('metadata.namespace') ?? '') : '';
}

/** The index that a selector can use. */
export function nodeIndex(
  options: Pick<ListOptions, 'fields'>,
  resource: ServedResource,
): { name: string; value: string } | undefined {
  if (resource.storage.group !== '' || resource.storage.resource !== 'pods') return undefined;
  const value = options.fields.requiredValue('spec.nodeName');
  return value === undefined ? undefined : { name: 'spec.nodeName', value };
}

/** Nothing of lists within the process waits for a wire, and who asks there may be a short request's own helper. */
function turnsOf({ request, deps }: Scope): Turns {
  return request.user ? new Turns() : new Turns(() => deps.turns.next());
}

export async function respondList(scope: Scope, { items, meta }: Page, output: OutputType): Promise<ServerResponse> {
  const { resource, request, deps } = scope;
  const includeObject = request.query.get('includeObject');
  const form = await listForm({ resource, output, meta, nowMs: deps.clock.now(), includeObject });
  const making = { buffers: deps.pieces, turns: turnsOf(scope) };
  const headers: Record<string, string> = { 'content-type': output.mediaType };
  const json = async (): Promise<Uint8Array> => {
    const plain = { ...output, ...plainJson };
    if (items.length === 0) return emptyList(form, plain);
    return Buffer.concat(await Array.fromAsync(formedPieces(form, plain, items, making)));
  };
  const logged = request.audit && { logged: { json } };
  if (items.length === 0) {
    return { status: 200, headers, body: { kind: 'bytes', bytes: emptyList(form, output) }, ...logged };
  }
  const { compare } = form;
  const shown = compare ? items.toSorted((a, b) => compare(a.passing, b.passing)) : items;
  const raw = resource.storage === resource && !output.as && output.mediaType === 'application/json' && !output.pretty;
  const chunks = raw ? storedPieces(resource, form, shown, making.buffers) : formedPieces(form, output, shown, making);
  const sent = (chunk: Uint8Array): void => making.buffers.giveBack(chunk);
  const body = { kind: 'chunks', chunks, isGathered: true, sent } as const;
  return { status: 200, headers, body, ...logged };
}
