/**
 * What the watch cache holds and hands out: an item is one state of one object, an event one change. Both are
 * immutable for their readers and stay right for as long as someone holds them, whatever the cache does meanwhile.
 */
import { deepFreeze } from '#apimachinery';
import { type Slabs, type Stored, viewOf } from '../slabs.ts';
import type { Keeper, Keepsakes } from './keepsakes.ts';

/** What selectors look at, without decoding. */
export interface IndexRecord {
  readonly labels: Readonly<Record<string, string>>;
  /** By field selector name, as `spec.nodeName`. */
  readonly fields: Readonly<Record<string, string>>;
  /** Uids of the owners, where there are any. */
  readonly owners?: readonly string[];
}

/** How the cache's user reads its own bytes. Both must be pure; `decode` gives a fresh object, which the cache freezes. */
export interface CacheCodec<T> {
  /** The object in `value`, as of `revision` (its resourceVersion). */
  decode(value: Uint8Array, revision: number, key: string): T;
  index(object: T): IndexRecord;
}

/** What items of one cache share. */
export interface ItemHome<T> {
  readonly codec: CacheCodec<T>;
  readonly keepsakes: Keepsakes;
  readonly slabs: Slabs;
}

/** A decoded object costs about this many times its encoded bytes. */
const decodedFactor = 4;

/** One state of one object. */
export class CacheItem<T> implements Keeper {
  readonly key: string;
  readonly createRevision: number;
  /** The object's resourceVersion. */
  readonly modRevision: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;
  readonly owners: readonly string[] | undefined;
  /** Bookkeeping of {@link Keepsakes}. */
  keptBytes = 0;
  readonly #home: ItemHome<T>;
  readonly #stored: Stored;
  #holders = 0;
  #decoded: T | undefined;
  #forms: Map<string, unknown> | undefined;

  constructor(home: ItemHome<T>, stored: Stored, at: { key: string; create: number; mod: number }, index: IndexRecord) {
    this.#home = home;
    this.#stored = stored;
    this.key = at.key;
    this.createRevision = at.create;
    this.modRevision = at.mod;
    this.labels = index.labels;
    this.fields = index.fields;
    this.owners = index.owners;
  }

  /** The stored bytes, without a copy; not to be changed. Ask again rather than keep them. */
  get bytes(): Uint8Array {
    return viewOf(this.#stored);
  }

  get sizeBytes(): number {
    return this.#stored.length;
  }

  /** The decoded object, deeply frozen. Decoded when first asked for, and again after it was dropped. */
  get object(): T {
    let decoded = this.#decoded;
    if (decoded === undefined) {
      decoded = this.#home.codec.decode(this.bytes, this.modRevision, this.key);
      this.#decoded = decoded;
      this.#home.keepsakes.touch(this, this.#stored.length * decodedFactor);
    } else this.#home.keepsakes.touch(this);
    return deepFreeze(decoded);
  }

  /**
   * The decoded object for one who passes by many items and will not come back: what had to be decoded for it is not
   * kept, and only what was kept is frozen. Not to be changed.
   */
  get passing(): T {
    return this.#decoded ?? this.#home.codec.decode(this.bytes, this.modRevision, this.key);
  }

  /**
   * Something made from this state (another version, another encoding), kept under `name` until dropped.
   * `sizeOf` tells what it costs in bytes; bytes tell it themselves.
   */
  form<F>(name: string, make: (item: this) => F, sizeOf?: (made: F) => number): F {
    const kept = this.#forms?.get(name);
    if (kept !== undefined) {
      this.#home.keepsakes.touch(this);
      return kept as F;
    }
    const made = make(this);
    this.#forms ??= new Map();
    this.#forms.set(name, made);
    this.#home.keepsakes.touch(this, sizeOf?.(made) ?? (made instanceof Uint8Array ? made.length : 1024));
    return made;
  }

  /** For the cache: keeps the object that `index` was made from, since a new state is mostly read soon. */
  keep(decoded: T): void {
    this.#decoded = decoded;
    this.#home.keepsakes.touch(this, this.#stored.length * decodedFactor);
  }

  /** For {@link Keepsakes}. */
  drop(): void {
    this.#decoded = undefined;
    this.#forms = undefined;
  }

  /** For the cache: the same state, carrying a later revision. */
  at(revision: number): CacheItem<T> {
    const at = { key: this.key, create: this.createRevision, mod: revision };
    const made = new CacheItem(this.#home, this.#stored, at, this);
    made.#holders = Number.POSITIVE_INFINITY; // the bytes are this item's to give back
    return made;
  }

  /** For the cache: one more place holds this item. */
  hold(): this {
    this.#holders++;
    return this;
  }

  /** For the cache: one place less; the last gives the space back. */
  release(): void {
    if (--this.#holders > 0) return;
    this.#home.keepsakes.forget(this);
    if (this.#stored.slot >= 0) this.#home.slabs.release(this.#stored);
  }
}

/** One change of one object, the same instance for every watcher. */
export class CacheEvent<T> {
  readonly type: 'added' | 'modified' | 'deleted';
  readonly key: string;
  readonly revision: number;
  /** The state after; of a deletion the last state, carrying the deleting revision. */
  readonly item: CacheItem<T>;
  /** The state before; null for `added`. */
  readonly prev: CacheItem<T> | null;
  #gone: CacheItem<T> | undefined;

  constructor(type: 'added' | 'modified' | 'deleted', revision: number, item: CacheItem<T>, prev: CacheItem<T> | null) {
    this.type = type;
    this.key = item.key;
    this.revision = revision;
    this.item = item;
    this.prev = prev;
    if (type === 'deleted') this.#gone = item;
  }

  /**
   * What a watcher is shown when the object was deleted or left its selection: the previous state, carrying this
   * event's revision. Only for events with `prev`.
   */
  get gone(): CacheItem<T> {
    return (this.#gone ??= this.prev!.at(this.revision));
  }

  /** What the event pins in memory, roughly. */
  get sizeBytes(): number {
    return (this.type === 'deleted' ? 0 : this.item.sizeBytes) + (this.prev?.sizeBytes ?? 0) + 256;
  }
}
