/**
 * An informer: a frozen local copy of a collection, kept up to date by list and watch. It resumes a broken watch where
 * it ended, lists again when history is gone (410), and backs off while the server does not answer.
 * Upstream: client-go tools/cache/{reflector,shared_informer,thread_safe_store}.go.
 */

import { deepFreeze, isStatusError, type KubeObject, objectKey, type Status, StatusError } from '#apimachinery';
import { type Activity, anySignal, type Clock, deadline, type Logger, type Random } from '#base';
import type { ResourceClient, TypedWatchEvent } from './client.ts';

export interface InformerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly activity: Activity;
}

export interface InformerOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** Called after the cache changed; must not throw. `old` is what the cache held before. */
export interface InformerHandler<T> {
  added?(object: T): void;
  updated?(object: T, old: T): void;
  deleted?(old: T): void;
}

/** Reading is synchronous and never asks the server; objects are deep-frozen and without managedFields. */
export interface Informer<T extends KubeObject> extends AsyncDisposable {
  get(key: string): T | undefined;
  /** `namespace` undefined: all. */
  list(namespace?: string): Iterable<T>;
  /** Objects that an index function gave this value; see {@link Informer.addIndex}. */
  byIndex(name: string, value: string): Iterable<T>;
  /** Must be called before `start`. */
  addIndex(name: string, values: (object: T) => readonly string[]): void;
  /** Replays what is there as `added`, then goes on. */
  addHandler(handler: InformerHandler<T>): void;
  /** Begins to list and watch; resolves at the first complete list. */
  start(signal: AbortSignal): Promise<void>;
  readonly synced: boolean;
}

const firstBackoffMs = 800;
/** A watch that ends sooner without an event is a failure, after which to wait: the server may be about to stop. */
const shortWatchMs = 1000;
const maxBackoffMs = 30_000;
/** A watch is given up when its server has not ended it so long after it said it would. */
const overdueMs = 30_000;

