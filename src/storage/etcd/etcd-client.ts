/**
 * Calls to an etcd cluster: one channel a member, the one that answered last tried first. A member that is gone or has
 * no leader is passed over until the time for the call is up. Messages have no size limit on this side.
 */
import type * as grpc from '@grpc/grpc-js';
import type { Clock, Timer } from '#base';
import { StorageError } from '../contract.ts';
import { decode, encode, type Message } from '../wire.ts';
import type { Method } from './messages.ts';

export interface EtcdTls {
  /** Absent: the system's authorities. */
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface EtcdOptions {
  /** `http://host:port` or `https://host:port`, one a member. */
  readonly endpoints: readonly string[];
  readonly clock: Clock;
  /** PEM, for https; read again now and then, and new connections are made when it has changed. */
  readonly tls?: () => EtcdTls;
  /** How long a call may take, with all its attempts. Default 15 s. */
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 15_000;
const attemptTimeoutMs = 5000;
/** As upstream's client: what members take of one message is not much more. */
const maxSentBytes = 2 * 1024 * 1024;
const pauseMs = 50;

/** What went wrong in one attempt. */
export interface Attempt {
  readonly code: number;
  readonly details: string;
}

const codes = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  outOfRange: 11,
  internal: 13,
  unavailable: 14,
};

/** How a call ends whose member dies, is cut off or is no leader any more: it need not say so by `unavailable`. */
const passing: ReadonlySet<number> = new Set([
  codes.unavailable,
  codes.deadlineExceeded,
  codes.cancelled,
  codes.unknown,
  codes.internal,
]);

/** Whether another attempt, perhaps at another member, may fare better. */
const isPassing = ({ code }: Attempt): boolean => passing.has(code);

const tlsPollMs = 60_000;
/** Calls that were begun on old connections have ended by then. */
const oldChannelsMs = 30_000;

/** Makes a channel to every member, by TLS where the URL says so. */
type Dial = (tls: EtcdTls) => grpc.Client[];

async function dialer({ endpoints }: EtcdOptions): Promise<Dial> {
  // CommonJS: inside a bundle its names are on the default export alone.
  const { Client, credentials } = (await import('@grpc/grpc-js')).default;
  return ({ ca = null, key = null, cert = null }) =>
    endpoints.map(endpoint => {
      const url = new URL(endpoint);
      const trust = url.protocol === 'https:' ? credentials.createSsl(ca, key, cert) : credentials.createInsecure();
      return new Client(url.host, trust, {
        'grpc.max_receive_message_length': -1,
        'grpc.max_send_message_length': -1,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 1000,
        'grpc.keepalive_time_ms': 10_000,
        'grpc.keepalive_timeout_ms': 5000,
      });
    });
}

/** See the file header. */
export class EtcdClient {
  readonly #options: EtcdOptions;
  readonly #dial: Dial;
  readonly #tlsTicker: Timer | undefined;
  #tls: EtcdTls;
  #channels: readonly grpc.Client[];
  #preferred = 0;
  #closed = false;

  private constructor(options: EtcdOptions, dial: Dial) {
    this.#options = options;
    this.#dial = dial;
    this.#tls = options.tls?.() ?? {};
    this.#channels = dial(this.#tls);
    if (options.tls) this.#tlsTicker = options.clock.setTicker(() => this.#refreshTls(), tlsPollMs);
  }

  /** Loads the gRPC library, which only this engine needs. Nothing is dialled yet. */
  static async create(options: EtcdOptions): Promise<EtcdClient> {
    if (options.endpoints.length === 0) throw new StorageError('unavailable', 'no etcd endpoint is given');
    return new EtcdClient(options, await dialer(options));
  }

