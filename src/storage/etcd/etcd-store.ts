/**
 * The `etcd` engine: a control plane of several machines on etcd v3. Keys and values are stored as they are, so an
 * upstream API server with the same prefix would find them. A transaction whose answer was lost is sent again; its
 * preconditions let it through once at most, and a refusal by what it wrote itself counts as success. Deviation: an
 * unconditional put whose answer was lost may be applied twice.
 */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Timer } from '#base';
import {
  type KeyValue,
  type Precondition,
  type RangeOptions,
  type RangeResult,
  StorageError,
  type StorageOp,
  type Store,
  type TxnResult,
  type WatchBatch,
  type WatchOptions,
} from '../contract.ts';
import type { Message } from '../wire.ts';
import { EtcdClient, type EtcdOptions } from './etcd-client.ts';
import { EtcdWatch, plain } from './etcd-watch.ts';
import { Leases } from './leases.ts';
import { methods, type RangeResponse, type TxnResponse, type WatchResponse } from './messages.ts';

/** Connects; rejects with StorageError `unavailable` when no member answers in time. */
export async function openEtcdStore(options: EtcdOptions): Promise<Store> {
  const client = await EtcdClient.create(options);
  try {
    const { version } = await client.call<{ version: string }>(methods.status, {});
    const store = new Etcd(client, options, hasExactProgress(version));
    await store.currentRevision();
    return store;
  } catch (error) {
    client.close();
    throw error;
  }
}

/** Since which releases a mark of progress is never ahead of events. Upstream: storage/feature/feature_support_checker.go. */
export function hasExactProgress(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(part => Number.parseInt(part, 10));
  if (major !== 3) return major > 3;
  return minor > 5 || (minor === 5 && patch >= 8) || (minor === 4 && patch >= 25);
}

/** A watch whose range is quiet must not fall behind compaction. */
const progressEveryMs = 60_000;

class Etcd implements Store {
  readonly #client: EtcdClient;
  readonly #options: EtcdOptions;
  readonly #exactProgress: boolean;
  readonly #progressTicker: Timer;
  /** The last transaction under way for each key. */
  readonly #byKey = new Map<string, Promise<unknown>>();
  readonly #leases: Leases;
  readonly #closed = new AbortController();
  readonly #watches = new Set<EtcdWatch>();
  #askingProgress: 'no' | 'yes' | 'again' = 'no';
  #asked: Promise<number> | undefined;
  #askedNext: Promise<number> | undefined;
  /** The newest revision that any answer showed. */
  #seen = 0;
  readOnlyReason: string | null = null;

  constructor(client: EtcdClient, options: EtcdOptions, exactProgress: boolean) {
    this.#client = client;
    this.#options = options;
    this.#exactProgress = exactProgress;
    this.#leases = new Leases(client, options.clock);
    this.#progressTicker = options.clock.setTicker(() => this.requestProgress(), progressEveryMs);
  }

