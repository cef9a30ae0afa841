/** Hands what happens to every listener, each with a queue of its own, in order and without loss. */

/** See the file header. */
export class EventHub<T> {
  readonly #listeners = new Set<(event: T) => void>();

  emit(event: T): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Everything from this call on (not from the first `next`); ends when the signal aborts. */
  listen(signal: AbortSignal): AsyncIterable<T> {
    const queue: T[] = [];
    let wake = (): void => {};
    const listener = (event: T): void => {
      queue.push(event);
      wake();
    };
    const stop = (): void => {
      this.#listeners.delete(listener);
      wake();
    };
    if (!signal.aborted) {
      this.#listeners.add(listener);
      signal.addEventListener('abort', stop, { once: true });
    }
    return (async function* () {
      try {
        while (!signal.aborted) {
          if (queue.length > 0) yield queue.shift()!;
          else await new Promise<void>(resolve => (wake = resolve));
        }
      } finally {
        signal.removeEventListener('abort', stop);
        stop();
      }
    })();
  }
}
