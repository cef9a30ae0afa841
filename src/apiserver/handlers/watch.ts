/**
 * GET with watch: events from a revision on, with bookmarks, initial events, and selectors that objects enter and
 * leave. Upstream: apiserver pkg/endpoints/handlers/{get,watch}.go, pkg/storage/cacher/cache_watcher.go.
 */

import { expired, type Json, type KubeObject, type Status, StatusError } from '#apimachinery';
import type { Timer } from '#base';
import { type CacheWatch, StorageError } from '#storage';
import type { StoredForm } from '../custom/stored-form.ts';
import type { EncodedWatchEvent, ServerResponse } from '../http/message.ts';
import type { ObjectCache, ObjectItem } from '../registry/caches.ts';
import { storageKey, storageRange } from '../scheme/resource.ts';
import { checkStream } from '../serialization/negotiation.ts';
import { checkTableOptions, tableFor } from '../serialization/table.ts';
import { EventEncoder, watchContentType } from '../watch/event-encoder.ts';
import { outputOf, shownItems } from './common.ts';
import { nodeIndex } from './list.ts';
import {
  type ListOptions,
  listOptions,
  revisionOf,
  selects,
  storeRevisionOf,
  waitForRevision,
} from './list-options.ts';
import type { Scope } from './scope.ts';
import { initializing, refreshed, refreshedSoon } from './unread.ts';

const bookmarkPeriodMs = 60_000;
const lastBookmarkMs = 2000;
/** Objects of the present that are looked at and sent before others on this thread have their turns. */
const initialATurn = 100;

export async function watchObjects(scope: Scope): Promise<ServerResponse> {
  const { request, resource, deps } = scope;
  const output = outputOf(scope);
  const options = listOptions(request.query, resource, scope.name);
  const table = output.as === 'Table' ? await tableFor(resource) : undefined;
  const encoder = new EventEncoder(scope, output, table);
  const cache = deps.caches.of(resource);
  const { resourceVersion: version } = options;
  if (version !== '') storeRevisionOf(version);
  const unread =
    version === '' ? await refreshed(cache, request.signal) : await refreshedSoon(cache, deps.clock, request.signal);
  if (unread) throw initializing(resource, unread);
  if (table) checkTableOptions(request.query.get('includeObject') ?? '');
  checkStream(output);
  const end = new AbortController();
  endsWith(end, resource.ended);
  const stop = AbortSignal.any([request.signal, end.signal]);
  // Told before the answer begins: what happens from then on is seen, however long the first turn is in coming.
  const start = beginning(options, cache);
  const initialized = Promise.withResolvers<void>();
  const events = stream(scope, options, cache, encoder, stop, { start, end, initialized: initialized.resolve });
  return {
    status: 200,
    headers: { 'content-type': watchContentType(output), 'transfer-encoding': 'chunked' },
    body: {
      kind: 'watch',
      events,
      done: end.signal,
      initialized: initialized.promise,
      end: () => end.abort(new Error('the server stops')),
    },
  };
}

/** A watch ends with what it watches: its client comes back to what stands there then. */
function endsWith(end: AbortController, resource: AbortSignal | undefined): void {
  if (!resource) return;
  const stop = (): void => end.abort(new Error('the resource has changed'));
  if (resource.aborted) stop();
  resource.addEventListener('abort', stop, { signal: end.signal });
}

/** Without an end of its own a watch lasts for `--min-request-timeout` to twice that. */
function timeoutMs(options: ListOptions, scope: Scope): number {
  if (options.timeoutSeconds !== undefined && options.timeoutSeconds > 0) return options.timeoutSeconds * 1000;
  const { minRequestTimeoutMs, registry } = scope.deps;
  return minRequestTimeoutMs * (1 + registry.deps.random.float());
}

interface Beginning {
  readonly after: number;
  /** The present is sent first, as of when that is done. */
  readonly initial: boolean;
}

/** Where the watch begins. */
function beginning(options: ListOptions, cache: ObjectCache): Beginning {
  const { resourceVersion: version, sendInitialEvents } = options;
  if (sendInitialEvents === true) return { after: cache.revision, initial: true };
  if (version === '' || version === '0') {
    if (sendInitialEvents === false) return { after: cache.revision, initial: false };
    return { after: cache.revision, initial: true };
  }
  return { after: revisionOf(version), initial: false };
}

