/**
 * The `sqlite` engine, the default on one machine: Node's SQLite on a worker thread, every answer durable. Transactions
 * called while the worker is busy travel together and are committed together; at most two messages of them are under
 * way, so that the worker never waits for this thread and batches grow with the load. See docs/layers/storage.md.
 */
import { type Clock, type FaultPlan, noFaults } from '#base';
import {
  type KeyValue,
  type Precondition,
  type RangeOptions,
  type RangeResult,
  StorageError,
  type StorageEvent,
  type StorageOp,
  type Store,
  type TxnResult,
  type WatchBatch,
  type WatchOptions,
} from '../contract.ts';
import { TtlQueue } from '../ttl-queue.ts';
import { WatchHub } from '../watch-hub.ts';
import {
  type ChangeMessage,
  type FromWorker,
  idsPerRevision,
  type OpMessage,
  type Outcome,
  type RowMessage,
} from './protocol.ts';
import { RecentValues } from './recent-values.ts';
import { errorOf, runInWorker, WorkerLink } from './worker-link.ts';

export interface SqliteStoreOptions {
  /** The store's file; beside it stand its log and its lock. */
  readonly path: string;
  readonly clock: Clock;
  readonly faults?: FaultPlan;
  /** The worker died: nothing can be promised any more, the process has to end. Absent: thrown as an uncaught error. */
  readonly onFatal?: (error: Error) => void;
  /** The file stops growing at so many pages of 8 KiB. Absent: the disk decides. */
  readonly maxPages?: number;
}

export interface SqliteStore extends Store {
  /** Changes {@link SqliteStoreOptions.maxPages}; undefined lifts it. */
  limitPages(maxPages: number | undefined): Promise<void>;
}

interface Waiting {
  readonly preconditions: readonly Precondition[];
  readonly ops: readonly StorageOp[];
  readonly expiresMs: readonly number[];
  resolve(result: TxnResult): void;
  reject(error: unknown): void;
}

const recentBytes = 4 << 20;
const maxMessagesUnderWay = 2;
const maxOps = idsPerRevision;
/** A store that is out of space tries one write so often, to see whether there is space again. */
const retryFullMs = 1000;

