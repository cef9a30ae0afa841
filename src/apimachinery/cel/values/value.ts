/**
 * Values at run time. Most are plain: bool is a boolean, int a bigint, double a number, string a string, bytes a
 * Uint8Array, null is null. The rest are the classes here. An error is a value as well: whoever computes looks for it
 * among the arguments, and && and || may absorb it. Upstream: cel-go common/types/*.go.
 */
import { anyList, anyMap, anyOptional, Type, types } from '../check/types.ts';
import { Cancelled, costExceeded } from './cancelled.ts';
import type { Duration, Timestamp } from './time.ts';
import { Uint } from './uint.ts';

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint
  | Uint8Array
  | Timestamp
  | Duration
  | ListValue
  | MapValue
  | Optional
  | ObjectValue
  | Type
  | CelError;

/** A fault at run time, with cel-go's text. */
export class CelError {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

export const noSuchOverload: CelError = new CelError('no such overload');

/** No list longer than this is walked through: at a tenth an element it would cost more than one evaluation may. */
const maxWalked = 10_000_000;

/**
 * Throws Cancelled for a list that is too long to be walked through: joined lists grow to any length in few steps.
 * Deviation: upstream prices some walks only when they are over; here they end the evaluation before they begin.
 */
export function checkSize(list: { readonly size: number }): void {
  if (list.size > maxWalked) throw new Cancelled(costExceeded);
}

/** Elements in order. Immutable to whoever has it. */
export abstract class ListValue {
  abstract readonly size: number;

  /** The element at an index within bounds. */
  abstract at(index: number): Value;

  *[Symbol.iterator](): Iterator<Value> {
    checkSize(this);
    for (let index = 0; index < this.size; index++) yield this.at(index);
  }

  /** What `+` gives, where it is more than one list behind the other. */
  concat(other: ListValue): ListValue {
    if (this.size === 0) return other;
    return other.size === 0 ? this : new ConcatList(this, other);
  }

  /** Equality where it is not element by element; undefined leaves it to the caller. */
  equals(_other: ListValue): boolean | CelError | undefined {
    return undefined;
  }

  /** What `==` says beside a value that is no list. */
  beside(_other: Value): boolean | CelError {
    return false;
  }
}

/** A list held in an array. */
export class ArrayList extends ListValue {
  readonly items: readonly Value[];

  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }

  get size(): number {
    return this.items.length;
  }

  at(index: number): Value {
    return this.items[index] as Value;
  }

  override [Symbol.iterator](): Iterator<Value> {
    return this.items[Symbol.iterator]();
  }
}

/** What folds collect into: `+` appends in place. Never seen outside of its fold. */
export class GrowingList extends ListValue {
  readonly items: Value[] = [];

  get size(): number {
    return this.items.length;
  }

  at(index: number): Value {
    return this.items[index] as Value;
  }

  override concat(other: ListValue): ListValue {
    for (const item of other) this.items.push(item);
    return this;
  }
}

/** One list behind another, neither copied. */
class ConcatList extends ListValue {
  readonly size: number;
  readonly #first: ListValue;
  readonly #second: ListValue;

  constructor(first: ListValue, second: ListValue) {
    super();
    this.#first = first;
    this.#second = second;
    this.size = first.size + second.size;
  }

  at(index: number): Value {
    const inFirst = this.#first.size;
    return index < inFirst ? this.#first.at(index) : this.#second.at(index - inFirst);
  }
}

/** Values by key: a bool, int, uint or string. */
export abstract class MapValue {
  abstract readonly size: number;

  /** The value of a key; undefined if there is none. */
  abstract find(key: Value): Value | undefined;

  abstract keys(): Iterable<Value>;

  /** Equality where it is not entry by entry; undefined leaves it to the caller. */
  equals(_other: MapValue): boolean | CelError | undefined {
    return undefined;
  }

  /** What `==` says beside a value that is no map. */
  beside(_other: Value): boolean | CelError {
    return false;
  }
}

/** What stands for a key in a Map: numbers that are equal are one key, whatever their types. */
export function plainKey(key: Value): unknown {
  if (key instanceof Uint) return key.value;
  return typeof key === 'number' && Number.isInteger(key) ? BigInt(key) : key;
}

/** A map held in memory. */
export class EntryMap extends MapValue {
  readonly #entries: ReadonlyMap<unknown, readonly [key: Value, value: Value]>;

  constructor(entries: Iterable<readonly [key: Value, value: Value]>) {
    super();
    const map = new Map<unknown, readonly [Value, Value]>();
    for (const entry of entries) map.set(plainKey(entry[0]), entry);
    this.#entries = map;
  }

  get size(): number {
    return this.#entries.size;
  }

  find(key: Value): Value | undefined {
    return this.#entries.get(plainKey(key))?.[1];
  }

  *keys(): Iterable<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }
}

/** What folds collect entries into. Never seen outside of its fold. */
export class GrowingMap extends MapValue {
  readonly #entries = new Map<unknown, readonly [key: Value, value: Value]>();

  get size(): number {
    return this.#entries.size;
  }

  find(key: Value): Value | undefined {
    return this.#entries.get(plainKey(key))?.[1];
  }

  *keys(): Iterable<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }

  insert(key: Value, value: Value): void {
    this.#entries.set(plainKey(key), [key, value]);
  }
}

/** A value or none. */
export class Optional {
  static readonly none: Optional = new Optional(undefined);

  readonly value: Value | undefined;

  constructor(value: Value | undefined) {
    this.value = value;
  }
}

/** A value of a library's own type: quantities, addresses, formats. */
export abstract class ObjectValue {
  abstract readonly type: Type;

  abstract equals(other: ObjectValue): boolean;

  /** What `==` says beside a value of another type. */
  beside(_other: Value): boolean | CelError {
    return noSuchOverload;
  }

  /** What `size()`-like costs count; undefined counts as 1. */
  get costSize(): number | undefined {
    return undefined;
  }

  /** The value of a field; undefined if there is none. */
  field(_name: string): Value | undefined {
    return undefined;
  }

  /** Whether a field counts as set. */
  hasField(name: string): boolean {
    return this.field(name) !== undefined;
  }
}

/** The type that `type(value)` gives. */
export function typeOfValue(value: Value): Type {
  switch (typeof value) {
    case 'boolean':
      return types.bool;
    case 'bigint':
      return types.int;
    case 'number':
      return types.double;
    case 'string':
      return types.string;
    default:
      return typeOfObject(value as Exclude<Value, boolean | bigint | number | string>);
  }
}

function typeOfObject(value: Exclude<Value, boolean | bigint | number | string>): Type {
  if (value === null) return types.null;
  if (value instanceof Uint) return types.uint;
  if (value instanceof Uint8Array) return types.bytes;
  if (value instanceof ListValue) return anyList;
  if (value instanceof MapValue) return anyMap;
  if (value instanceof Optional) return anyOptional;
  if (value instanceof Type) return types.type;
  if (value instanceof CelError) return types.error;
  return value.type;
}
