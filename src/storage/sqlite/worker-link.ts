/**
 * The main thread's side of the worker: sends, matches answers to questions, and knows when the worker is gone.
 * Transactions are numbered by their order alone, since the worker answers them in order.
 */
import { Worker } from 'node:worker_threads';
import { StorageError } from '../contract.ts';
import type {
  ChangeMessage,
  Failure,
  FromWorker,
  JobSettings,
  Ready,
  RowMessage,
  ToWorker,
  WorkerSettings,
} from './protocol.ts';
import { workerEntry } from './worker-entry.ts';

type Done = Extract<FromWorker, { type: 'done' }>;
type Committed = Extract<FromWorker, { type: 'committed' }>;
type Question = Exclude<ToWorker, { type: 'txns' | 'close' }>;
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

interface Asked {
  readonly rows: RowMessage[];
  readonly onChanges: ((changes: readonly ChangeMessage[]) => void) | undefined;
  resolve(done: Done): void;
  reject(error: Error): void;
}

export interface LinkEvents {
  committed(message: Committed): void;
  /** The worker ended unasked. Called once. */
  died(error: Error): void;
}

export function errorOf({ code, message }: Failure): StorageError {
  return new StorageError(code, message);
}

/** See the file header. */
export class WorkerLink {
  readonly #worker: Worker;
  readonly #asked = new Map<number, Asked>();
  readonly #events: LinkEvents;
  #nextId = 1;
  #state: 'opening' | 'open' | 'closing' | 'gone' = 'opening';

  private constructor(worker: Worker, events: LinkEvents) {
    this.#worker = worker;
    this.#events = events;
  }

  /** Starts the worker and waits until it has the store; rejects with its StorageError. */
  static async open(settings: WorkerSettings, events: LinkEvents): Promise<{ link: WorkerLink; ready: Ready }> {
    const worker = new Worker(workerEntry(), { workerData: settings, name: 'storage' });
    const link = new WorkerLink(worker, events);
    const { promise, resolve, reject } = Promise.withResolvers<Ready>();
    let fault: Error | undefined;
    worker.on('error', error => (fault = error as Error));
    worker.on('exit', code => {
      const error = fault ?? new Error(`the storage worker ended with code ${code}`);
      reject(new StorageError('unavailable', 'the storage worker did not start', { cause: error }));
      link.#gone(error);
    });
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'ready') resolve(message);
      else if (message.type === 'failed') reject(errorOf(message));
      else link.#receive(message);
    });
    try {
      const ready = await promise;
      link.#state = 'open';
      worker.unref();
      return { link, ready };
    } catch (error) {
      link.#state = 'gone';
      await worker.terminate();
      throw error;
    }
  }

  /** Sends transactions; the answer comes as `committed`, in order. `bytes` must be a buffer of its own. */
  sendTxns(message: Extract<ToWorker, { type: 'txns' }>): void {
    this.#worker.ref();
    this.#worker.postMessage(message, [message.bytes.buffer as ArrayBuffer]);
  }

  /** Asks; `onChanges` is told pieces of history as they come, rows are collected. */
  async ask(
    question: WithoutId<Question>,
    onChanges?: (changes: readonly ChangeMessage[]) => void,
  ): Promise<{ done: Done; rows: readonly RowMessage[] }> {
    if (this.#state !== 'open') throw new StorageError('closed', 'the store is closed');
    return this.#send(question, onChanges);
  }

  /** Ends the worker after all that was sent; what waits for an answer gets it. */
  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    await this.#send({ type: 'close' }, undefined);
  }

  /** Whether the process must stay alive for an answer. */
  idle(): void {
    if (this.#asked.size === 0) this.#worker.unref();
  }

  async #send(
    message: WithoutId<ToWorker>,
    onChanges: Asked['onChanges'],
  ): Promise<{ done: Done; rows: readonly RowMessage[] }> {
    const { promise, resolve, reject } = Promise.withResolvers<Done>();
    const id = this.#nextId++;
    const asked: Asked = { rows: [], onChanges, resolve, reject };
    this.#asked.set(id, asked);
    this.#worker.ref();
    this.#worker.postMessage({ ...message, id });
    return { done: await promise, rows: asked.rows };
  }

  #receive(message: Exclude<FromWorker, { type: 'ready' | 'failed' }>): void {
    if (message.type === 'committed') {
      this.#events.committed(message);
      return;
    }
    const asked = this.#asked.get(message.id)!;
    if (message.type === 'rows') for (const row of message.rows) asked.rows.push(row);
    else if (message.type === 'changes') asked.onChanges?.(message.changes);
    else {
      this.#asked.delete(message.id);
      if (message.type === 'done') asked.resolve(message);
      else asked.reject(errorOf(message));
    }
  }

  #gone(error: Error): void {
    const wasOpen = this.#state === 'open';
    this.#state = 'gone';
    const waiting = [...this.#asked.values()];
    this.#asked.clear();
    for (const { reject } of waiting) reject(new StorageError('closed', 'the storage worker ended', { cause: error }));
    if (wasOpen) this.#events.died(error);
  }
}

/** Runs one job in a worker of its own. */
export function runInWorker(settings: JobSettings): Promise<Done> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(workerEntry(), { workerData: settings, name: `storage-${settings.job}` });
    worker.on('error', reject);
    worker.on('exit', code => reject(new Error(`the ${settings.job} worker ended with code ${code}`)));
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'done') resolve(message);
      else if (message.type === 'error') reject(errorOf(message));
    });
  });
}
