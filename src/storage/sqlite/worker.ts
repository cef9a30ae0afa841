/**
 * The thread that owns the store's file. Everything that waits when it looks becomes one transaction; between two of
 * them it takes one step of whatever long work there is (ranges, history, compaction), so neither holds the other up.
 * Entry of a worker; from the bundle it stands beside it as `storage-worker.js` (see worker-entry.ts).
 */
import type { DatabaseSync } from 'node:sqlite';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { StorageError } from '../contract.ts';
import { Committer, type Incoming } from './committer.ts';
import { markCompacted, sweep } from './compaction.ts';
import { limitPages, lockStore, openDatabase, openReader, resultCode, sqliteFull } from './database.ts';
import { Head } from './head.ts';
import { runJob } from './jobs.ts';
import {
  type Failure,
  type FromWorker,
  type JobSettings,
  type Ready,
  type RowMessage,
  revisionOf,
  type ToWorker,
  type WorkerSettings,
} from './protocol.ts';
import { RowReader, readChanges, readRange } from './reads.ts';

/** The log is copied back into the file after about so many bytes; the file is cut back at four times as much. */
const checkpointBytes = 16 << 20;

/** A long piece of work; `next` takes one step, and posts what it found. */
type Task = Iterator<void, void>;

class StoreWorker {
  readonly #port: MessagePort;
  readonly #lock: DatabaseSync;
  readonly #db: DatabaseSync;
  readonly #reader: DatabaseSync;
  readonly #head: Head;
  readonly #rows: RowReader;
  readonly #committer: Committer;
  readonly #tasks: Task[] = [];
  #sweeping = false;
  #scheduled = false;
  #closed = false;

  constructor(port: MessagePort, settings: WorkerSettings) {
    this.#port = port;
    this.#lock = lockStore(settings.path);
    this.#db = openDatabase(settings.path, settings.maxPages);
    this.#reader = openReader(settings.path);
    const { head, expiring } = Head.load(this.#reader);
    this.#head = head;
    this.#rows = new RowReader(this.#reader);
    this.#committer = new Committer(this.#db, head);
    this.#post(ready(head, expiring));
    this.#sweep();
    port.on('message', (message: ToWorker) => this.#serve(message));
  }

  /** Takes `first` and all that arrived after it, then one step of long work. */
  #serve(first?: ToWorker): void {
    let batch: Incoming[] = [];
    const flush = () => {
      if (batch.length > 0) this.#commit(batch);
      batch = [];
    };
    for (let message = first ?? this.#receive(); message && !this.#closed; message = this.#receive()) {
      if (message.type === 'txns') batch.push(message);
      else {
        flush();
        this.#begin(message);
      }
    }
    flush();
    if (this.#closed) return;
    this.#step();
    if (this.#committer.walBytes > checkpointBytes) this.#checkpoint();
    if (this.#tasks.length > 0 && !this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#serve();
      });
    }
  }

  #receive(): ToWorker | undefined {
    return receiveMessageOnPort(this.#port)?.message as ToWorker | undefined;
  }

  #commit(batch: readonly Incoming[]): void {
    const messages = batch.length;
    try {
      const outcomes = this.#committer.run(batch);
      this.#post({ type: 'committed', messages, revision: this.#head.durable, outcomes, failure: undefined });
    } catch (error) {
      const failure = failureOf(error);
      this.#post({ type: 'committed', messages, revision: this.#head.durable, outcomes: [], failure });
      if (failure.code !== 'noSpace') throw error;
      this.#checkpoint(); // an emptied log can be written again where a full one cannot grow
    }
  }

