/**
 * The `memory` engine: the contract's whole meaning (history, compaction, ttl, watches) without a disk. For tests,
 * simulations and throw-away virtual clusters. "Durable" here means applied; a fault plan can still refuse or delay a
 * commit. `fork` gives an independent copy, so that a test can try two futures of one cluster.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { deserialize, serialize } from 'node:v8';
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
import { OrderedMap } from '../ordered-map.ts';
import { Slabs, type Stored, viewOf } from '../slabs.ts';
import { TtlQueue } from '../ttl-queue.ts';
import { inRange, WatchHub } from '../watch-hub.ts';

export interface MemoryStoreOptions {
  readonly clock: Clock;
  readonly faults?: FaultPlan;
  /** A file that {@link Store.snapshot} of a memory store wrote. */
  readonly snapshot?: string;
}

export interface MemoryStore extends Store {
  /** An independent store with the same contents, history and revision; bytes are shared, watches are not. */
  fork(options?: Partial<Pick<MemoryStoreOptions, 'clock' | 'faults'>>): MemoryStore;
}

/** One state of a key. */
interface Version {
  readonly revision: number;
  readonly createRevision: number;
  /** Null: the key was deleted at this revision. */
  readonly stored: Stored | null;
  /** Wall time; 0: never. */
  readonly expiresMs: number;
}

/** A key and its states, oldest first; the last is the newest. */
interface History {
  readonly key: string;
  readonly versions: Version[];
}

interface Change {
  readonly key: string;
  readonly version: Version;
  readonly prev: Version | null;
}

/** What a store holds; {@link MemoryStore.fork} copies exactly this. */
interface State {
  keys: OrderedMap<History>;
  /** All changes after `compacted`, by revision. */
  log: Change[];
  revision: number;
  compacted: number;
  slabs: Slabs;
}

/** An empty store, or one from a snapshot file. */
export async function openMemoryStore(options: MemoryStoreOptions): Promise<MemoryStore> {
  if (options.snapshot === undefined) return createMemoryStore(options);
  return new Memory(restored(deserialize(await readFile(options.snapshot)) as Snapshot), options);
}

/** An empty store at revision 1. */
export function createMemoryStore(options: Omit<MemoryStoreOptions, 'snapshot'>): MemoryStore {
  return new Memory({ keys: new OrderedMap(), log: [], revision: 1, compacted: 0, slabs: new Slabs() }, options);
}

class Memory implements MemoryStore {
  readonly #state: State;
  readonly #clock: Clock;
  readonly #faults: FaultPlan;
  readonly #hub: WatchHub;
  readonly #ttl: TtlQueue;
  /** The commit that a fault plan is delaying; later ones wait for it. */
  #delayed: Promise<unknown> | undefined;
  #closed = false;
  readonly readOnlyReason: string | null = null;
  readonly takesAnySize = true;

