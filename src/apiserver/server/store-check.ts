/**
 * The health checks `etcd` and `etcd-readiness`: whether the store answers, asked at most twice in the time that an answer
 * may take. Upstream: apiserver pkg/storage/storagebackend/factory/etcd3.go newETCD3Check.
 */
import type { Clock } from '#base';
import type { Store } from '#storage';

/** Answers why the store is not well, or undefined. */
export function storeCheck(store: Store, clock: Clock, timeoutMs: number): () => Promise<string | undefined> {
  let askedMs = Number.NEGATIVE_INFINITY;
  let last: Promise<string | undefined> = Promise.resolve(undefined);
  return () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - askedMs >= timeoutMs / 2) {
      askedMs = nowMs;
      last = asked(store, clock, timeoutMs);
    }
    return last;
  };
}

async function asked(store: Store, clock: Clock, timeoutMs: number): Promise<string | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<string>();
  const timer = clock.setTimer(() => resolve('context deadline exceeded'), timeoutMs);
  const answer = store.currentRevision().then(
    () => undefined,
    error => (error instanceof Error ? error.message : String(error)),
  );
  try {
    const problem = await Promise.race([answer, late]);
    return problem === undefined ? undefined : `error getting data from etcd: ${problem}`;
  } finally {
    timer.cancel();
  }
}