  /** Two transactions that share a key go out one after the other; others side by side, in whatever order. */
  txn(preconditions: readonly Precondition[], ops: readonly StorageOp[]): Promise<TxnResult> {
    const keys = new Set([...preconditions, ...ops].map(({ key }) => key));
    const earlier = [...keys].map(key => this.#byKey.get(key)).filter(each => each !== undefined);
    const mine =
      earlier.length === 0
        ? this.#txn(preconditions, ops)
        : Promise.allSettled(earlier).then(() => this.#txn(preconditions, ops));
    for (const key of keys) this.#byKey.set(key, mine);
    const forget = () => {
      for (const key of keys) if (this.#byKey.get(key) === mine) this.#byKey.delete(key);
    };
    mine.then(forget, forget);
    return mine;
  }

  async #txn(preconditions: readonly Precondition[], ops: readonly StorageOp[]): Promise<TxnResult> {
    const success = await Promise.all(ops.map(op => this.#requestOf(op)));
    const request = {
      compare: preconditions.map(({ key, modRevision }) => ({ result: 0, target: 2, key, modRevision })),
      success,
      failure: preconditions.map(({ key }) => ({ range: { key } })),
    };
    let uncertain = false;
    const onRetry = () => {
      uncertain = true;
    };
    try {
      const answer = await this.#client.call<TxnResponse>(methods.txn, request, onRetry);
      this.readOnlyReason = null;
      const revision = this.#see(answer.header.revision);
      if (answer.succeeded) return { ok: true, revision };
      const current = answer.responses.map(({ range }) => (range?.kvs[0] ? plain(range.kvs[0]) : null));
      const mine = uncertain ? ownRevision(preconditions, ops, current, revision) : undefined;
      return mine === undefined ? { ok: false, current, revision } : { ok: true, revision: mine };
    } catch (error) {
      if (error instanceof StorageError && error.code === 'noSpace') this.readOnlyReason = error.message;
      throw error;
    }
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    const { start, end = '', revision = 0, limit = 0, keysOnly = false, countOnly = false } = options;
    const request = { key: start, rangeEnd: end, revision, limit, keysOnly, countOnly };
    const { header, kvs, more, count } = await this.#client.call<RangeResponse>(methods.range, request);
    this.#see(header.revision);
    return { kvs: kvs.map(plain), more, count, revision: revision || header.revision };
  }

  async get(key: string): Promise<{ kv: KeyValue | null; revision: number }> {
    const { kvs, revision } = await this.range({ start: key });
    return { kv: kvs[0] ?? null, revision };
  }

  watch(options: WatchOptions): AsyncIterable<WatchBatch> {
    const deps = {
      client: this.#client,
      clock: this.#options.clock,
      isQuiet: this.#exactProgress ? undefined : this.#isQuiet,
    };
    const watch = new EtcdWatch(deps, options, options.afterRevision ?? this.#seen, this.#closed.signal);
    this.#watches.add(watch);
    return this.#registered(watch);
  }

  requestProgress(): void {
    if (this.#askingProgress !== 'no') {
      this.#askingProgress = 'again';
      return;
    }
    this.#askingProgress = 'yes';
    void this.#askProgress();
  }

  /** One question under way and one to follow serve all who ask meanwhile: an answer must not be older than its call. */
  currentRevision(): Promise<number> {
    if (!this.#asked) {
      this.#asked = this.#askRevision().finally(() => {
        this.#asked = undefined;
      });
      return this.#asked;
    }
    this.#askedNext ??= this.#asked
      .catch(() => {})
      .then(() => {
        this.#askedNext = undefined;
        return this.currentRevision();
      });
    return this.#askedNext;
  }

  async compact(revision: number): Promise<void> {
    try {
      await this.#client.call(methods.compact, { revision });
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'compacted') throw error;
    }
  }

  /** A watch from the beginning is refused with the oldest revision; nothing else tells it. */
  async compactedRevision(): Promise<number> {
    try {
      await this.range({ start: '\0', revision: 1, countOnly: true });
      return 0;
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'compacted') throw error;
    }
    const stream = this.#client.duplex(methods.watch);
    try {
      return await new Promise<number>((resolve, reject) => {
        stream.on('error', error => reject(this.#client.translate(error as never)));
        stream.on('data', (message: Message) => {
          const { canceled, compactRevision } = message as unknown as WatchResponse;
          if (canceled) resolve(compactRevision);
        });
        stream.write({ create: { key: '\0', startRevision: 1 } });
      });
    } finally {
      stream.on('error', () => {});
      stream.cancel();
    }
  }

  /** Etcd's own format, for `etcdutl snapshot restore`. */
  async snapshot(path: string): Promise<{ revision: number }> {
    const revision = await this.currentRevision();
    const stream = this.#client.stream(methods.snapshot, {});
    await pipeline(
      stream,
      async function* (messages: AsyncIterable<{ blob: Uint8Array }>) {
        for await (const { blob } of messages) yield blob;
      },
      createWriteStream(path, { mode: 0o600 }),
    );
    return { revision };
  }

  async verify(): Promise<readonly string[]> {
    const { errors } = await this.#client.call<{ errors: readonly string[] }>(methods.status, {});
    const { alarms } = await this.#client.call<{ alarms: ReadonlyArray<{ alarm: number }> }>(methods.alarm, {});
    const names = ['', 'out of space', 'corrupt'];
    return [...errors, ...alarms.map(({ alarm }) => `a member reports: ${names[alarm] || `alarm ${alarm}`}`)];
  }

  async close(): Promise<void> {
    this.#progressTicker.cancel();
    this.#closed.abort();
    this.#client.close();
  }

  async *#registered(watch: EtcdWatch): AsyncGenerator<WatchBatch, void> {
    try {
      for await (const batch of watch.batches()) {
        this.#see(batch.revision);
        yield batch;
      }
    } finally {
      this.#watches.delete(watch);
    }
  }

  /**
   * Whether a range shows the same at two revisions. What came and went in between stays unseen, and does not matter
   * to a state. Dear for the server, but only asked when the store moved on without an event in the range.
   */
  readonly #isQuiet = async ({ start, end = '' }: WatchOptions, from: number, to: number): Promise<boolean> => {
    const range = { key: start, rangeEnd: end };
    const ask = (more: Message) => this.#client.call<RangeResponse>(methods.range, { ...range, ...more });
    const [before, after, newer] = await Promise.all([
      ask({ revision: from, countOnly: true }),
      ask({ revision: to, countOnly: true }),
      ask({ revision: to, keysOnly: true, limit: 1, minModRevision: from + 1 }),
    ]);
    return before.count === after.count && newer.kvs.length === 0;
  };

  /** One question at a time for however many ask; those who asked meanwhile get a newer one. */
  async #askProgress(): Promise<void> {
    for (let pauseMs = 0; ; ) {
      try {
        const revision = await this.currentRevision();
        for (const watch of this.#watches) watch.want(revision);
        pauseMs = 0;
      } catch {
        if (this.#closed.signal.aborted) return;
        pauseMs = 100;
      }
      if (this.#askingProgress !== 'again' && pauseMs === 0) break;
      this.#askingProgress = 'yes';
      if (pauseMs > 0) await this.#options.clock.sleep(pauseMs);
    }
    this.#askingProgress = 'no';
  }

  async #askRevision(): Promise<number> {
    const { revision } = await this.range({ start: '\0', countOnly: true });
    return revision;
  }

  async #requestOf(op: StorageOp): Promise<Message> {
    const { key } = op;
    if (op.type === 'delete') return { delete: { key } };
    const lease = op.ttlSeconds ? await this.#leases.leaseFor(op.ttlSeconds) : 0;
    return { put: { key, value: op.value, lease } };
  }

  #see(revision: number): number {
    this.#seen = Math.max(this.#seen, revision);
    return revision;
  }
}

/** The revision at which `ops` stand as the current state, if they do: an attempt whose answer was lost. */
function ownRevision(
  preconditions: readonly Precondition[],
  ops: readonly StorageOp[],
  current: ReadonlyArray<KeyValue | null>,
  now: number,
): number | undefined {
  let revision: number | undefined;
  const byKey = new Map(preconditions.map(({ key }, at) => [key, current[at] ?? null]));
  for (const op of ops) {
    const stands = byKey.get(op.key);
    if (stands === undefined) continue;
    if (op.type === 'delete' ? stands !== null : !stands || Buffer.compare(stands.value, op.value) !== 0)
      return undefined;
    if (stands) {
      if (revision !== undefined && stands.modRevision !== revision) return undefined;
      revision = stands.modRevision;
    } else revision ??= now;
  }
  return revision;
}
