/** Gives a volume to the pod's fsGroup. Upstream: pkg/volume/volume_linux.go. */
import { chmod, lchown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Everything under `path`: group `fsGroup`, group may read (and write, unless `readOnly`), directories setgid. */
export async function setVolumeOwnership(path: string, fsGroup: number, readOnly: boolean): Promise<void> {
  const stat = await lstat(path);
  if (stat.isSymbolicLink()) {
    await lchown(path, stat.uid, fsGroup);
    return;
  }
  await lchown(path, stat.uid, fsGroup);
  let mode = (stat.mode & 0o7777) | (readOnly ? 0o440 : 0o660);
  if (stat.isDirectory()) mode |= 0o2110;
  await chmod(path, mode);
  if (!stat.isDirectory()) return;
  for (const name of await readdir(path)) await setVolumeOwnership(join(path, name), fsGroup, readOnly);
}

/** Whether the top of the volume already looks as {@link setVolumeOwnership} leaves it. */
export async function isOwnedBy(path: string, fsGroup: number, readOnly: boolean): Promise<boolean> {
  const { gid, mode } = await lstat(path);
  const want = (readOnly ? 0o440 : 0o660) | 0o2110;
  return gid === fsGroup && (mode & want) === want;
}
