/**
 * The storage contract: an ordered map of keys to bytes with one revision counter, multi-key transactions, history
 * and watches. Modelled on etcd v3 (api/etcdserverpb/rpc.proto); engines: `sqlite`, `memory`, `etcd`. Every engine
 * passes the shared suite in `suite/`.
 *
 * Words. A *revision* is a positive integer for the whole store; every successful transaction that changes something
 * takes the next one, and all its changes carry it. A revision is never reused, not even after a crash. A key's
 * *modRevision* is the revision of its newest change, its *createRevision* that of the put that made it exist.
 *
 * A real use: creating a Service puts the object and its ClusterIP allocation in one transaction
 * `txn([{key: svc, modRevision: 0}, {key: ip, modRevision: 0}], [put svc, put ip])`. Either both exist at revision r
 * and a watcher of either prefix sees its put at r, or neither does and the answer says what stood in the way.
 *
 * Durability: every answer, refusals included, is given only when the revisions it rests on are durable, and no read
 * and no watch shows a write before that.
 */

export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  /** It stands in another form than it would be written in now (see `value/`): to be written even if nothing changed. */
  readonly stale?: boolean;
  /** Its stored form could not be read, and `value` is empty; only where an answer has more to tell than this value. */
  readonly problem?: StorageError;
}

/** Holds when the key's modRevision is this; 0 means that the key does not exist. */
export interface Precondition {
  readonly key: string;
  readonly modRevision: number;
}

export type StorageOp =
  | {
      readonly type: 'put';
      readonly key: string;
      readonly value: Uint8Array;
      /** The key is deleted this many seconds after its newest put (Events; API server leases). */
      readonly ttlSeconds?: number;
    }
  | { readonly type: 'delete'; readonly key: string };

export type TxnResult =
  | { readonly ok: true /** Revision of the changes. */; readonly revision: number }
  | {
      readonly ok: false;
      /** What stands at each precondition's key, in order; null where nothing does. */
      readonly current: readonly (KeyValue | null)[];
      readonly revision: number;
    };

export interface RangeOptions {
  /** First key; with `end` undefined, the only one. */
  readonly start: string;
  /** First key after the range (see {@link prefixEnd}). */
  readonly end?: string;
  /** History: the state as of this revision. Compacted or future revisions throw. Absent: now. */
  readonly revision?: number;
  /** At most so many; 0 or absent means all. */
  readonly limit?: number;
  /** Leaves `value` empty. */
  readonly keysOnly?: boolean;
  /** Answers `kvs: []` and the count. */
  readonly countOnly?: boolean;
  /** False: `count` may be just that of `kvs`, which saves an engine from walking the rest. Absent: exact. */
  readonly count?: boolean;
}

export interface RangeResult {
  /** By key, ascending in UTF-8 byte order. */
  readonly kvs: readonly KeyValue[];
  /** There are more in the range than `limit` let through. */
  readonly more: boolean;
  /** How many keys the range has, whatever the limit. */
  readonly count: number;
  /** The store's revision that this answer shows. */
  readonly revision: number;
}

export interface StorageEvent {
  readonly type: 'put' | 'delete';
  readonly key: string;
  /** Revision of this change. */
  readonly revision: number;
  /** The state after a put; null for a delete. */
  readonly kv: KeyValue | null;
  /** The state before, when there was one and it is not compacted. */
  readonly prev: KeyValue | null;
}

/** Events of whole revisions, ascending; `events` is empty for a progress mark. */
export interface WatchBatch {
  /** Everything up to and including this revision in the watched range has been delivered. */
  readonly revision: number;
  readonly events: readonly StorageEvent[];
}

export interface WatchOptions {
  readonly start: string;
  readonly end?: string;
  /** Deliver changes with a greater revision than this; absent: from now on. */
  readonly afterRevision?: number;
  /** False: the consumer keeps state itself and `prev` may be null. Absent: `prev` is given. */
  readonly prev?: boolean;
  readonly signal?: AbortSignal;
}

/** Closed set of failures; one class, so that it survives a worker's message channel by its `code`. */
export type StorageErrorCode =
  | 'compacted' // the revision asked for is older than history
  | 'futureRevision' // newer than the store
  | 'tooLarge' // more than a transaction may have
  | 'noSpace' // disk full: writes refused, reads go on
  | 'readOnly' // refused since an earlier noSpace
  | 'damaged' // the file is not, or no longer, a sound store
  | 'transform' // a value could not be brought to its stored form, or back from it
  | 'newer' // written by a newer program
  | 'locked' // another process has it
  | 'closed'
  | 'unavailable'; // a remote store does not answer

export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export interface Store {
  /**
   * Applies all `ops` if all `preconditions` hold. Transactions are decided in call order (by a
   * remote store only those that share a key). One key may stand in at
   * most one op. Deleting what does not exist changes nothing; a transaction that changes nothing takes no revision.
   * The caller must not change the bytes afterwards. Throws {@link StorageError} `noSpace`, `readOnly`, `closed`.
   */
  txn(preconditions: readonly Precondition[], ops: readonly StorageOp[]): Promise<TxnResult>;
  range(options: RangeOptions): Promise<RangeResult>;
  /** `range` of one key, now. */
  get(key: string): Promise<{ readonly kv: KeyValue | null; readonly revision: number }>;
  /**
   * Changes as they become durable. Throws `compacted` from the first `next()` when `afterRevision` is below the
   * compacted revision. Ends when the signal aborts or the store closes; an aborted signal is no error. What is queued
   * comes as one batch, so a slow consumer costs memory but not order; it must keep reading.
   */
  watch(options: WatchOptions): AsyncIterable<WatchBatch>;
  /**
   * Asks that every open watch be given a batch (empty if need be) at or past the revision that is current now.
   * Embedded engines tell their watches of every revision anyway; a remote store has to be asked.
   */
  requestProgress(): void;
  /** True: no bound is set on what a transaction may have, so whoever wants one has to see to it. */
  readonly takesAnySize?: boolean;
  /** Newest durable revision. */
  currentRevision(): Promise<number>;
  /**
   * Forgets what was superseded at or before `revision`. The state at `revision` can still be read and watched from;
   * reads and watches below it throw `compacted`. Compacting below the compacted revision does nothing; above the
   * current one throws `futureRevision`.
   */
  compact(revision: number): Promise<void>;
  /** Oldest revision that can still be read; 0 when nothing was ever compacted. */
  compactedRevision(): Promise<number>;
  /** A consistent copy of the store at one revision, as an engine-specific file. */
  snapshot(path: string): Promise<{ readonly revision: number }>;
  /** Checks the store's own soundness; problems as sentences, empty when sound. */
  verify(): Promise<readonly string[]>;
  /** Why writes are refused at present, as a sentence; null when they are not. */
  readonly readOnlyReason: string | null;
  /** Watches end, waiting calls throw `closed`; idempotent. What was acknowledged is on disk. */
  close(): Promise<void>;
}

/** The first key after all keys that begin with `prefix`. Keys are ASCII paths, so the last character is incremented. */
export function prefixEnd(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  return prefix.slice(0, -1) + String.fromCharCode(last + 1);
}
