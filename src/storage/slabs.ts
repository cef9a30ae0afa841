/**
 * Bytes outside the V8 heap: many small values share a few large buffers, so that 100,000 of them cost neither
 * 100,000 array buffers nor the collector's time. Space is only ever appended to, never written twice: a view that was
 * handed out stays right for as long as its holder keeps it, whatever is released or moved meanwhile. A buffer of
 * which less than half is live has its rest moved into the current one, and is left to the collector.
 */

const firstSlabBytes = 64 << 10;
const maxSlabBytes = 1 << 20;

interface Slab {
  readonly bytes: Uint8Array;
  used: number;
  liveBytes: number;
  /** Those that live here, so that they can be moved; each knows its place in this list. */
  readonly residents: Stored[];
}

/** Where some bytes live. Made by {@link Slabs.put}; moved by it, hence not to be read directly. */
export interface Stored {
  slab: Slab;
  offset: number;
  readonly length: number;
  slot: number;
}

/** See the file header. */
export class Slabs {
  #current: Slab | undefined;
  #nextBytes = firstSlabBytes;
  #sizeBytes = 0;
  #liveBytes = 0;

  /** Bytes taken from the system by buffers that hold something live. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Bytes that are stored and not released. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Copies `bytes` in. */
  put(bytes: Uint8Array): Stored {
    const slab = this.#slabFor(bytes.length);
    const stored: Stored = { slab, offset: 0, length: bytes.length, slot: 0 };
    this.#place(stored, slab, bytes);
    this.#liveBytes += bytes.length;
    return stored;
  }

  /** Gives the space back; call once. The bytes can still be read by whoever holds `stored`. */
  release(stored: Stored): void {
    const { slab } = stored;
    const last = slab.residents.pop()!;
    if (last !== stored) {
      slab.residents[stored.slot] = last;
      last.slot = stored.slot;
    }
    slab.liveBytes -= stored.length;
    this.#liveBytes -= stored.length;
    if (slab !== this.#current && slab.liveBytes * 2 < slab.bytes.length) this.#empty(slab);
  }

  #slabFor(length: number): Slab {
    if (length > maxSlabBytes >> 2) return this.#newSlab(length);
    const current = this.#current;
    if (current && current.used + length <= current.bytes.length) return current;
    const next = this.#newSlab(Math.max(this.#nextBytes, length * 2));
    this.#nextBytes = Math.min(maxSlabBytes, this.#nextBytes * 2);
    this.#current = next;
    if (current && current.liveBytes * 2 < current.bytes.length) this.#empty(current);
    return next.used + length <= next.bytes.length ? next : this.#slabFor(length);
  }

  #newSlab(sizeBytes: number): Slab {
    this.#sizeBytes += sizeBytes;
    return { bytes: new Uint8Array(sizeBytes), used: 0, liveBytes: 0, residents: [] };
  }

  #place(stored: Stored, slab: Slab, bytes: Uint8Array): void {
    slab.bytes.set(bytes, slab.used);
    stored.slab = slab;
    stored.offset = slab.used;
    stored.slot = slab.residents.push(stored) - 1;
    slab.used += bytes.length;
    slab.liveBytes += bytes.length;
  }

  #empty(slab: Slab): void {
    this.#sizeBytes -= slab.bytes.length;
    for (const stored of slab.residents) {
      const bytes = viewOf(stored);
      this.#place(stored, this.#slabFor(bytes.length), bytes);
    }
    slab.residents.length = 0;
    slab.liveBytes = 0;
  }
}

/** The bytes, without a copy. They must not be changed. */
export function viewOf(stored: Stored): Uint8Array {
  return stored.slab.bytes.subarray(stored.offset, stored.offset + stored.length);
}

/** Bytes in a buffer of their own, in the same shape: for what is short-lived and not counted. */
export function loose(bytes: Uint8Array): Stored {
  const slab: Slab = { bytes, used: bytes.length, liveBytes: 0, residents: [] };
  return { slab, offset: 0, length: bytes.length, slot: -1 };
}
