/**
 * Counts one thing under way, except while it waits for something that time itself brings about (a container's end, a
 * hook): a stepped clock must not wait for what waits for it.
 */
import type { Activity } from '#base';

export interface Busy {
  /** Not counted until `work` settles. One at a time. */
  wait<T>(work: Promise<T>): Promise<T>;
  end(): void;
}

export function beginBusy(activity: Activity): Busy {
  let end = activity.begin();
  let over = false;
  return {
    async wait(work) {
      end();
      try {
        return await work;
      } finally {
        if (!over) end = activity.begin();
      }
    },
    end() {
      over = true;
      end();
    },
  };
}