  #begin(message: Exclude<ToWorker, { type: 'txns' }>): void {
    const { id } = message;
    switch (message.type) {
      case 'range':
        this.#tasks.push(this.#guarded(id, this.#range(id, message.range)));
        return;
      case 'changes':
        this.#tasks.push(this.#guarded(id, this.#changes(id, message.changes)));
        return;
      case 'compact':
        this.#atOnce(id, () => this.#compact(message.revision));
        return;
      case 'limitPages':
        this.#atOnce(id, () => limitPages(this.#db, message.maxPages));
        return;
      case 'close':
        this.#close(id);
    }
  }

  #step(): void {
    const task = this.#tasks.shift();
    if (task && !task.next().done) this.#tasks.push(task);
  }

  *#range(id: number, range: Parameters<typeof readRange>[2]): Generator<void, void> {
    const steps = readRange(this.#rows, this.#head, range);
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done) return this.#done(id, step.value);
      this.#postRows({ type: 'rows', id, rows: step.value }, step.value);
      yield;
    }
  }

  *#changes(id: number, options: Parameters<typeof readChanges>[2]): Generator<void, void> {
    for (const changes of readChanges(this.#rows, this.#head, options)) {
      this.#post({ type: 'changes', id, changes });
      yield;
    }
    this.#done(id);
  }

  #compact(revision: number): void {
    if (markCompacted(this.#db, this.#head, revision)) this.#sweep();
  }

  /** Begins removing what is compacted, unless that is under way. */
  #sweep(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    const steps = sweep(this.#db);
    const task = function* (this: StoreWorker): Generator<void, void> {
      try {
        while (!steps.next().done) {
          this.#committer.walBytes += 1 << 20;
          yield;
        }
      } catch (error) {
        if (resultCode(error) !== sqliteFull) throw error;
      } finally {
        this.#sweeping = false;
      }
    };
    this.#tasks.push(task.call(this));
    if (!this.#scheduled) setImmediate(() => this.#serve());
  }

  /** A task whose failure is answered, and is no failure of the worker. */
  *#guarded(id: number, steps: Generator<void, void>): Generator<void, void> {
    try {
      yield* steps;
    } catch (error) {
      this.#post({ type: 'error', id, ...failureOf(error) });
    }
  }

  /** Work of one step, whose failure is answered too. */
  #atOnce(id: number, work: () => void): void {
    try {
      work();
      this.#done(id);
    } catch (error) {
      this.#post({ type: 'error', id, ...failureOf(error) });
    }
  }

  /** On a full disk the log stays and grows; commits will tell when there is no space even for that. */
  #checkpoint(): void {
    try {
      this.#db.prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
      this.#committer.walBytes = 0;
    } catch (error) {
      if (resultCode(error) !== sqliteFull) throw error;
      this.#committer.walBytes = checkpointBytes / 2;
    }
  }

  #close(id: number): void {
    this.#closed = true;
    this.#reader.close();
    this.#db.close();
    this.#lock.close();
    this.#done(id);
    this.#port.close();
  }

  #done(
    id: number,
    result: { revision: number; count: number; more: boolean } = { revision: 0, count: 0, more: false },
  ) {
    this.#post({ type: 'done', id, problems: [], ...result });
  }

  #post(message: FromWorker): void {
    this.#port.postMessage(message);
  }

  /** Values in buffers of their own are handed over rather than copied. */
  #postRows(message: FromWorker, rows: readonly RowMessage[]): void {
    this.#port.postMessage(message, [...new Set(rows.map(row => row.value.buffer as ArrayBuffer))].filter(owned));
  }
}

function ready(head: Head, expiring: ReturnType<typeof Head.load>['expiring']): Ready {
  const live = [...expiring].filter(([key, { id }]) => head.get(key)?.id === id);
  return {
    type: 'ready',
    revision: head.durable,
    compacted: head.compacted,
    expiring: live.map(([key, { id, expiresMs }]) => ({ key, revision: revisionOf(id), expiresMs })),
  };
}

function owned(buffer: ArrayBuffer): boolean {
  return buffer.byteLength > 0;
}

/** An error as plain data: ours by its code, SQLite's by what it means. */
function failureOf(error: unknown): Failure {
  if (error instanceof StorageError) return { code: error.code, message: error.message };
  const { message } = error as Error;
  const code = resultCode(error);
  if (code === sqliteFull) return { code: 'noSpace', message: 'the disk is full' };
  if (code === 11 || code === 26) return { code: 'damaged', message };
  return { code: 'unavailable', message };
}

const port = parentPort!;
if ((workerData as { job?: string }).job) runJob(port, workerData as JobSettings);
else {
  try {
    new StoreWorker(port, workerData as WorkerSettings);
  } catch (error) {
    port.postMessage({ type: 'failed', ...failureOf(error) } satisfies FromWorker);
  }
}
