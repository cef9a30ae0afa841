/**
 * Streams a container's log: the end of it or from a time on, and what comes while it runs.
 * Upstream: k8s.io/cri-client pkg/logs/logs.go (ReadLogs).
 */
import { watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Clock } from '#base';
import { type LogLine, parseLogLine, tailOffset } from './cri-log.ts';

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number | undefined;
  readonly limitBytes?: number | undefined;
  /** Wall milliseconds; older lines are left out. */
  readonly sinceMs?: number | undefined;
  readonly stream: 'All' | 'Stdout' | 'Stderr';
}

export interface LogSource {
  readonly path: string;
  /** Whether more may come. */
  running(): Promise<boolean>;
}

const chunkBytes = 64 * 1024;
const newline = 0x0a;
const longestWaitMs = 1000;

/** Pieces of the log as they are to be sent. Ends when the container does, or when `signal` aborts. */
export async function* readLogs(
  source: LogSource,
  options: LogOptions,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): AsyncGenerator<Buffer> {
  let file = await open(source.path);
  const changes = options.follow ? watchFile(source.path, clock, signal) : undefined;
  const writer = new LineWriter(options);
  try {
    let at = await tailOffset(file, options.tailLines ?? -1);
    let rest: Buffer = Buffer.alloc(0);
    let last = false;
    while (!signal.aborted) {
      const chunk = Buffer.alloc(chunkBytes);
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      if (bytesRead > 0) {
        at += bytesRead;
        const lines = splitKeepingRest(Buffer.concat([rest, chunk.subarray(0, bytesRead)]));
        rest = lines.rest;
        const out = writer.write(lines.complete);
        if (out.length > 0) yield out;
        if (writer.full) return;
        continue;
      }
      const rotated = changes && (await reopened(source.path, file, at));
      if (rotated) {
        await file.close();
        file = rotated;
        at = 0;
        continue;
      }
      if (!changes || last) return;
      const seen = changes.count;
      if (await source.running()) await changes.next(seen);
      else last = true;
    }
  } finally {
    changes?.close();
    await file.close();
  }
}

/** The new file, when the log was rotated. */
async function reopened(path: string, old: FileHandle, at: number): Promise<FileHandle | undefined> {
  const fresh = await open(path).catch(() => undefined);
  if (!fresh) return undefined;
  const [a, b] = await Promise.all([old.stat(), fresh.stat()]);
  if (a.ino !== b.ino || b.size < at) return fresh;
  await fresh.close();
  return undefined;
}

function splitKeepingRest(bytes: Buffer): { complete: Buffer[]; rest: Buffer } {
  const complete: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
    complete.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return { complete, rest: bytes.subarray(start) };
}

class LineWriter {
  full = false;
  readonly #options: LogOptions;
  #left: number;
  #newLine = true;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  write(lines: readonly Buffer[]): Buffer {
    const parts: Buffer[] = [];
    for (const raw of lines) {
      const line = parseLogLine(raw);
      if (!line || !this.#wanted(line)) continue;
      const text = this.#render(line);
      parts.push(text.subarray(0, this.#left));
      this.#left -= text.length;
      this.full = this.#left <= 0;
      if (this.full) break;
    }
    return Buffer.concat(parts);
  }

  #wanted({ timestamp, stream }: LogLine): boolean {
    const { sinceMs, stream: which } = this.#options;
    if (which !== 'All' && which.toLowerCase() !== stream) return false;
    return sinceMs === undefined || Date.parse(timestamp) >= sinceMs;
  }

  #render(line: LogLine): Buffer {
    const parts = [line.text];
    if (this.#options.timestamps && this.#newLine) parts.unshift(Buffer.from(`${line.timestamp} `));
    if (!line.partial) parts.push(Buffer.from('\n'));
    this.#newLine = !line.partial;
    return Buffer.concat(parts);
  }
}

interface Changes {
  readonly count: number;
  /** Resolves when there was a change after the `seen`-th, at the latest after a second. */
  next(seen: number): Promise<void>;
  close(): void;
}

/** Changes of the file, by the kernel's word. The time-out is a safeguard for file systems that tell nothing. */
function watchFile(path: string, clock: Clock, signal: AbortSignal): Changes {
  let count = 0;
  let wake = Promise.withResolvers<void>();
  const changed = (): void => {
    count++;
    wake.resolve();
    wake = Promise.withResolvers<void>();
  };
  const name = basename(path);
  const watcher = watch(dirname(path), { persistent: false }, (_event, file) => {
    if (file === null || file === name) changed();
  });
  watcher.on('error', () => {});
  signal.addEventListener('abort', changed, { once: true });
  return {
    get count() {
      return count;
    },
    async next(seen) {
      if (count !== seen || signal.aborted) return;
      const timer = clock.setTimer(changed, longestWaitMs);
      await wake.promise;
      timer.cancel();
    },
    close() {
      signal.removeEventListener('abort', changed);
      watcher.close();
    },
  };
}
