/**
 * The newest durable states of keys that were written lately, so that a read before the next write of the same object
 * (leases, statuses) does not cross to the worker. Every change passes here in order, hence what is here is current.
 */
import type { KeyValue } from '../contract.ts';

/** Bounded by the bytes of its values; the longest unwritten goes first. */
export class RecentValues {
  readonly #maxBytes: number;
  readonly #byKey = new Map<string, KeyValue>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(key: string): KeyValue | undefined {
    return this.#byKey.get(key);
  }

  put(kv: KeyValue): void {
    this.delete(kv.key);
    if (kv.value.length > this.#maxBytes >> 4) return;
    this.#byKey.set(kv.key, kv);
    this.#bytes += kv.value.length;
    for (const key of this.#byKey.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.delete(key);
    }
  }

  delete(key: string): void {
    const known = this.#byKey.get(key);
    if (!known) return;
    this.#byKey.delete(key);
    this.#bytes -= known.value.length;
  }
}
