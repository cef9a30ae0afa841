/** The objects of a resource, one change at a time: what is there first, then every event, in order. */
import type { Clock } from '#base';
import type { ServedResource } from '../scheme/resource.ts';
import type { Caches, ObjectItem } from './caches.ts';

const retryMs = 500;

export interface Follower {
  /** A new state, never an older one than before. */
  put(item: ObjectItem): void;
  gone(key: string): void;
}

/** Resolves when `follower` has seen all that is there; goes on until `signal` aborts. */
export async function follow(
  { caches, clock }: { readonly caches: Caches; readonly clock: Clock },
  resource: ServedResource,
  signal: AbortSignal,
  follower: Follower,
): Promise<void> {
  const cache = caches.of(resource);
  const known = new Map<string, number>();
  const put = (item: ObjectItem): void => {
    if ((known.get(item.key) ?? 0) >= item.modRevision) return;
    known.set(item.key, item.modRevision);
    follower.put(item);
  };
  const gone = (key: string): void => {
    if (known.delete(key)) follower.gone(key);
  };
  const relist = (): number => {
    const { items, revision } = cache.list();
    const keys = new Set(items.map(item => item.key));
    for (const key of [...known.keys()]) if (!keys.has(key)) gone(key);
    for (const item of items) put(item);
    return revision;
  };
  await cache.fresh(signal);
  let after = relist();
  const keep = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        for await (const { events, revision } of cache.watch({ afterRevision: after, signal })) {
          for (const { type, item } of events) {
            if (type === 'deleted') gone(item.key);
            else put(item);
          }
          after = revision;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Error && 'code' in error && error.code === 'closed') return;
        try {
          await cache.fresh(signal);
          after = relist();
        } catch {
          // The store does not answer yet.
          await clock.sleep(retryMs, signal).catch(() => {});
        }
      }
    }
  };
  void keep();
}
