/** Blobs by digest under `content/sha256`. A blob is there completely or not at all, and is what its name says. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, type ReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CriError } from '#cri';

/** A blob's name and size. */
export interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

/** `sha256:…` of the bytes. */
export function digestOf(data: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

/** See the file header. */
export class ContentStore {
  readonly #dir: string;
  #temporary = 0;

  /** `dir`: the node directory. */
  constructor(dir: string) {
    this.#dir = join(dir, 'content', 'sha256');
  }

  path(digest: string): string {
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw new CriError('invalid', `unsupported digest "${digest}"`);
    return join(this.#dir, digest.slice('sha256:'.length));
  }

  async has(digest: string): Promise<boolean> {
    return (await stat(this.path(digest)).catch(() => undefined)) !== undefined;
  }

  /** Rejects when it is not there. */
  async size(digest: string): Promise<number> {
    return (await stat(this.path(digest))).size;
  }

  read(digest: string): ReadStream {
    return createReadStream(this.path(digest), { highWaterMark: 1 << 20 });
  }

  /** The whole blob as JSON; for manifests and configs. */
  async readJson<T>(digest: string): Promise<T> {
    return JSON.parse(await readFile(this.path(digest), 'utf8')) as T;
  }

  /** Stores what the stream brings. Rejects, keeping nothing, when it is not `expected`. */
  async write(
    source: Readable | AsyncIterable<Uint8Array> | Uint8Array,
    expected?: Partial<Descriptor>,
  ): Promise<Descriptor> {
    await mkdir(this.#dir, { recursive: true });
    const temporary = join(this.#dir, `.tmp-${process.pid}-${this.#temporary++}`);
    const hash = createHash('sha256');
    let size = 0;
    const measured = async function* (input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of input) {
        hash.update(chunk);
        size += chunk.length;
        if (expected?.size !== undefined && size > expected.size) {
          throw new CriError('imagePull', `blob ${expected.digest} is longer than its ${expected.size} bytes`);
        }
        yield chunk;
      }
    };
    try {
      await pipeline(source instanceof Uint8Array ? [source] : source, measured, createWriteStream(temporary));
      const digest = `sha256:${hash.digest('hex')}`;
      if (expected?.digest !== undefined && digest !== expected.digest) {
        throw new CriError('imagePull', `blob has digest ${digest}, expected ${expected.digest}`);
      }
      await rename(temporary, this.path(digest));
      return { digest, size };
    } catch (cause) {
      await rm(temporary, { force: true });
      throw cause;
    }
  }

  async remove(digest: string): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  /** Every complete blob. */
  async list(): Promise<string[]> {
    const names = await readdir(this.#dir).catch(() => []);
    return names.filter(name => /^[0-9a-f]{64}$/.test(name)).map(name => `sha256:${name}`);
  }
}
