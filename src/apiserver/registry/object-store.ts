/**
 * Objects over the store: get, create, guaranteed update, delete, each possibly together with other keys in one
 * transaction, and dry runs that stop short of it. Knows bytes and preconditions; nothing of strategies or admission.
 * Upstream: apiserver pkg/storage/etcd3/store.go and pkg/registry/generic/registry/dryrun.go.
 */
import type { Draft, KubeObject } from '#apimachinery';
import { type KeyValue, type Precondition, StorageError, type StorageOp, type Store, type TxnResult } from '#storage';
import type { ServedResource } from '../scheme/resource.ts';
import { encodeObject, encodeStored } from '../serialization/encode.ts';
import { checkRequestSize } from './request-size.ts';
import type { StoreMetrics, StoreOperation } from './store-metrics.ts';
import { StoredObject } from './stored-object.ts';

/** What commits together with an object: allocations, for example. */
export interface Companions {
  readonly preconditions: readonly Precondition[];
  readonly ops: readonly StorageOp[];
  /** Called once when the transaction was tried or given up: others wait for the same keys. */
  readonly release?: () => void;
}

export function joinCompanions(a: Companions | undefined, b: Companions | undefined): Companions | undefined {
  if (!a || !b) return a ?? b;
  return {
    preconditions: [...a.preconditions, ...b.preconditions],
    ops: [...a.ops, ...b.ops],
    release() {
      a.release?.();
      b.release?.();
    },
  };
}

const noCompanions: Companions = { preconditions: [], ops: [] };

/** What an update's attempt decides. */
export type Decision =
  | {
      readonly type: 'put';
      readonly object: Draft<KubeObject>;
      readonly ttlSeconds?: number;
      /** Its managers are what it is written for: it is not stored without. */
      readonly keepsManagers?: boolean;
      readonly with?: Companions;
    }
  | { readonly type: 'delete'; readonly with?: Companions }
  /** Leaves everything as it is and answers what stands there. */
  | { readonly type: 'keep' };

export type UpdateOutcome =
  | { readonly type: 'created' | 'updated' | 'kept'; readonly object: StoredObject }
  | { readonly type: 'deleted'; readonly object: StoredObject };

/** A transaction lost against other keys than the object's own: the caller's allocations must be made anew. */
export class CompanionConflict extends Error {
  override readonly name = 'CompanionConflict';
}

/** How often an attempt is repeated when others write the same key in between. */
const maxAttempts = 1000;

/** Who counts and times what the store does. */
type StoreTimer = Pick<StoreMetrics, 'timed'>;

export class ObjectStore {
  readonly store: Store;
  readonly #metrics: StoreTimer | undefined;

  constructor(store: Store, metrics?: StoreTimer) {
    this.store = store;
    this.#metrics = metrics;
  }

