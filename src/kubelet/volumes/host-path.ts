/** Checks and makes what a hostPath volume names. Upstream: pkg/volume/hostpath/host_path.go. */

import type { Stats } from 'node:fs';
import { chmod, mkdir, open, stat } from 'node:fs/promises';

/** Throws with the text for a FailedMount event. */
export async function checkHostPath(path: string, type = ''): Promise<void> {
  if (type === '') return;
  const found: Stats | undefined = await stat(path).catch(() => undefined);
  if (type === 'DirectoryOrCreate' && !found) {
    await mkdir(path, { recursive: true, mode: 0o755 });
    return;
  }
  if (type === 'FileOrCreate' && !found) {
    await (await open(path, 'a', 0o644)).close();
    await chmod(path, 0o644);
    return;
  }
  const is = (what: string, right: boolean | undefined): void => {
    if (!right) throw new Error(`hostPath type check failed: ${path} is not a ${what}`);
  };
  if (type.startsWith('Directory')) is('directory', found?.isDirectory());
  else if (type.startsWith('File')) is('file', found?.isFile());
  else if (type === 'Socket') is('socket file', found?.isSocket());
  else if (type === 'CharDevice') is('character device', found?.isCharacterDevice());
  else if (type === 'BlockDevice') is('block device', found?.isBlockDevice());
  else throw new Error(`hostPath type check failed: ${type} is an invalid volume type`);
}
