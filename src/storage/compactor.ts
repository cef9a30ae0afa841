/**
 * Five minutes of history: every interval it compacts to the revision that was current one interval ago. Upstream:
 * apiserver pkg/storage/etcd3/compact.go, including the key by which several API servers on one store agree who
 * compacts: whoever finds it as it last saw it writes the new revision and compacts, the others take note.
 */
import type { Clock, Logger, Timer } from '#base';
import type { Store } from './contract.ts';

export interface CompactorOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default five minutes; 0: nothing is ever compacted. */
  readonly intervalMs?: number;
}

/** Upstream's key, outside every API server's prefix. */
const compactKey = 'compact_rev_key';
const defaultIntervalMs = 5 * 60_000;

/** Begins compacting; disposing stops it. Failures are logged and tried again an interval later. */
export function startCompactor({ store, clock, logger, intervalMs }: CompactorOptions): Disposable {
  if (intervalMs === 0) return { [Symbol.dispose]: () => {} };
  let noted: { key: number; revision: number } = { key: 0, revision: 0 };
  const round = async (): Promise<void> => {
    const { revision } = noted;
    const value = new TextEncoder().encode(String(revision));
    const op = { type: 'put', key: compactKey, value } as const;
    const result = await store.txn([{ key: compactKey, modRevision: noted.key }], [op]);
    if (result.ok) {
      noted = { key: result.revision, revision: result.revision };
      if (revision > 0) await store.compact(revision);
    } else noted = { key: result.current[0]?.modRevision ?? 0, revision: result.revision };
  };
  let running = false;
  const ticker: Timer = clock.setTicker(() => {
    if (running) return;
    running = true;
    round()
      .catch(error => logger.warn('compaction failed', { error }))
      .finally(() => {
        running = false;
      });
  }, intervalMs ?? defaultIntervalMs);
  return { [Symbol.dispose]: () => ticker.cancel() };
}