  #timed<T>(resource: ServedResource, operation: StoreOperation, work: Promise<T>): Promise<T> {
    return this.#metrics ? this.#metrics.timed(resource, operation, work) : work;
  }

  /** Puts an object. What is too large for the store is tried again without its managers, but for applied ones. */
  async #written(
    resource: ServedResource,
    key: string,
    object: Draft<KubeObject>,
    write: {
      readonly operation: 'create' | 'update';
      readonly preconditions: readonly Precondition[];
      readonly companions: Companions;
      readonly ttlSeconds?: number | undefined;
      readonly keepsManagers?: boolean;
      /** The object, where that is at hand. */
      readonly encoded?: Buffer;
    },
  ): Promise<{ readonly bytes: Buffer; readonly result: TxnResult }> {
    const { operation, preconditions, companions, ttlSeconds, encoded } = write;
    try {
      const bytes = encoded ?? (await storedBytes(resource, object));
      if (this.store.takesAnySize) {
        const struct = resource.custom ? undefined : resource.struct;
        checkRequestSize({ key, bytes, object: object as KubeObject, struct, revision: preconditions[0]!.modRevision });
      }
      const done = this.store.txn(preconditions, [put(key, bytes, ttlSeconds), ...companions.ops]);
      return { bytes, result: await this.#timed(resource, operation, done) };
    } catch (error) {
      const isTooLarge = error instanceof StorageError && error.code === 'tooLarge';
      if (!isTooLarge || write.keepsManagers || !object.metadata.managedFields) throw error;
      const { encoded: _, ...again } = write;
      const { managedFields, ...metadata } = object.metadata;
      return this.#written(resource, key, { ...object, metadata } as Draft<KubeObject>, again);
    }
  }

  /** The same store, whose operations `timer` is told of too: its function is called when one is over. */
  timed(timer: () => () => void): ObjectStore {
    return new ObjectStore(this.store, {
      timed: (resource, operation, work) => this.#timed(resource, operation, work).finally(timer()),
    });
  }

  async get(key: string): Promise<StoredObject | null> {
    const { kv } = await this.store.get(key);
    return kv && stored(kv);
  }

  /**
   * Stores a new object. Answers null when the key exists; throws {@link CompanionConflict} when only a companion's
   * precondition failed.
   */
  async create(
    resource: ServedResource,
    key: string,
    object: Draft<KubeObject>,
    options: { dryRun: boolean; ttlSeconds?: number | undefined; with?: Companions | undefined },
  ): Promise<StoredObject | null> {
    try {
      if (options.dryRun) {
        if (await this.get(key)) return null;
        const bytes = await storedBytes(resource, object, true);
        return await readForm(resource, new StoredObject(key, bytes, 0, 0));
      }
      const companions = options.with ?? noCompanions;
      const { bytes, result } = await this.#written(resource, key, object, {
        ...options,
        operation: 'create',
        preconditions: [{ key, modRevision: 0 }, ...companions.preconditions],
        companions,
      });
      if (result.ok) return await readForm(resource, new StoredObject(key, bytes, result.revision, result.revision));
      if (result.current[0]) return null;
      throw new CompanionConflict('another key of the transaction has changed');
    } finally {
      options.with?.release?.();
    }
  }

  /**
   * Reads, asks `attempt` what to do, and does it if nobody wrote meanwhile; else asks again with what stands there
   * now. `existing` is null when there is no such object. An unchanged object is not written.
   */
  async update(
    resource: ServedResource,
    key: string,
    dryRun: boolean,
    attempt: (existing: StoredObject | null) => Promise<Decision>,
  ): Promise<UpdateOutcome> {
    let existing = await this.#timed(resource, 'get', this.get(key));
    for (let n = 0; n < maxAttempts; n++) {
      const shown = existing && (await readForm(resource, existing));
      const decision = await attempt(shown);
      if (decision.type === 'keep') return { type: 'kept', object: shown! };
      try {
        const outcome = await this.#tried(resource, key, { dryRun, decision, existing, shown });
        if (outcome.type !== 'lost') return outcome;
        existing = next(outcome.current, existing);
      } finally {
        decision.with?.release?.();
      }
    }
    throw new StorageError('unavailable', `${key} was changed by others ${maxAttempts} times in a row`);
  }

  /** Carries out one decision; `lost` when the transaction's preconditions did not hold. */
  async #tried(
    resource: ServedResource,
    key: string,
    attempt: {
      dryRun: boolean;
      decision: Exclude<Decision, { type: 'keep' }>;
      existing: StoredObject | null;
      shown: StoredObject | null;
    },
  ): Promise<UpdateOutcome | { readonly type: 'lost'; readonly current: TxnCurrent }> {
    const { dryRun, decision, existing, shown } = attempt;
    const companions = decision.with ?? noCompanions;
    const preconditions = [{ key, modRevision: existing?.revision ?? 0 }, ...companions.preconditions];
    if (decision.type === 'delete') {
      if (dryRun) return { type: 'deleted', object: shown! };
      const gone = this.store.txn(preconditions, [{ type: 'delete', key }, ...companions.ops]);
      const result = await this.#timed(resource, 'delete', gone);
      if (result.ok) return { type: 'deleted', object: shown!.at(result.revision) };
      return { type: 'lost', current: result.current };
    }
    const bytes = await storedBytes(resource, decision.object);
    const before = existing;
    if (before && !before.stale && bytes.equals(before.stored)) {
      return { type: 'kept', object: shown! };
    }
    const type = existing ? 'updated' : 'created';
    if (dryRun) {
      const stored = new StoredObject(key, bytes, existing?.revision ?? 0, existing?.createRevision ?? 0);
      return { type, object: await readForm(resource, stored) };
    }
    const written = await this.#written(resource, key, decision.object, {
      ...decision,
      operation: 'update',
      preconditions,
      companions,
      encoded: bytes,
    });
    const { result } = written;
    if (!result.ok) return { type: 'lost', current: result.current };
    const stored = new StoredObject(key, written.bytes, result.revision, existing?.createRevision ?? result.revision);
    return { type, object: await readForm(resource, stored) };
  }
}

type TxnCurrent = readonly (KeyValue | null)[];

/** What the version asked for shows of stored bytes. */
async function readForm({ storedForm }: ServedResource, stored: StoredObject): Promise<StoredObject> {
  return storedForm ? storedForm.read(stored) : stored;
}

/** `versioned`: with the resourceVersion that a dry run shows. */
async function storedBytes(resource: ServedResource, object: Draft<KubeObject>, versioned = false): Promise<Buffer> {
  const { storedForm } = resource;
  return encoded(resource, storedForm ? await storedForm.write(object) : (object as KubeObject), versioned);
}

function encoded({ custom, struct }: ServedResource, object: KubeObject, versioned = false): Buffer {
  return (custom ? encodeObject : encodeStored)(object, struct, versioned);
}

function put(key: string, value: Uint8Array, ttlSeconds: number | undefined): StorageOp {
  return { type: 'put', key, value, ...(ttlSeconds !== undefined && { ttlSeconds }) };
}

/** The state to try again with. */
function next(current: TxnCurrent, before: StoredObject | null): StoredObject | null {
  const kv = current[0] ?? null;
  if ((kv?.modRevision ?? 0) === (before?.revision ?? 0)) {
    throw new CompanionConflict('another key of the transaction has changed');
  }
  if (kv?.problem) throw kv.problem;
  return kv && stored(kv);
}

function stored({ key, value, modRevision, createRevision, stale }: KeyValue): StoredObject {
  return new StoredObject(key, value, modRevision, createRevision, { stale });
}
