/**
 * One watch on etcd: a stream that is opened again, at another member if need be, from where it was delivered, so a
 * member that goes costs a pause and no gap. Marks of progress are asked for until one is as new as wanted: a follower
 * may lag, and a server that is catching up does not answer.
 *
 * Deviation: servers older than 3.4.25 and 3.5.8 may answer ahead of events that they have not sent yet (etcd issue
 * 15220). They are not asked; the engine looks instead whether anything in the range differs between what was delivered
 * and the wanted revision. Upstream does without such servers' progress altogether.
 */
import type * as grpc from '@grpc/grpc-js';
import { type Clock, isAbort, type Timer } from '#base';
import { StorageError, type StorageEvent, type WatchBatch, type WatchOptions } from '../contract.ts';
import type { Message } from '../wire.ts';
import type { EtcdClient } from './etcd-client.ts';
import { type EtcdKeyValue, methods, type WatchResponse } from './messages.ts';

const askAgainMs = 100;
/** Events that exist have mostly come by then. */
const lookAfterMs = 250;
const reopenMs = 100;

export interface EtcdWatchDeps {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** Present when the server's marks of progress cannot be trusted: whether the range is the same at both revisions. */
  readonly isQuiet: ((options: WatchOptions, from: number, to: number) => Promise<boolean>) | undefined;
}

/** What the stream brought: an answer, that it broke, or a revision of progress found out otherwise. */
type Arrival = WatchResponse | 'broken' | number;

/** See the file header. Opened at the first `next()`; what it delivers is fixed when it is made. */
export class EtcdWatch {
  readonly #deps: EtcdWatchDeps;
  readonly #options: WatchOptions;
  readonly #signal: AbortSignal;
  readonly #arrivals: Arrival[] = [];
  #delivered: number;
  #wanted = 0;
  #looking = false;
  #wake: (() => void) | undefined;
  #stream: grpc.ClientDuplexStream<Message, Message> | undefined;
  #askTimer: Timer | undefined;

  constructor(deps: EtcdWatchDeps, options: WatchOptions, after: number, closed: AbortSignal) {
    this.#deps = deps;
    this.#options = options;
    this.#delivered = after;
    this.#signal = options.signal ? AbortSignal.any([options.signal, closed]) : closed;
  }

  /** Asks until a mark at or past `revision` has come. */
  want(revision: number): void {
    this.#wanted = Math.max(this.#wanted, revision);
    this.#ask();
  }

  async *batches(): AsyncGenerator<WatchBatch, void> {
    const onAbort = () => {
      this.#drop();
      this.#wake?.();
    };
    this.#signal.addEventListener('abort', onAbort);
    try {
      this.#open();
      while (!this.#signal.aborted) {
        const arrival = this.#arrivals.shift();
        if (arrival === undefined) await new Promise<void>(resolve => (this.#wake = resolve));
        else if (arrival === 'broken') await this.#reopen();
        else {
          const batch = typeof arrival === 'number' ? this.#mark(arrival) : this.#batchOf(arrival);
          if (batch) yield batch;
        }
      }
    } finally {
      this.#signal.removeEventListener('abort', onAbort);
      this.#drop();
    }
  }

  #batchOf(response: WatchResponse): WatchBatch | undefined {
    if (response.canceled) {
      if (response.compactRevision > 0)
        throw new StorageError(
          'compacted',
          `revision ${this.#delivered} is compacted; oldest is ${response.compactRevision}`,
        );
      throw new StorageError('unavailable', `etcd ended the watch: ${response.cancelReason}`);
    }
    if (response.created) {
      this.#ask();
      return undefined;
    }
    const { revision } = response.header;
    if (response.events.length === 0) return this.#mark(revision);
    const events = response.events.filter(({ kv }) => kv.modRevision > this.#delivered).map(eventOf);
    if (events.length === 0) return undefined;
    this.#delivered = events.at(-1)!.revision;
    return { revision: this.#delivered, events };
  }

  #mark(revision: number): WatchBatch | undefined {
    if (revision < this.#delivered) return undefined;
    this.#delivered = revision;
    return { revision, events: [] };
  }

  #open(): void {
    const { start, end, prev = true } = this.#options;
    const stream = this.#deps.client.duplex(methods.watch);
    const member = this.#deps.client.member;
    this.#stream = stream;
    stream.on('data', (message: Message) => this.#arrive(message as unknown as WatchResponse));
    stream.on('error', () => {
      if (this.#stream !== stream) return;
      this.#deps.client.passOver(member);
      this.#arrive('broken');
    });
    stream.on('end', () => this.#stream === stream && this.#arrive('broken'));
    const create = { key: start, rangeEnd: end ?? '', startRevision: this.#delivered + 1, prevKv: prev };
    stream.write({ create });
  }

  async #reopen(): Promise<void> {
    this.#drop();
    this.#arrivals.length = 0;
    try {
      await this.#deps.clock.sleep(reopenMs, this.#signal);
      this.#open();
    } catch (error) {
      if (!isAbort(error, this.#signal)) throw error;
    }
  }

  #drop(): void {
    this.#askTimer?.cancel();
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.cancel();
  }

  #arrive(arrival: Arrival): void {
    this.#arrivals.push(arrival);
    this.#wake?.();
  }

  #ask(): void {
    this.#askTimer?.cancel();
    if (this.#wanted <= this.#delivered || !this.#stream || this.#signal.aborted) return;
    const { isQuiet, clock } = this.#deps;
    if (isQuiet) this.#askTimer = clock.setTimer(() => void this.#look(isQuiet), lookAfterMs);
    else {
      this.#stream.write({ progress: {} });
      this.#askTimer = clock.setTimer(() => this.#ask(), askAgainMs);
    }
  }

  async #look(isQuiet: NonNullable<EtcdWatchDeps['isQuiet']>): Promise<void> {
    const wanted = this.#wanted;
    if (this.#looking || wanted <= this.#delivered) return;
    this.#looking = true;
    try {
      if (await isQuiet(this.#options, this.#delivered, wanted)) this.#arrive(wanted);
    } catch {
      // Asked again; if the store is gone, so is this watch.
    } finally {
      this.#looking = false;
      this.#ask();
    }
  }
}

function eventOf({ type, kv, prevKv }: WatchResponse['events'][number]): StorageEvent {
  const put = type === 0;
  return {
    type: put ? 'put' : 'delete',
    key: kv.key,
    revision: kv.modRevision,
    kv: put ? plain(kv) : null,
    prev: prevKv ? plain(prevKv) : null,
  };
}

/** The contract's shape; the two agree. */
export function plain({ key, value, createRevision, modRevision }: EtcdKeyValue): EtcdKeyValue {
  return { key, value, createRevision, modRevision };
}