/**
 * Opens the store, making it when there is none. Rejects with StorageError `locked`, `damaged` or `newer`, having
 * changed nothing.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const store = new Sqlite(options);
  await store.open();
  return store;
}

class Sqlite implements SqliteStore {
  readonly takesAnySize = true;
  readonly #options: SqliteStoreOptions;
  readonly #faults: FaultPlan;
  readonly #ttl: TtlQueue;
  readonly #recent = new RecentValues(recentBytes);
  #link!: WorkerLink;
  #hub!: WatchHub;
  #compacted = 0;
  /** Called, not yet sent. */
  #waiting: Waiting[] = [];
  /** Sent messages, oldest first, with their transactions. */
  readonly #underWay: Waiting[][] = [];
  #flushing = false;
  #closing: Promise<void> | undefined;
  #drained: (() => void) | undefined;
  #full: { reason: string; retryAtMs: number } | undefined;

  constructor(options: SqliteStoreOptions) {
    this.#options = options;
    this.#faults = options.faults ?? noFaults;
    this.#ttl = new TtlQueue(options.clock, (key, revision) => {
      this.txn([{ key, modRevision: revision }], [{ type: 'delete', key }]).catch(() => {
        if (!this.#closing) this.#ttl.add(key, revision, options.clock.now() + retryFullMs);
      });
    });
  }

  async open(): Promise<void> {
    const { path, maxPages } = this.#options;
    const events = {
      committed: (message: Extract<FromWorker, { type: 'committed' }>) => this.#committed(message),
      died: (error: Error) => this.#died(error),
    };
    const { link, ready } = await WorkerLink.open({ path, maxPages }, events);
    this.#link = link;
    this.#compacted = ready.compacted;
    this.#hub = new WatchHub({ changes: (range, after, upTo) => this.#changes(range, after, upTo) }, ready.revision);
    for (const { key, revision, expiresMs } of ready.expiring) this.#ttl.add(key, revision, expiresMs);
  }

  get readOnlyReason(): string | null {
    return this.#full?.reason ?? null;
  }

  txn(preconditions: readonly Precondition[], ops: readonly StorageOp[]): Promise<TxnResult> {
    if (this.#closing) return Promise.reject(new StorageError('closed', 'the store is closed'));
    if (ops.length > maxOps) return Promise.reject(new RangeError(`${ops.length} ops in one transaction`));
    const refusal = this.#refusal();
    if (refusal) return Promise.reject(refusal);
    const now = this.#options.clock.now();
    const expiresMs = ops.map(op => (op.type === 'put' && op.ttlSeconds ? now + op.ttlSeconds * 1000 : 0));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ preconditions, ops, expiresMs, resolve, reject });
      this.#scheduleFlush();
    });
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    const { start, end, revision, limit = 0, keysOnly = false, countOnly = false, count = true } = options;
    const range = { start, end, revision, limit, keysOnly, countOnly, count };
    const { done, rows } = await this.#link.ask({ type: 'range', range });
    return { kvs: rows, more: done.more, count: done.count, revision: done.revision };
  }

  async get(key: string): Promise<{ kv: KeyValue | null; revision: number }> {
    const recent = this.#closing ? undefined : this.#recent.get(key);
    if (recent) return { kv: recent, revision: this.#hub.revision };
    const { kvs, revision } = await this.range({ start: key });
    return { kv: kvs[0] ?? null, revision };
  }

  watch(options: WatchOptions): AsyncIterable<WatchBatch> {
    if (this.#closing) throw new StorageError('closed', 'the store is closed');
    return this.#hub.watch(options);
  }

  requestProgress(): void {}

  async currentRevision(): Promise<number> {
    if (this.#closing) throw new StorageError('closed', 'the store is closed');
    return this.#hub.revision;
  }

  async compact(revision: number): Promise<void> {
    await this.#link.ask({ type: 'compact', revision });
    this.#compacted = Math.max(this.#compacted, revision);
  }

  async compactedRevision(): Promise<number> {
    return this.#compacted;
  }

  async snapshot(path: string): Promise<{ revision: number }> {
    const { revision } = await runInWorker({ job: 'snapshot', path: this.#options.path, to: path });
    return { revision };
  }

  async verify(): Promise<readonly string[]> {
    return (await runInWorker({ job: 'verify', path: this.#options.path, to: '' })).problems;
  }

  async limitPages(maxPages: number | undefined): Promise<void> {
    await this.#link.ask({ type: 'limitPages', maxPages });
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#ttl.close();
    if (this.#waiting.length > 0 || this.#underWay.length > 0 || this.#flushing)
      await new Promise<void>(resolve => (this.#drained = resolve));
    this.#hub.close();
    await this.#link.close();
  }

  #refusal(): StorageError | undefined {
    const full = this.#full;
    if (!full) return undefined;
    const now = this.#options.clock.monotonicMs();
    if (now < full.retryAtMs) return new StorageError('readOnly', `the store is read-only: ${full.reason}`);
    full.retryAtMs = now + retryFullMs;
    return undefined;
  }

  /** At once while the worker waits for work; else at the end of the turn, so that what comes in it is one message. */
  #scheduleFlush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    if (this.#underWay.length === 0) queueMicrotask(() => void this.#flush());
    else setImmediate(() => void this.#flush());
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0 && this.#underWay.length < maxMessagesUnderWay) {
      const txns = this.#waiting;
      this.#waiting = [];
      try {
        const delay = this.#faults.at('storage.beforeCommit', { txns });
        if (delay) await delay;
      } catch (error) {
        for (const { reject } of txns) reject(error);
        continue;
      }
      this.#underWay.push(txns);
      this.#send(txns);
    }
    this.#flushing = false;
    this.#noteDrained();
  }

  #send(txns: readonly Waiting[]): void {
    let size = 0;
    for (const { ops } of txns) for (const op of ops) if (op.type === 'put') size += op.value.length;
    const bytes = new Uint8Array(size);
    let at = 0;
    const place = (op: StorageOp, expiresMs: number): OpMessage => {
      if (op.type === 'delete') return { key: op.key, at: -1, length: 0, expiresMs: 0 };
      const placed = { key: op.key, at, length: op.value.length, expiresMs };
      bytes.set(op.value, at);
      at += op.value.length;
      return placed;
    };
    const messages = txns.map(({ preconditions, ops, expiresMs }) => ({
      preconditions,
      ops: ops.map((op, i) => place(op, expiresMs[i]!)),
    }));
    this.#link.sendTxns({ type: 'txns', txns: messages, bytes, prev: this.#hub.wantsPrev });
  }

  /** Publishes first, answers then: who is told of a write can read it. */
  #committed({ messages, revision, outcomes, failure }: Extract<FromWorker, { type: 'committed' }>): void {
    const txns = this.#underWay.splice(0, messages).flat();
    if (failure) this.#failed(txns, errorOf(failure));
    else {
      if (outcomes.some(each => each.ok && each.changes.length > 0)) this.#full = undefined;
      const events: StorageEvent[] = [];
      outcomes.forEach((outcome, at) => this.#eventsOf(txns[at]!, outcome, events));
      if (revision > this.#hub.revision) this.#hub.publish(revision, events);
      void this.#answer(txns, outcomes, revision);
    }
    if (this.#underWay.length === 0) this.#link.idle();
    if (this.#waiting.length > 0) this.#scheduleFlush();
    this.#noteDrained();
  }

  #failed(txns: readonly Waiting[], error: StorageError): void {
    if (error.code === 'noSpace')
      this.#full = { reason: error.message, retryAtMs: this.#options.clock.monotonicMs() + retryFullMs };
    for (const { reject } of txns) reject(error);
  }

  async #answer(txns: readonly Waiting[], outcomes: readonly Outcome[], revision: number): Promise<void> {
    try {
      const delay = this.#faults.at('storage.afterCommit', { revision });
      if (delay) await delay;
    } catch (error) {
      for (const { reject } of txns) reject(error);
      return;
    }
    outcomes.forEach((outcome, at) => {
      if (outcome.ok) txns[at]!.resolve({ ok: true, revision: outcome.revision });
      else txns[at]!.resolve({ ok: false, revision: outcome.revision, current: outcome.current });
    });
  }

  #eventsOf(txn: Waiting, outcome: Outcome, events: StorageEvent[]): void {
    if (!outcome.ok) return;
    const { revision } = outcome;
    for (const { op: at, createRevision, prevRevision, prevValue } of outcome.changes) {
      const op = txn.ops[at]!;
      const { key } = op;
      const prev = prevValue && { key, value: prevValue, createRevision, modRevision: prevRevision };
      if (op.type === 'put') {
        const kv = { key, value: op.value, createRevision, modRevision: revision };
        events.push({ type: 'put', key, revision, kv, prev });
        this.#recent.put(kv);
        if (txn.expiresMs[at]! > 0) this.#ttl.add(key, revision, txn.expiresMs[at]!);
      } else {
        events.push({ type: 'delete', key, revision, kv: null, prev });
        this.#recent.delete(key);
      }
    }
  }

  async *#changes(range: WatchOptions, after: number, upTo: number): AsyncGenerator<readonly StorageEvent[]> {
    const pieces: Array<readonly ChangeMessage[]> = [];
    let wake = (): void => {};
    let finished = false;
    const changes = { start: range.start, end: range.end, after, upTo };
    const asked = this.#link
      .ask({ type: 'changes', changes }, piece => {
        pieces.push(piece);
        wake();
      })
      .finally(() => {
        finished = true;
        wake();
      });
    asked.catch(() => {});
    for (;;) {
      const piece = pieces.shift();
      if (piece) yield piece.map(eventOf);
      else if (finished) break;
      else await new Promise<void>(resolve => (wake = resolve));
    }
    await asked;
  }

  #noteDrained(): void {
    if (this.#waiting.length === 0 && this.#underWay.length === 0 && !this.#flushing) this.#drained?.();
  }

  #died(cause: Error): void {
    const error = new StorageError('closed', 'the storage worker ended; the outcome is unknown', { cause });
    const lost = [...this.#underWay.splice(0).flat(), ...this.#waiting.splice(0)];
    this.#closing = Promise.resolve();
    this.#ttl.close();
    this.#hub.close();
    for (const { reject } of lost) reject(error);
    if (!this.#options.onFatal) throw error;
    this.#options.onFatal(error);
  }
}

function eventOf({ key, revision, createRevision, value, prev }: ChangeMessage): StorageEvent {
  const kv: RowMessage | null = value && { key, value, createRevision, modRevision: revision };
  return { type: value ? 'put' : 'delete', key, revision, kv, prev };
}