async function* stream(
  scope: Scope,
  options: ListOptions,
  cache: ObjectCache,
  encoder: EventEncoder,
  signal: AbortSignal,
  { start, end, initialized }: { readonly start: Beginning; readonly end: AbortController; initialized(): void },
): AsyncGenerator<readonly EncodedWatchEvent[]> {
  const { clock } = scope.deps;
  const lifeMs = timeoutMs(options, scope);
  const timers: Timer[] = [clock.setTimer(() => end.abort(new Error('timeout')), lifeMs)];
  try {
    if (options.sendInitialEvents === true && options.resourceVersion !== '' && options.resourceVersion !== '0') {
      await waitForRevision(cache, revisionOf(options.resourceVersion), clock, signal);
    }
    const { initial } = start;
    const after = initial ? cache.revision : start.after;
    const filter = selects(options) ?? (() => true);
    const place = placeOf(scope, options);
    const { storedForm } = scope.resource;
    const { connection } = scope.request;
    const watch = cache.watch({ ...place.watch, afterRevision: after, signal, ...(connection && { connection }) });
    if (initial) {
      // No await between the watch's begin and this: both are of the same revision.
      const found = present(cache, place);
      const items = storedForm ? await shownItems(scope.resource, found) : found;
      for (let at = 0; at < items.length; at += initialATurn) {
        const chosen = items.slice(at, at + initialATurn).filter(filter);
        if (chosen.length > 0) yield chosen.map(item => encoder.added(item));
        await new Promise<void>(resolve => setImmediate(resolve));
      }
    }
    if (options.sendInitialEvents === true && options.allowWatchBookmarks) yield [encoder.bookmark(after, true)];
    initialized();
    if (options.allowWatchBookmarks) timers.push(...bookmarkTimers(scope, watch, lifeMs));
    yield* changes(watch, { filter, storedForm, bookmarks: options.allowWatchBookmarks }, encoder);
  } catch (error) {
    if (signal.aborted) return;
    yield [encoder.error(statusOf(error))];
  } finally {
    for (const timer of timers) timer.cancel();
    end.abort(new Error('ended'));
    initialized();
  }
}

/** Every minute, and once two seconds before the watch ends, so that its client can go on from there. */
function bookmarkTimers(scope: Scope, watch: CacheWatch<KubeObject>, lifeMs: number): Timer[] {
  const { clock } = scope.deps;
  const ask = (): void => watch.requestProgress();
  const timers = [clock.setTicker(ask, bookmarkPeriodMs)];
  if (lifeMs > lastBookmarkMs) timers.push(clock.setTimer(ask, lifeMs - lastBookmarkMs));
  return timers;
}

interface Selection {
  readonly filter: (item: ObjectItem) => boolean;
  readonly storedForm: StoredForm | undefined;
  readonly bookmarks: boolean;
}

async function* changes(
  watch: CacheWatch<KubeObject>,
  { filter, storedForm, bookmarks }: Selection,
  encoder: EventEncoder,
): AsyncGenerator<readonly EncodedWatchEvent[]> {
  for await (const { events, revision } of watch) {
    if (events.length === 0) {
      if (bookmarks) yield [encoder.bookmark(revision, false)];
      continue;
    }
    const out: EncodedWatchEvent[] = [];
    const show = (item: ObjectItem): ObjectItem => storedForm?.show(item) ?? item;
    await storedForm?.prepare(events.flatMap(event => [event.item, ...(event.prev ? [event.prev, event.gone] : [])]));
    for (const event of events) {
      const item = show(event.item);
      const now = event.type !== 'deleted' && filter(item);
      const was = event.prev !== null && filter(show(event.prev));
      if (now) out.push(was ? encoder.modified(item) : encoder.added(item));
      else if (was) out.push(encoder.deleted(show(event.gone)));
    }
    if (out.length > 0) yield out;
  }
}

interface Place {
  readonly watch: { prefix?: string; key?: string; index?: { name: string; value: string } };
  readonly prefix: string;
  readonly key: string | undefined;
  readonly index: { name: string; value: string } | undefined;
}

/** The narrowest part of the cache that holds everything selected. */
function placeOf(scope: Scope, options: ListOptions): Place {
  const { resource } = scope;
  const { storage } = resource;
  const namespace =
    scope.namespace || (resource.namespaced ? (options.fields.requiredValue('metadata.namespace') ?? '') : '');
  const prefix = storageRange(storage, namespace);
  const name = options.fields.requiredValue('metadata.name');
  if (name !== undefined && (namespace !== '' || !resource.namespaced)) {
    const key = storageKey(storage, namespace, name);
    return { watch: { key }, prefix, key, index: undefined };
  }
  const index = nodeIndex(options, resource);
  return { watch: index ? { prefix, index } : { prefix }, prefix, key: undefined, index };
}

function present(cache: ObjectCache, place: Place): readonly ObjectItem[] {
  if (place.key !== undefined) {
    const item = cache.get(place.key);
    return item ? [item] : [];
  }
  return cache.list({ prefix: place.prefix, ...(place.index && { index: place.index }) }).items;
}

function statusOf(error: unknown): Status {
  if (error instanceof StatusError) return error.status;
  if (error instanceof StorageError && error.code === 'compacted') {
    const wanted = /\d+/.exec(error.message)?.[0];
    return expired(`too old resource version: ${wanted ?? ''}`).status;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new StatusError({ code: 500, reason: 'InternalError', message: `Internal error occurred: ${message}` }).status;
}

export type { Json };