  constructor(state: State, options: MemoryStoreOptions) {
    this.#state = state;
    this.#clock = options.clock;
    this.#faults = options.faults ?? noFaults;
    this.#hub = new WatchHub({ changes: (range, after, upTo) => this.#changes(range, after, upTo) }, state.revision);
    this.#ttl = new TtlQueue(options.clock, (key, revision) => {
      this.txn([{ key, modRevision: revision }], [{ type: 'delete', key }]).catch(() => {});
    });
    for (const { key, versions } of state.keys.values()) {
      const { stored, expiresMs, revision } = versions.at(-1)!;
      if (stored && expiresMs > 0) this.#ttl.add(key, revision, expiresMs);
    }
  }

  txn(preconditions: readonly Precondition[], ops: readonly StorageOp[]): Promise<TxnResult> {
    if (!this.#delayed) {
      try {
        this.#assertOpen();
        const delay = this.#faults.at('storage.beforeCommit', { preconditions, ops });
        if (!delay) return Promise.resolve(this.#commit(preconditions, ops));
        return this.#after(delay, () => this.#commit(preconditions, ops));
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return this.#after(this.#delayed, async () => {
      this.#assertOpen();
      await this.#faults.at('storage.beforeCommit', { preconditions, ops });
      return this.#commit(preconditions, ops);
    });
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    await this.#delayed;
    this.#assertOpen();
    const { keys, revision: now } = this.#state;
    const { start, end, limit = 0, keysOnly = false, countOnly = false } = options;
    const counts = countOnly || (options.count ?? true);
    const revision = options.revision ?? now;
    this.#assertReadable(revision);
    const kvs: KeyValue[] = [];
    let count = 0;
    for (const history of end === undefined ? one(keys.get(start)) : keys.range(start, end)) {
      const version = versionAt(history.versions, revision);
      if (!version?.stored) continue;
      count++;
      if (!countOnly && (limit === 0 || kvs.length < limit)) kvs.push(keyValue(history.key, version, keysOnly));
      else if (!counts) break;
    }
    return { kvs, more: !countOnly && count > kvs.length, count, revision };
  }

  async get(key: string): Promise<{ kv: KeyValue | null; revision: number }> {
    await this.#delayed;
    this.#assertOpen();
    const newest = this.#state.keys.get(key)?.versions.at(-1);
    return { kv: newest?.stored ? keyValue(key, newest) : null, revision: this.#state.revision };
  }

  watch(options: WatchOptions): AsyncIterable<WatchBatch> {
    this.#assertOpen();
    return this.#hub.watch(options);
  }

  requestProgress(): void {}

  async currentRevision(): Promise<number> {
    this.#assertOpen();
    return this.#state.revision;
  }

  async compact(revision: number): Promise<void> {
    this.#assertOpen();
    const { keys, log, slabs } = this.#state;
    if (revision > this.#state.revision) throw future(revision, this.#state.revision);
    if (revision <= this.#state.compacted) return;
    this.#state.compacted = revision;
    const kept = firstAfter(log, revision);
    const touched = new Set<string>();
    for (let at = 0; at < kept; at++) touched.add(log[at]!.key);
    this.#state.log = log.slice(kept);
    for (const key of touched) {
      const history = keys.get(key);
      if (!history) continue;
      const { versions } = history;
      let drop = versions.findLastIndex(version => version.revision <= revision);
      if (drop >= 0 && versions[drop]!.stored === null) drop++;
      for (const { stored } of versions.splice(0, Math.max(0, drop))) if (stored) slabs.release(stored);
      if (versions.length === 0) keys.delete(key);
    }
  }

  async compactedRevision(): Promise<number> {
    return this.#state.compacted;
  }

  async snapshot(path: string): Promise<{ revision: number }> {
    this.#assertOpen();
    const { keys, revision } = this.#state;
    const entries: Snapshot['entries'] = [];
    for (const { key, versions } of keys.values()) {
      const { stored, ...rest } = versions.at(-1)!;
      if (stored) entries.push({ key, ...rest, value: new Uint8Array(viewOf(stored)) });
    }
    await writeFile(path, serialize({ revision, entries } satisfies Snapshot));
    return { revision };
  }

  async verify(): Promise<readonly string[]> {
    const { keys, log, revision, compacted } = this.#state;
    const problems: string[] = [];
    for (const { key, versions } of keys.values()) {
      if (versions.length === 0) problems.push(`${key} has no state`);
      if (versions.some((each, at) => at > 0 && each.revision <= versions[at - 1]!.revision))
        problems.push(`${key}: states out of order`);
      if (versions.at(-1)!.revision > revision) problems.push(`${key} is newer than the store`);
    }
    if (log.some(change => change.version.revision <= compacted)) problems.push('the log reaches below compaction');
    return problems;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#hub.close();
    this.#ttl.close();
  }

  fork(options: Partial<Pick<MemoryStoreOptions, 'clock' | 'faults'>> = {}): MemoryStore {
    this.#assertOpen();
    const { keys, log, revision, compacted } = this.#state;
    const slabs = new Slabs();
    const copies = new Map<Version, Version>();
    const copy = (version: Version): Version => {
      const made = { ...version, stored: version.stored && slabs.put(viewOf(version.stored)) };
      copies.set(version, made);
      return made;
    };
    const copied = new OrderedMap<History>();
    for (const history of keys.range('')) copied.set({ key: history.key, versions: history.versions.map(copy) });
    const state: State = {
      keys: copied,
      log: log.map(each => ({
        key: each.key,
        version: copies.get(each.version)!,
        prev: each.prev && (copies.get(each.prev) ?? null),
      })),
      revision,
      compacted,
      slabs,
    };
    return new Memory(state, { clock: this.#clock, ...options });
  }

  /** No await between here and publish: one transaction is applied whole before anyone else looks. */
  #commit(preconditions: readonly Precondition[], ops: readonly StorageOp[]): TxnResult | Promise<TxnResult> {
    this.#assertOpen();
    const state = this.#state;
    const current = preconditions.map(({ key }) => live(state.keys.get(key)));
    if (preconditions.some(({ modRevision }, at) => (current[at]?.revision ?? 0) !== modRevision)) {
      const kvs = current.map((version, at) => version && keyValue(preconditions[at]!.key, version));
      return { ok: false, current: kvs, revision: state.revision };
    }
    const changing = ops.filter(op => op.type === 'put' || live(state.keys.get(op.key)));
    if (changing.length === 0) return { ok: true, revision: state.revision };
    const revision = state.revision + 1;
    const events = changing.map(op => this.#apply(op, revision));
    state.revision = revision;
    this.#hub.publish(revision, events);
    const answer: TxnResult = { ok: true, revision };
    const late = this.#faults.at('storage.afterCommit', { revision });
    return late ? late.then(() => answer) : answer;
  }

  #apply(op: StorageOp, revision: number): StorageEvent {
    const { keys, log, slabs } = this.#state;
    const { key } = op;
    let history = keys.get(key);
    if (!history) keys.set((history = { key, versions: [] }));
    const prev = live(history);
    const expiresMs = op.type === 'put' && op.ttlSeconds ? this.#clock.now() + op.ttlSeconds * 1000 : 0;
    const version: Version = {
      revision,
      createRevision: prev?.createRevision ?? revision,
      stored: op.type === 'put' ? slabs.put(op.value) : null,
      expiresMs,
    };
    history.versions.push(version);
    log.push({ key, version, prev });
    if (expiresMs > 0) this.#ttl.add(key, revision, expiresMs);
    return eventOf({ key, version, prev });
  }

  async *#changes(range: WatchOptions, after: number, upTo: number): AsyncGenerator<readonly StorageEvent[]> {
    const { log, compacted } = this.#state;
    if (after < compacted)
      throw new StorageError('compacted', `revision ${after} is compacted; oldest is ${compacted}`);
    const events: StorageEvent[] = [];
    for (let at = firstAfter(log, after); at < log.length && log[at]!.version.revision <= upTo; at++) {
      if (inRange(log[at]!.key, range)) events.push(eventOf(log[at]!));
    }
    yield events;
  }

  /** `then` in its turn, after `earlier` and before whatever is asked later. */
  #after<T>(earlier: Promise<unknown>, then: () => T | Promise<T>): Promise<T> {
    const mine = earlier.then(then);
    const settled = mine.then(
      () => {},
      () => {},
    );
    this.#delayed = settled;
    void settled.then(() => {
      if (this.#delayed === settled) this.#delayed = undefined;
    });
    return mine;
  }

  #assertOpen(): void {
    if (this.#closed) throw new StorageError('closed', 'the store is closed');
  }

  #assertReadable(revision: number): void {
    const { compacted, revision: now } = this.#state;
    if (revision > now) throw future(revision, now);
    if (revision < compacted)
      throw new StorageError('compacted', `revision ${revision} is compacted; oldest is ${compacted}`);
  }
}

interface Snapshot {
  revision: number;
  entries: Array<{ key: string; revision: number; createRevision: number; expiresMs: number; value: Uint8Array }>;
}

function restored({ revision, entries }: Snapshot): State {
  const state: State = { keys: new OrderedMap(), log: [], revision, compacted: revision, slabs: new Slabs() };
  for (const { key, value, ...rest } of entries) {
    state.keys.set({ key, versions: [{ ...rest, stored: state.slabs.put(value) }] });
  }
  return state;
}

function* one<T>(value: T | undefined): Generator<T> {
  if (value !== undefined) yield value;
}

function live(history: History | undefined): Version | null {
  const newest = history?.versions.at(-1);
  return newest?.stored ? newest : null;
}

function versionAt(versions: readonly Version[], revision: number): Version | undefined {
  return versions.findLast(version => version.revision <= revision);
}

/** Position in the log of the first change after `revision`. */
function firstAfter(log: readonly Change[], revision: number): number {
  let low = 0;
  let high = log.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (log[middle]!.version.revision <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}

const noBytes = new Uint8Array(0);

function keyValue(key: string, { stored, createRevision, revision }: Version, keysOnly = false): KeyValue {
  return { key, value: keysOnly ? noBytes : viewOf(stored!), createRevision, modRevision: revision };
}

function eventOf({ key, version, prev }: Change): StorageEvent {
  return {
    type: version.stored ? 'put' : 'delete',
    key,
    revision: version.revision,
    kv: version.stored ? keyValue(key, version) : null,
    prev: prev?.stored ? keyValue(key, prev) : null,
  };
}

function future(revision: number, now: number): StorageError {
  return new StorageError('futureRevision', `revision ${revision} is newer than the store's ${now}`);
}
