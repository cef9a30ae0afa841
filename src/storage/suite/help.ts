/** What the cases share: bytes and text, reading a watch step by step, expecting a code. */
import assert from 'node:assert/strict';
import {
  type KeyValue,
  prefixEnd,
  StorageError,
  type StorageErrorCode,
  type StorageEvent,
  type Store,
  type TxnResult,
  type WatchBatch,
  type WatchOptions,
} from '../contract.ts';

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: Uint8Array): string => new TextDecoder().decode(value);

/** The range of all keys that begin so. */
export const under = (prefix: string): { start: string; end: string } => ({ start: prefix, end: prefixEnd(prefix) });

/** Creates; fails the test when the key exists. */
export async function create(store: Store, key: string, value: string, ttlSeconds?: number): Promise<number> {
  const put = { type: 'put' as const, key, value: bytes(value), ...(ttlSeconds && { ttlSeconds }) };
  return applied(await store.txn([{ key, modRevision: 0 }], [put]));
}

/** Puts whatever was there. */
export async function put(store: Store, key: string, value: string): Promise<number> {
  return applied(await store.txn([], [{ type: 'put', key, value: bytes(value) }]));
}

export async function remove(store: Store, key: string): Promise<number> {
  return applied(await store.txn([], [{ type: 'delete', key }]));
}

export function applied(result: TxnResult): number {
  assert.equal(result.ok, true, 'the transaction was refused');
  return result.revision;
}

/** `key=value@createRevision/modRevision`, compact enough for a table. */
export function shown(kv: KeyValue | null): string | null {
  return kv && `${kv.key}=${text(kv.value)}@${kv.createRevision}/${kv.modRevision}`;
}

/** `put key=value (was value)` or `delete key (was value)`, at its revision. */
export function shownEvent(event: StorageEvent): string {
  const was = event.prev ? ` (was ${text(event.prev.value)})` : '';
  return `${event.revision} ${event.type} ${event.key}${event.kv ? `=${text(event.kv.value)}` : ''}${was}`;
}

export async function rejectsWith(code: StorageErrorCode, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof StorageError, `not a StorageError: ${error}`);
    assert.equal(error.code, code);
    return true;
  });
}

/** A watch that is read on demand. */
export interface Reader extends AsyncDisposable {
  /** Reads until `revision` has been delivered; answers the events on the way. */
  until(revision: number): Promise<StorageEvent[]>;
  /** Reads until it has `count` events. */
  take(count: number): Promise<StorageEvent[]>;
  next(): Promise<IteratorResult<WatchBatch>>;
}

export function reader(store: Store, options: Omit<WatchOptions, 'signal'>): Reader {
  const abort = new AbortController();
  const iterator = store.watch({ ...options, signal: abort.signal })[Symbol.asyncIterator]();
  const read = async (
    done: (events: readonly StorageEvent[], batch: WatchBatch) => boolean,
  ): Promise<StorageEvent[]> => {
    const events: StorageEvent[] = [];
    for (;;) {
      const result = await iterator.next();
      assert.ok(!result.done, 'the watch ended early');
      const { revision } = result.value;
      events.push(...result.value.events);
      assert.ok(
        events.every(event => event.revision <= revision),
        'an event newer than its batch',
      );
      if (done(events, result.value)) return events;
    }
  };
  return {
    next: () => iterator.next(),
    until: revision => {
      store.requestProgress();
      return read((_events, batch) => batch.revision >= revision);
    },
    take: count => read(events => events.length >= count),
    async [Symbol.asyncDispose]() {
      abort.abort();
      await iterator.return?.();
    },
  };
}
