/**
 * A map from keys to entries that can also be walked in key order: a hash map for lookups, and sorted blocks of at
 * most 512 entries for ranges. Keys, ends of ranges included, compare in UTF-8 byte order.
 *
 * Worked example, with blocks of at most 2: inserting a, b, c gives [a b] → [a] [b c] once the first block is split;
 * `slice('b', 'd')` finds block 1 by its first key and position 0 inside it, and walks from there.
 */

const maxBlock = 512;
const surrogate = /[\ud800-\udfff]/;

/** UTF-8 byte order; differs from `<` only where a surrogate pair meets a code unit above it. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Code units in the order of the code points that they stand for: surrogates come last. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

const plainBefore = (a: string, b: string): boolean => a < b;
const exactBefore = (a: string, b: string): boolean => compareKeys(a, b) < 0;

/** See the file header. Entries know their key; an entry's key never changes while it is in the map. */
export class OrderedMap<V extends { readonly key: string }> {
  readonly #byKey = new Map<string, V>();
  readonly #blocks: V[][] = [];
  #before: (a: string, b: string) => boolean = plainBefore;

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): V | undefined {
    return this.#byKey.get(key);
  }

  /** Entries in insertion order: quicker than a range where order does not matter. */
  values(): IterableIterator<V> {
    return this.#byKey.values();
  }

  /** Adds or replaces; answers what was replaced. */
  set(entry: V): V | undefined {
    const { key } = entry;
    const previous = this.#byKey.get(key);
    this.#byKey.set(key, entry);
    if (previous === undefined && this.#before === plainBefore && surrogate.test(key)) this.#useExactOrder();
    const blockAt = this.#blockOf(key);
    const block = this.#blocks[blockAt];
    if (!block) {
      this.#blocks.push([entry]);
      return undefined;
    }
    const at = this.#positionIn(block, key);
    if (previous !== undefined) {
      block[at] = entry;
      return previous;
    }
    if (at === block.length) block.push(entry);
    else block.splice(at, 0, entry);
    if (block.length > maxBlock) this.#split(blockAt);
    return undefined;
  }

  /** Removes; answers what was there. */
  delete(key: string): V | undefined {
    const previous = this.#byKey.get(key);
    if (previous === undefined) return undefined;
    this.#byKey.delete(key);
    const blockAt = this.#blockOf(key);
    const block = this.#blocks[blockAt]!;
    block.splice(this.#positionIn(block, key), 1);
    if (block.length === 0) this.#blocks.splice(blockAt, 1);
    return previous;
  }

  clear(): void {
    this.#byKey.clear();
    this.#blocks.length = 0;
  }

  /** Entries with `start <= key < end` in order; the map must not change while they are walked. */
  *range(start: string, end?: string): Generator<V> {
    for (let blockAt = this.#blockOf(start); blockAt < this.#blocks.length; blockAt++) {
      const block = this.#blocks[blockAt]!;
      for (let at = this.#positionIn(block, start); at < block.length; at++) {
        const entry = block[at]!;
        if (end !== undefined && !this.#before(entry.key, end)) return;
        yield entry;
      }
    }
  }

  /** The first `limit` entries (0: all) of the range as an array. */
  slice(start: string, end?: string, limit = 0): V[] {
    const out: V[] = [];
    for (let blockAt = this.#blockOf(start); blockAt < this.#blocks.length; blockAt++) {
      const block = this.#blocks[blockAt]!;
      const from = this.#positionIn(block, start);
      let to = end === undefined ? block.length : this.#positionIn(block, end);
      const last = to < block.length;
      if (limit > 0) to = Math.min(to, from + limit - out.length);
      for (let at = from; at < to; at++) out.push(block[at]!);
      if (last || (limit > 0 && out.length >= limit)) break;
    }
    return out;
  }

  /** How many entries the range has; costs one step a block. */
  count(start: string, end?: string): number {
    let count = 0;
    for (let blockAt = this.#blockOf(start); blockAt < this.#blocks.length; blockAt++) {
      const block = this.#blocks[blockAt]!;
      const to = end === undefined ? block.length : this.#positionIn(block, end);
      count += Math.max(0, to - this.#positionIn(block, start));
      if (to < block.length) break;
    }
    return count;
  }

  /** The block where `key` stands or would be put: the last whose first key is not after it. */
  #blockOf(key: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#before(key, this.#blocks[middle]![0]!.key)) high = middle;
      else low = middle + 1;
    }
    return Math.max(0, low - 1);
  }

  /** Position of the first entry of `block` whose key is not before `key`. */
  #positionIn(block: readonly V[], key: string): number {
    let low = 0;
    let high = block.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#before(block[middle]!.key, key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** An appended-to block is cut near its end, so that keys inserted in order leave full blocks behind. */
  #split(blockAt: number): void {
    const block = this.#blocks[blockAt]!;
    const isLast = blockAt === this.#blocks.length - 1;
    const tail = block.splice(isLast ? maxBlock - 32 : maxBlock >> 1);
    this.#blocks.splice(blockAt + 1, 0, tail);
  }

  /** From the first key with a surrogate pair on, order costs more. */
  #useExactOrder(): void {
    this.#before = exactBefore;
    const all = this.#blocks.flat().sort((a, b) => compareKeys(a.key, b.key));
    this.#blocks.length = 0;
    for (let at = 0; at < all.length; at += maxBlock) this.#blocks.push(all.slice(at, at + maxBlock));
  }
}
