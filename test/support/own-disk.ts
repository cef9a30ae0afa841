/** A script of a test's own with a disk of its own, which may fill up: a tmpfs in a mount namespace that ends with it. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const inNamespace = ['-m', '--propagation', 'private'];

/** For the `skip` of a test: why there can be no such disk on this machine; false when there can. */
export function noOwnDisk(): string | false {
  const { status } = spawnSync('unshare', [...inNamespace, 'true'], { stdio: 'ignore' });
  return status === 0 ? false : 'needs the right to make a mount namespace (root)';
}

export interface OwnDiskOptions {
  /** Default: as large as the machine has it. */
  readonly sizeMegabytes?: number;
  /** 3 MB stand in the file `ballast`, for the script to make room with. */
  readonly ballast?: boolean;
}

/** What the script at `path` prints as JSON, run with the disk's path and `args`. Throws what it says when it fails. */
export async function onOwnDisk(
  path: string,
  { sizeMegabytes, ballast }: OwnDiskOptions = {},
  ...args: readonly string[]
): Promise<unknown> {
  const size = sizeMegabytes === undefined ? [] : ['-o', `size=${sizeMegabytes}M`];
  const commands = [
    `mount -t tmpfs ${size.join(' ')} tmpfs "$1"`,
    ...(ballast ? ['head -c 3000000 /dev/zero > "$1/ballast"'] : []),
    'shift && exec "$@"',
  ];
  const disk = await mkdtemp(join(tmpdir(), 'kobune-own-disk-'));
  try {
    const script = ['sh', '-c', commands.join(' && '), 'sh', disk, process.execPath, path, disk, ...args];
    const { stdout } = await promisify(execFile)('unshare', [...inNamespace, ...script]);
    return JSON.parse(stdout);
  } finally {
    await rm(disk, { recursive: true });
  }
}