/** An informer of one collection. Nothing is fetched before `start`. */
export function createInformer<T extends KubeObject>(
  deps: InformerDeps,
  resource: ResourceClient<T>,
  options: InformerOptions = {},
): Informer<T> {
  const scoped = options.namespace === undefined ? resource : resource.namespace(options.namespace);
  const selectors = {
    ...(options.labelSelector && { labelSelector: options.labelSelector }),
    ...(options.fieldSelector && { fieldSelector: options.fieldSelector }),
  };
  const store = createStore<T>();
  const stop = new AbortController();
  const synced = Promise.withResolvers<void>();
  let isSynced = false;
  let loop: Promise<void> | undefined;
  let backoffMs = 0;
  /** Any state will do for a beginning; what comes after history was lost must not be older than what was seen. */
  let listedAt: '0' | '' = '0';

  const relist = async (signal: AbortSignal): Promise<string> => {
    const list = await scoped.list({ ...selectors, resourceVersion: listedAt, signal });
    const { apiVersion, kind } = list;
    store.replace(list.items.map(item => prepare<T>({ ...item, apiVersion, kind: kind.replace(/List$/, '') })));
    return list.metadata.resourceVersion ?? '';
  };
  const follow = async (resourceVersion: string, signal: AbortSignal): Promise<string> => {
    let at = resourceVersion;
    let isEmpty = true;
    const begunMs = deps.clock.monotonicMs();
    const timeoutSeconds = Math.floor(300 + deps.random.float() * 300);
    // A server that is gone without a word ends no watch.
    using limit = deadline(deps.clock, timeoutSeconds * 1000 + overdueMs, signal);
    const events = await scoped.watch({
      ...selectors,
      resourceVersion,
      allowWatchBookmarks: true,
      timeoutSeconds,
      signal: limit.signal,
    });
    for await (const event of events) {
      const end = deps.activity.begin();
      try {
        at = applyEvent(store, event) ?? at;
        backoffMs = 0;
        isEmpty = false;
      } finally {
        end();
      }
    }
    if (isEmpty && deps.clock.monotonicMs() - begunMs < shortWatchMs) throw new Error('very short watch');
    return at;
  };
  const run = async (signal: AbortSignal): Promise<void> => {
    let resourceVersion: string | undefined;
    while (!signal.aborted) {
      try {
        if (resourceVersion === undefined) {
          resourceVersion = await relist(signal);
          isSynced = true;
          synced.resolve();
        }
        resourceVersion = await follow(resourceVersion, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (isStatusError(error, 'Expired', 'Gone')) {
          resourceVersion = undefined;
          listedAt = '';
          continue;
        }
        backoffMs = Math.min(Math.max(firstBackoffMs, backoffMs * 2), maxBackoffMs);
        deps.logger.warn('list and watch failed', { resource: resource.name.resource, error, retryInMs: backoffMs });
        await deps.clock.sleep(backoffMs * (1 + deps.random.float()), signal).catch(() => {});
      }
    }
  };
  return {
    get: store.get,
    list: store.list,
    byIndex: store.byIndex,
    addIndex: store.addIndex,
    addHandler: store.addHandler,
    get synced() {
      return isSynced;
    },
    start(signal) {
      const all = anySignal(signal, stop.signal);
      all.addEventListener('abort', () => synced.resolve(), { once: true });
      loop ??= run(all);
      return synced.promise;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop;
    },
  };
}

/** Drops managedFields, which no controller reads, and freezes. */
function prepare<T extends KubeObject>(object: T): T {
  const { managedFields, ...metadata } = object.metadata;
  return deepFreeze(managedFields === undefined ? object : ({ ...object, metadata } as T));
}

/** Answers the event's resourceVersion; throws the StatusError of an ERROR event. */
function applyEvent<T extends KubeObject>(store: Store<T>, { type, object }: TypedWatchEvent<T>): string | undefined {
  if (type === 'ERROR') throw new StatusError(object as unknown as Status);
  if (type === 'ADDED' || type === 'MODIFIED') store.set(prepare(object));
  else if (type === 'DELETED') store.remove(object);
  return object.metadata.resourceVersion;
}

interface Store<T extends KubeObject>
  extends Pick<Informer<T>, 'get' | 'list' | 'byIndex' | 'addIndex' | 'addHandler'> {
  set(object: T): void;
  remove(object: KubeObject): void;
  replace(objects: readonly T[]): void;
}

interface Index<T> {
  readonly values: (object: T) => readonly string[];
  readonly keys: Map<string, Set<string>>;
}

function createStore<T extends KubeObject>(): Store<T> {
  const objects = new Map<string, T>();
  const indexes = new Map<string, Index<T>>([
    ['namespace', { values: object => [object.metadata.namespace ?? ''], keys: new Map() }],
  ]);
  const handlers: InformerHandler<T>[] = [];
  const reindex = (key: string, before: T | undefined, after: T | undefined): void => {
    for (const { values, keys } of indexes.values()) {
      const gone = before === undefined ? [] : values(before);
      const fresh = after === undefined ? [] : values(after);
      for (const value of gone) {
        const set = keys.get(value);
        if (set?.delete(key) && set.size === 0) keys.delete(value);
      }
      for (const value of fresh) {
        const set = keys.get(value) ?? new Set();
        keys.set(value, set.add(key));
      }
    }
  };
  const set = (object: T): void => {
    const key = objectKey(object);
    const old = objects.get(key);
    if (old?.metadata.resourceVersion === object.metadata.resourceVersion && old !== undefined) return;
    // Another object of the same name: its predecessor was deleted while nobody watched.
    if (old && old.metadata.uid !== object.metadata.uid) removeKey(key);
    const replaced = objects.get(key);
    objects.set(key, object);
    reindex(key, replaced, object);
    for (const handler of handlers) {
      if (replaced) handler.updated?.(object, replaced);
      else handler.added?.(object);
    }
  };
  const removeKey = (key: string): void => {
    const old = objects.get(key);
    if (!old) return;
    objects.delete(key);
    reindex(key, old, undefined);
    for (const handler of handlers) handler.deleted?.(old);
  };
  function* byIndex(name: string, value: string): Iterable<T> {
    for (const key of indexes.get(name)?.keys.get(value) ?? []) yield objects.get(key)!;
  }
  return {
    get: key => objects.get(key),
    list: namespace => (namespace === undefined ? objects.values() : byIndex('namespace', namespace)),
    byIndex,
    addIndex(name, values) {
      const index: Index<T> = { values, keys: new Map() };
      indexes.set(name, index);
      for (const [key, object] of objects) {
        for (const value of values(object)) index.keys.set(value, (index.keys.get(value) ?? new Set()).add(key));
      }
    },
    addHandler(handler) {
      handlers.push(handler);
      for (const object of objects.values()) handler.added?.(object);
    },
    set,
    remove: object => removeKey(objectKey(object)),
    replace(list) {
      const keys = new Set(list.map(objectKey));
      for (const key of [...objects.keys()]) if (!keys.has(key)) removeKey(key);
      for (const object of list) set(object);
    },
  };
}
