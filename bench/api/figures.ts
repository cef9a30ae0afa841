/** What the parts of the API benchmark share: figures by name, and rates. */
import type { Client } from '#client';

/** By name, with the unit in it; higher is better where the name ends in `(1/s)`, else lower. */
export type Figures = Map<string, number>;

export interface Part {
  readonly name: string;
  /** `namespace` is the part's own and is removed after it. */
  measure(bench: Bench): Promise<Figures>;
}

export interface Bench {
  readonly client: Client;
  /** A further connection of its own to the same server. */
  connect(): Client;
  readonly namespace: string;
  /** Also what takes minutes: 100,000 objects. */
  readonly large: boolean;
}

const seconds = 2;

/** Operations a second of `work`, with `workers` at a time. */
export async function rate(workers: number, work: (index: number) => Promise<unknown>): Promise<number> {
  let done = 0;
  const begin = performance.now();
  const until = begin + seconds * 1000;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (performance.now() < until) await work(done++);
    }),
  );
  return (done * 1000) / (performance.now() - begin);
}

/** Calls `work` `count` times, `workers` at a time. */
export async function times(count: number, workers: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

/** The value that `share` of the values do not pass. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/**
 * A body read to its end; its size in bytes. A server that has answered may reset the stream without an error, which
 * Node's iterator takes for a premature close.
 */
export async function drained(bytes: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  try {
    for await (const part of bytes) size += part.length;
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
  return size;
}
