/**
 * What directories take on disk, for stats. Walking one can take long, so an answer is kept: for ever when the directory
 * does not change, else for ten seconds or a hundred times as long as the walk took, whichever is more. Nobody waits for
 * a walk that only freshens an answer.
 */
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#base';

export interface DirectoryUsage {
  readonly bytes: number;
  readonly inodes: number;
}

interface Answer {
  usage: DirectoryUsage;
  freshUntilMs: number;
  walking: boolean;
}

const minimumFreshMs = 10_000;
const freshPerWalk = 100;

/** See the file header. */
export class DiskUsage {
  readonly #clock: Clock;
  readonly #answers = new Map<string, Answer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `immutable`: the directory never changes while it exists. A missing directory takes nothing. */
  async of(dir: string, options: { readonly immutable?: boolean } = {}): Promise<DirectoryUsage> {
    const known = this.#answers.get(dir);
    if (!known) return this.#walk(dir, options.immutable === true);
    if (this.#clock.monotonicMs() > known.freshUntilMs && !known.walking) {
      known.walking = true;
      void this.#walk(dir, false);
    }
    return known.usage;
  }

  /** Forgets every directory that `keep` refuses. */
  prune(keep: (dir: string) => boolean): void {
    for (const dir of this.#answers.keys()) if (!keep(dir)) this.#answers.delete(dir);
  }

  async #walk(dir: string, immutable: boolean): Promise<DirectoryUsage> {
    const begin = this.#clock.monotonicMs();
    const usage = await walk(dir);
    const end = this.#clock.monotonicMs();
    const freshMs = Math.max(minimumFreshMs, freshPerWalk * (end - begin));
    this.#answers.set(dir, {
      usage,
      freshUntilMs: immutable ? Number.POSITIVE_INFINITY : end + freshMs,
      walking: false,
    });
    return usage;
  }
}

async function walk(dir: string): Promise<DirectoryUsage> {
  let bytes = 0;
  let inodes = 0;
  const todo = [dir];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    const entries = await opendir(at).catch(() => undefined); // it may go while we look
    if (!entries) continue;
    for await (const entry of entries) {
      const path = join(at, entry.name);
      const stat = await lstat(path).catch(() => undefined);
      if (!stat) continue;
      inodes++;
      bytes += stat.blocks * 512;
      if (entry.isDirectory()) todo.push(path);
    }
  }
  return { bytes, inodes };
}
