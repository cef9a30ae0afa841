/** Learns of ends by the files that monitors write into one directory: one inotify watch for all containers. */
import { type FSWatcher, mkdirSync, watch } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson } from '../json-file.ts';
import type { ExitRecord } from './container-record.ts';

/** See the file header. */
export class ExitWatch {
  readonly #dir: string;
  #watcher: FSWatcher | undefined;

  constructor(dir: string) {
    this.#dir = dir;
  }

  path(id: string): string {
    return join(this.#dir, `${id}.json`);
  }

  /** Calls back for each file that appears from now on; perhaps twice for one. */
  start(onExit: (id: string, exit: ExitRecord) => void): void {
    mkdirSync(this.#dir, { recursive: true });
    this.#watcher = watch(this.#dir, (_event, name) => {
      if (!name?.endsWith('.json')) return;
      const id = name.slice(0, -'.json'.length);
      void this.read(id).then(exit => exit && onExit(id, exit));
    });
  }

  read(id: string): Promise<ExitRecord | undefined> {
    return readJson<ExitRecord>(this.path(id));
  }

  async forget(id: string): Promise<void> {
    await rm(this.path(id), { force: true });
  }

  /** Ids of everything that has ended and was not forgotten. */
  async list(): Promise<string[]> {
    return (await readdir(this.#dir))
      .filter(name => name.endsWith('.json'))
      .map(name => name.slice(0, -'.json'.length));
  }

  close(): void {
    this.#watcher?.close();
  }
}
