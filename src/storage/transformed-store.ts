/**
 * A store whose values are kept in another form: encryption at rest. Keys, revisions and order are those of the store
 * underneath; nobody above sees the stored form. Upstream: apiserver pkg/storage/value/transformer.go.
 */
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
} from './contract.ts';
import type { Opened } from './value/transformer.ts';

/**
 * Both directions of one form. The key must be bound to the value (as additional data), so that a stored value cannot be
 * moved to another key. A promise is for transformers that must ask someone (a KMS) now and then; most answer at once.
 */
export interface ValueTransformer {
  seal(key: string, value: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Throws when `stored` is not what `seal` made for this key. */
  open(key: string, stored: Uint8Array): Opened | Promise<Opened>;
}

/**
 * Closing it closes `store`. What cannot be opened fails a read with `unreadable` and upstream's text; a refused
 * transaction and a watch tell of it by the value's `problem`, since they have more to tell.
 */
export function transformedStore(store: Store, transformer: ValueTransformer): Store {
  return new Transformed(store, transformer);
}

class Transformed implements Store {
  readonly #store: Store;
  readonly #transformer: ValueTransformer;
  /** Settles when the last transaction that had to wait was passed on; later ones wait for it, call order counts. */
  #sealing: Promise<void> | undefined;

  constructor(store: Store, transformer: ValueTransformer) {
    this.#store = store;
    this.#transformer = transformer;
  }

  get readOnlyReason(): string | null {
    return this.#store.readOnlyReason;
  }

  get takesAnySize(): boolean {
    return this.#store.takesAnySize ?? false;
  }

  async txn(preconditions: readonly Precondition[], ops: readonly StorageOp[]): Promise<TxnResult> {
    const sealed = ops.map(op => this.#sealed(op));
    if (!this.#sealing && !sealed.some(isPromise))
      return this.#opened(await this.#store.txn(preconditions, sealed as StorageOp[]));
    const earlier = this.#sealing;
    // The answer is wrapped, so that waiting for the call is not waiting for the answer.
    const called = Promise.all([...sealed, earlier]).then(settled => ({
      answer: this.#store.txn(preconditions, settled.slice(0, ops.length) as StorageOp[]),
    }));
    const turn = called.then(
      () => {},
      () => {},
    );
    this.#sealing = turn;
    try {
      const { answer } = await called;
      return this.#opened(await answer);
    } finally {
      if (this.#sealing === turn) this.#sealing = undefined;
    }
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    const result = await this.#store.range(options);
    if (options.keysOnly || result.kvs.length === 0) return result;
    const kvs: KeyValue[] = [];
    for (const kv of result.kvs) {
      const opened = this.#open(kv);
      const made = isPromise(opened) ? await opened : opened;
      if (made.problem) {
        const { key, problem } = made;
        throw untransformed(`unable to transform key ${JSON.stringify(key)}: ${problem.message}`, problem.cause);
      }
      kvs.push(made);
    }
    return { ...result, kvs };
  }

  async get(key: string): Promise<{ kv: KeyValue | null; revision: number }> {
    const { kv, revision } = await this.#store.get(key);
    const opened = kv && (await this.#open(kv));
    if (opened?.problem) throw opened.problem;
    return { kv: opened, revision };
  }

  watch(options: WatchOptions): AsyncIterable<WatchBatch> {
    return this.#batches(this.#store.watch(options));
  }

  requestProgress(): void {
    this.#store.requestProgress();
  }

  currentRevision(): Promise<number> {
    return this.#store.currentRevision();
  }

  compact(revision: number): Promise<void> {
    return this.#store.compact(revision);
  }

  compactedRevision(): Promise<number> {
    return this.#store.compactedRevision();
  }

  /** Holds the stored form. */
  snapshot(path: string): Promise<{ revision: number }> {
    return this.#store.snapshot(path);
  }

  verify(): Promise<readonly string[]> {
    return this.#store.verify();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #sealed(op: StorageOp): StorageOp | Promise<StorageOp> {
    if (op.type === 'delete') return op;
    const failed = (cause: unknown): never => {
      throw untransformed(cause instanceof Error ? cause.message : String(cause), cause);
    };
    let value: Uint8Array | Promise<Uint8Array>;
    try {
      value = this.#transformer.seal(op.key, op.value);
    } catch (cause) {
      return failed(cause);
    }
    return isPromise(value) ? value.then(made => ({ ...op, value: made }), failed) : { ...op, value };
  }

  async #opened(result: TxnResult): Promise<TxnResult> {
    if (result.ok) return result;
    const current = await Promise.all(result.current.map(kv => kv && this.#open(kv)));
    return { ...result, current };
  }

  #open(kv: KeyValue): KeyValue | Promise<KeyValue> {
    const passed = ({ value, stale }: Opened): KeyValue =>
      value === kv.value && !stale ? kv : { ...kv, value, ...(stale && { stale }) };
    const failed = (cause: unknown): KeyValue => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return { ...kv, value: nothing, problem: untransformed(reason, cause) };
    };
    try {
      const opened = this.#transformer.open(kv.key, kv.value);
      return isPromise(opened) ? opened.then(passed, failed) : passed(opened);
    } catch (cause) {
      return failed(cause);
    }
  }

  async *#batches(source: AsyncIterable<WatchBatch>): AsyncGenerator<WatchBatch, void> {
    for await (const batch of source) {
      // Side by side: those that have to ask wait once, not one after the other.
      const opening = batch.events.map(event => this.#openEvent(event));
      const events = opening.some(isPromise) ? await Promise.all(opening) : (opening as StorageEvent[]);
      yield { revision: batch.revision, events };
    }
  }

  #openEvent(event: StorageEvent): StorageEvent | Promise<StorageEvent> {
    const kv = event.kv && this.#open(event.kv);
    const prev = event.prev && this.#open(event.prev);
    if (kv === event.kv && prev === event.prev) return event;
    if (!isPromise(kv) && !isPromise(prev)) return { ...event, kv, prev };
    return Promise.all([kv, prev]).then(([kv, prev]) => ({ ...event, kv, prev }));
  }
}

const nothing = new Uint8Array(0);

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return value instanceof Promise;
}

function untransformed(message: string, cause: unknown): StorageError {
  return new StorageError('transform', message, { cause });
}
