/**
 * Keeps container logs short: a long one is set aside under a dated name and begun anew, older ones are compressed,
 * the oldest removed. Upstream: pkg/kubelet/logs/container_log_manager.go.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Clock, Logger } from '#base';
import type { RuntimeService } from '#cri';

export interface RotationDeps {
  readonly runtime: RuntimeService;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxSizeBytes: number;
  /** The live file among them. */
  readonly maxFiles: number;
}

/** Looks at the logs of all running containers once. Never rejects. */
export async function rotateLogs(deps: RotationDeps): Promise<void> {
  const { runtime, logger, maxSizeBytes } = deps;
  const containers = await runtime.listContainers({ state: 'RUNNING' }).catch(() => []);
  for (const { id, logPath } of containers) {
    if (logPath === '') continue;
    try {
      const size = (await stat(logPath).catch(() => undefined))?.size ?? 0;
      if (size >= maxSizeBytes) await rotate(id, logPath, deps);
    } catch (error) {
      logger.warn('log was not rotated', { container: id, error });
    }
  }
}

async function rotate(id: string, path: string, { runtime, clock, maxFiles }: RotationDeps): Promise<void> {
  const directory = dirname(path);
  const prefix = `${basename(path)}.`;
  const names = (await readdir(directory)).filter(name => name.startsWith(prefix)).sort();
  for (const name of names.filter(each => each.endsWith('.tmp'))) await rm(join(directory, name), { force: true });
  const rotated = names.filter(name => !name.endsWith('.tmp'));
  // One more is about to be made, and the live file counts.
  const excess = rotated.splice(0, Math.max(0, rotated.length - (maxFiles - 2)));
  for (const name of excess) await rm(join(directory, name), { force: true });
  for (const name of rotated) if (!name.endsWith('.gz')) await compress(join(directory, name));
  const stamp = new Date(clock.now()).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  const aside = join(directory, `${prefix}${stamp.slice(0, 8)}-${stamp.slice(8)}`);
  await rename(path, aside);
  try {
    await runtime.reopenContainerLog(id);
  } catch (error) {
    await rename(aside, path);
    throw error;
  }
}

async function compress(path: string): Promise<void> {
  const temporary = `${path}.tmp`;
  await pipeline(createReadStream(path), createGzip(), createWriteStream(temporary));
  await rename(temporary, `${path}.gz`);
  await rm(path);
}
