/** One holder a key; the others wait in the order in which they came. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** Resolves when the key is this caller's. The answer gives it back, and may be called more than once. */
  async acquire(key: string): Promise<() => void> {
    const before = this.#tails.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tails.set(key, promise);
    await before;
    return () => {
      if (this.#tails.get(key) === promise) this.#tails.delete(key);
      resolve();
    };
  }
}
