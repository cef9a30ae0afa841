/**
 * Counts work in flight (requests, watch deliveries, queue items, outside I/O) so that a stepped clock knows when
 * everything caused by one instant has been done and the next may fire. One instance a cluster, passed in deps.
 */

/** A count of things under way. `begin` and the returned `end` are cheap enough for every request. */
export interface Activity {
  /** Marks one thing as begun; call the result exactly once (further calls do nothing) when it is done. */
  begin(): () => void;
  /** How many things are under way now. */
  readonly pending: number;
  /** Resolves when the count is zero and stays so over one turn of the event loop. */
  idle(): Promise<void>;
}

/** Creates an {@link Activity} with nothing under way. */
export function createActivity(): Activity {
  let pending = 0;
  let waiters: Array<() => void> = [];
  const wake = () => {
    const woken = waiters;
    waiters = [];
    for (const resolve of woken) resolve();
  };
  return {
    get pending() {
      return pending;
    },
    begin() {
      pending++;
      let open = true;
      return () => {
        if (!open) return;
        open = false;
        if (--pending === 0) wake();
      };
    },
    async idle() {
      for (;;) {
        if (pending > 0) await new Promise<void>(resolve => waiters.push(resolve));
        await new Promise<void>(resolve => setImmediate(resolve));
        if (pending === 0) return;
      }
    },
  };
}

/** For components that run on the system clock, where nobody asks whether they are idle. */
export const noActivity: Activity = Object.freeze({
  pending: 0,
  begin: () => () => {},
  idle: () => Promise.resolve(),
});
