/** Knowing when what is cached of a resource has changed. */
import type { Clock } from '#base';
import type { ObjectCache } from './caches.ts';

/** Before a store that did not answer is asked again. */
const retryMs = 500;

/** Calls `changed` after every change, and once more whenever the watch had to be opened anew. */
export async function keepFollowing(
  cache: ObjectCache,
  clock: Clock,
  signal: AbortSignal,
  changed: () => void,
): Promise<void> {
  while (!signal.aborted) {
    let isOpen = false;
    try {
      await cache.fresh(signal);
      isOpen = true;
      changed();
      for await (const { events } of cache.watch({ signal })) if (events.length > 0) changed();
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Error && 'code' in error && error.code === 'closed') return;
      // A watch that broke is opened anew at once: what was revoked meanwhile is to be seen.
      if (!isOpen) await clock.sleep(retryMs, signal).catch(() => {});
    }
  }
}
