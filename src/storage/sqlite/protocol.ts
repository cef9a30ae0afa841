/**
 * What the main thread and the store's worker say to each other. Plain data only: errors lose their class on the way,
 * so they travel as code and message. Bytes of a message share one buffer, which is transferred, not copied.
 *
 * A row's id is `revision * 1024 + position in its transaction`, so that order by id is order of change.
 */
import type { StorageErrorCode } from '../contract.ts';

export const idsPerRevision = 1024;
export const revisionOf = (id: number): number => Math.floor(id / idsPerRevision);
/** The greatest id that `revision` can have. */
export const lastIdOf = (revision: number): number => revision * idsPerRevision + idsPerRevision - 1;

/** What the worker is started with. */
export interface WorkerSettings {
  readonly path: string;
  /** Stop growing at so many pages; undefined: the disk decides. */
  readonly maxPages: number | undefined;
}

/** A job of its own worker, beside the one that serves. */
export interface JobSettings {
  readonly job: 'snapshot' | 'verify';
  readonly path: string;
  /** Where a snapshot goes. */
  readonly to: string;
}

export interface OpMessage {
  readonly key: string;
  /** Where its value begins in the message's buffer; -1: a deletion. */
  readonly at: number;
  readonly length: number;
  /** Wall milliseconds; 0: never. */
  readonly expiresMs: number;
}

export interface TxnMessage {
  readonly preconditions: ReadonlyArray<{ readonly key: string; readonly modRevision: number }>;
  readonly ops: readonly OpMessage[];
}

export interface RangeMessage {
  readonly start: string;
  readonly end: string | undefined;
  /** Undefined: now. */
  readonly revision: number | undefined;
  readonly limit: number;
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
  readonly count: boolean;
}

export interface ChangesMessage {
  readonly start: string;
  readonly end: string | undefined;
  readonly after: number;
  readonly upTo: number;
}

export type ToWorker =
  | { readonly type: 'txns'; readonly txns: readonly TxnMessage[]; readonly bytes: Uint8Array; readonly prev: boolean }
  | { readonly type: 'range'; readonly id: number; readonly range: RangeMessage }
  | { readonly type: 'changes'; readonly id: number; readonly changes: ChangesMessage }
  | { readonly type: 'compact'; readonly id: number; readonly revision: number }
  | { readonly type: 'limitPages'; readonly id: number; readonly maxPages: number | undefined }
  | { readonly type: 'close'; readonly id: number };

/** A key with its state; a null value is the absence of a previous state's bytes. */
export interface RowMessage {
  readonly key: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly value: Uint8Array;
}

export interface ChangeMessage {
  readonly key: string;
  readonly revision: number;
  readonly createRevision: number;
  /** Null: a deletion. */
  readonly value: Uint8Array | null;
  readonly prev: RowMessage | null;
}

/** One transaction's outcome, in the order of the message. */
export type Outcome =
  | { readonly ok: true; readonly revision: number; readonly changes: readonly AppliedChange[] }
  | { readonly ok: false; readonly revision: number; readonly current: ReadonlyArray<RowMessage | null> };

export interface AppliedChange {
  /** Which op of the transaction. */
  readonly op: number;
  readonly createRevision: number;
  /** The previous state's revision, 0 when there was none; its value only when asked for. */
  readonly prevRevision: number;
  readonly prevValue: Uint8Array | null;
}

export interface Failure {
  readonly code: StorageErrorCode;
  readonly message: string;
}

export interface Ready {
  readonly type: 'ready';
  readonly revision: number;
  readonly compacted: number;
  readonly expiring: ReadonlyArray<{ readonly key: string; readonly revision: number; readonly expiresMs: number }>;
}

export type FromWorker =
  | Ready
  /** The store could not be opened, or cannot go on; nothing follows. */
  | ({ readonly type: 'failed' } & Failure)
  /** Outcomes of the next `messages` messages of transactions, all or none of them durable. */
  | {
      readonly type: 'committed';
      readonly messages: number;
      readonly revision: number;
      readonly outcomes: readonly Outcome[];
      readonly failure: Failure | undefined;
    }
  | { readonly type: 'rows'; readonly id: number; readonly rows: readonly RowMessage[] }
  | { readonly type: 'changes'; readonly id: number; readonly changes: readonly ChangeMessage[] }
  | {
      readonly type: 'done';
      readonly id: number;
      readonly revision: number;
      readonly count: number;
      readonly more: boolean;
      readonly problems: readonly string[];
    }
  | ({ readonly type: 'error'; readonly id: number } & Failure);
