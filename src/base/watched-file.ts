/**
 * A file whose changes take effect without a restart: looked at when its directory says that something happened, and
 * now and then in any case, as editors, mounts of ConfigMaps and network file systems change files in many ways.
 * Upstream: apiserver pkg/util/filesystem WatchUntil, pkg/server/dynamiccertificates.
 */
import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from './clock.ts';

export interface WatchedFileOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called one after another, never at the same time; it reads the file and decides whether anything changed. */
  readonly onChange: () => void | Promise<void>;
  /** How often to look when nothing was heard; default a minute. */
  readonly periodMs?: number;
}

/** Begins to watch; ends with the signal. Does not keep the process alive. `onChange` must not throw. */
export function watchFile(path: string, options: WatchedFileOptions): void {
  const { clock, signal, onChange, periodMs = 60_000 } = options;
  if (signal.aborted) return;
  let isRunning = false;
  let again = false;
  const check = async (): Promise<void> => {
    if (isRunning) {
      again = true;
      return;
    }
    isRunning = true;
    do {
      again = false;
      await onChange();
    } while (again && !signal.aborted);
    isRunning = false;
  };
  const ticker = clock.setTicker(() => void check(), periodMs);
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(dirname(path), { persistent: false }, () => void check());
    watcher.on('error', () => watcher?.close());
  } catch {
    // No directory to watch, or no watches left: the ticker does.
  }
  const stop = (): void => {
    ticker.cancel();
    watcher?.close();
  };
  signal.addEventListener('abort', stop, { once: true });
}
