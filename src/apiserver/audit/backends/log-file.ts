/**
 * A log file that is moved aside when it has grown to its size, and of whose older parts so many are kept, for so long,
 * compressed if asked for. Upstream: gopkg.in/natefinch/lumberjack.v2, whose names of files these are.
 *
 * Deviation: of a line that did not fit on the disk nothing stays, so that the next is not joined to its half.
 */
import {
  chownSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import type { Clock } from '#base';
import { tidyBackups } from './log-backups.ts';

export interface LogFileOptions {
  readonly path: string;
  /** Zero: it is never moved aside. */
  readonly maxSizeBytes: number;
  /** Zero: none is removed for its age. */
  readonly maxAgeDays: number;
  /** Zero: all are kept. */
  readonly maxBackups: number;
  readonly compress: boolean;
}

/** Creates the file and its folder if need be. Throws what the file system says. */
export function ensureLogFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a+', 0o600));
}

export class LogFile {
  readonly #options: LogFileOptions;
  readonly #clock: Clock;
  #file: number | undefined;
  #sizeBytes = 0;
  /** Removing and compressing, one round after another. */
  #tidying: Promise<void> = Promise.resolve();

  constructor(options: LogFileOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Writes all of it, or throws. */
  write(bytes: Uint8Array): void {
    const { maxSizeBytes: max } = this.#options;
    if (max > 0 && bytes.length > max) {
      throw new Error(`write length ${bytes.length} exceeds maximum file size ${max}`);
    }
    this.#file ??= this.#openExisting(bytes.length);
    if (max > 0 && this.#sizeBytes + bytes.length > max) this.#rotate();
    this.#append(this.#file!, bytes);
  }

  /** What was begun with older parts is done. */
  async close(): Promise<void> {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    await this.#tidying;
  }

  #append(file: number, bytes: Uint8Array): void {
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(file, bytes, written);
    } catch (error) {
      if (written > 0) ftruncateSync(file, this.#sizeBytes);
      throw error;
    }
    this.#sizeBytes += written;
  }

  #openExisting(length: number): number {
    const { path, maxSizeBytes: max } = this.#options;
    if (max > 0) this.#tidy();
    const known = statSync(path, { throwIfNoEntry: false });
    if (!known) return this.#openNew();
    if (max > 0 && known.size + length >= max) return this.#openNew();
    const file = openSync(path, 'a');
    this.#sizeBytes = fstatSync(file).size;
    return file;
  }

  #rotate(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#file = this.#openNew();
    this.#tidy();
  }

  /** A fresh file with the mode and owner of the one that is moved aside. */
  #openNew(): number {
    const { path } = this.#options;
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    const old = statSync(path, { throwIfNoEntry: false });
    if (old) renameSync(path, this.#backupName());
    // To append, so that a file which somebody cuts does not begin with a hole.
    const file = openSync(path, 'a', old ? old.mode & 0o7777 : 0o600);
    if (old) chownSync(path, old.uid, old.gid);
    this.#sizeBytes = 0;
    return file;
  }

  /** `audit-2026-11-04T18-30-00.000.log` */
  #backupName(): string {
    const { path } = this.#options;
    const extension = extname(path);
    const time = new Date(this.#clock.now()).toISOString().slice(0, -1).replaceAll(':', '-');
    return join(dirname(path), `${basename(path, extension)}-${time}${extension}`);
  }

  #tidy(): void {
    const { path, maxBackups, maxAgeDays, compress } = this.#options;
    if (maxBackups === 0 && maxAgeDays === 0 && !compress) return;
    const options = { path, maxBackups, maxAgeDays, compress, nowMs: () => this.#clock.now() };
    // What fails is tried again with the next round.
    this.#tidying = this.#tidying.then(() => tidyBackups(options)).catch(() => {});
  }
}