  /**
   * One answer. `onRetry` is told that an attempt failed after it may have been carried out. Throws StorageError
   * `compacted`, `futureRevision`, `tooLarge`, `noSpace`, `closed`, or `unavailable` when the time is up.
   */
  async call<T>(method: Method, request: Message, onRetry?: () => void): Promise<T> {
    const { clock, timeoutMs = defaultTimeoutMs } = this.#options;
    const body = encode(method.request, request);
    if (body.length > maxSentBytes) {
      const text = `trying to send message larger than max (${body.length} vs. ${maxSentBytes})`;
      throw new StorageError('tooLarge', `rpc error: code = ResourceExhausted desc = ${text}`);
    }
    const until = clock.monotonicMs() + timeoutMs;
    for (;;) {
      if (this.#closed) throw new StorageError('closed', 'the store is closed');
      const member = this.#preferred;
      try {
        return (await this.#attempt(this.#channels[member]!, method, body)) as T;
      } catch (cause) {
        const error = this.translate(cause as Attempt);
        if (!isPassing(cause as Attempt) || error.code === 'closed' || clock.monotonicMs() > until) throw error;
        onRetry?.();
        this.passOver(member);
        await clock.sleep(pauseMs);
      }
    }
  }

  /** The member that calls go to at present. */
  get member(): number {
    return this.#preferred;
  }

  /** Calls go to the next member, unless they already do. */
  passOver(member: number): void {
    if (member === this.#preferred) this.#preferred = (member + 1) % this.#channels.length;
  }

  /** A stream in both directions to the preferred member. The caller handles `error`. */
  duplex(method: Method): grpc.ClientDuplexStream<Message, Message> {
    return this.#channels[this.#preferred]!.makeBidiStreamRequest(
      method.path,
      message => encode(method.request, message),
      bytes => decode(method.response, bytes),
    );
  }

  /** A stream of answers from the preferred member. */
  stream(method: Method, request: Message): grpc.ClientReadableStream<Message> {
    return this.#channels[this.#preferred]!.makeServerStreamRequest(
      method.path,
      (message: Message) => encode(method.request, message),
      bytes => decode(method.response, bytes),
      request,
    );
  }

  close(): void {
    this.#closed = true;
    this.#tlsTicker?.cancel();
    for (const channel of this.#channels) channel.close();
  }

  /** New connections if the files have changed. What cannot be read, or does not fit together, is left for the next time. */
  #refreshTls(): void {
    try {
      const next = this.#options.tls!();
      const same = (['ca', 'cert', 'key'] as const).every(name => {
        const [was, is] = [this.#tls[name], next[name]];
        return was === is || (was !== undefined && is !== undefined && was.equals(is));
      });
      if (same) return;
      const old = this.#channels;
      this.#channels = this.#dial(next);
      this.#tls = next;
      this.#options.clock.setTimer(() => {
        for (const channel of old) channel.close();
      }, oldChannelsMs);
    } catch {
      // A certificate without its key, half a file: being written at this moment.
    }
  }

  translate({ code, details = '' }: Attempt): StorageError {
    if (this.#closed) return new StorageError('closed', 'the store is closed');
    if (code === codes.outOfRange)
      return new StorageError(details.includes('future') ? 'futureRevision' : 'compacted', details);
    if (code === codes.resourceExhausted && details.includes('space')) return new StorageError('noSpace', details);
    if (code === codes.invalidArgument && details.includes('too large')) return new StorageError('tooLarge', details);
    if (code === codes.unavailable || code === codes.deadlineExceeded)
      return new StorageError('unavailable', `etcd does not answer: ${details}`);
    return new StorageError('unavailable', details, { cause: new Error(`gRPC code ${code}`) });
  }

  #attempt(channel: grpc.Client, method: Method, body: Buffer): Promise<Message> {
    const deadline = this.#options.clock.now() + attemptTimeoutMs;
    return new Promise((resolve, reject) => {
      channel.makeUnaryRequest(
        method.path,
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => decode(method.response, bytes),
        body,
        { deadline },
        (error, value) => (error ? reject(error) : resolve(value!)),
      );
    });
  }
}
