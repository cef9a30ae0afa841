/** The begin of a body in pieces, for those who decide by its size what becomes of it. */

export interface LookedAhead {
  /** What was taken already. */
  readonly first: readonly Uint8Array[];
  /** Whether that is all. */
  readonly whole: boolean;
  /** The whole body again. Ending it, be it before its first piece, ends its source. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Takes pieces until they are more than `limit` bytes together, or all. */
export async function lookAhead(chunks: AsyncIterable<Uint8Array>, limit: number): Promise<LookedAhead> {
  const rest = chunks[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let whole = false;
  for (let size = 0; size <= limit && !whole; ) {
    const step = await rest.next();
    if (step.done) whole = true;
    else {
      first.push(step.value);
      size += step.value.length;
    }
  }
  return { first, whole, chunks: continued(first, rest) };
}

/** No generator: one that was never begun would not end its source. */
function continued(first: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  let at = 0;
  const iterator: AsyncIterator<Uint8Array> = {
    next: async () => (at < first.length ? { done: false, value: first[at++]! } : rest.next()),
    return: async () => (await rest.return?.()) ?? { done: true, value: undefined },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
