/**
 * A container's root file system: the image's layers under a writable one, by overlayfs. Paths in the mount options are
 * relative to the node directory, since the kernel takes 4096 bytes of options.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '#base';
import type { Host } from '../host.ts';
import type { Launcher } from '../monitor/launcher.ts';

/** Mounts `dir`/rootfs. `layers`: their directories relative to the node directory, the lowest first. */
export async function mountRootfs(
  host: Host,
  launcher: Launcher,
  dir: string,
  layers: readonly string[],
): Promise<void> {
  const full = (name: string): string => join(host.nodeDir, dir, name);
  await Promise.all(['upper', 'work', 'rootfs'].map(name => mkdir(full(name), { recursive: true, mode: 0o755 })));
  const lower = layers.length === 0 ? ['empty'] : layers.toReversed();
  if (layers.length === 0) await mkdir(join(host.nodeDir, 'empty'), { recursive: true });
  const options = `lowerdir=${lower.join(':')},upperdir=${join(dir, 'upper')},workdir=${join(dir, 'work')}`;
  await launcher.kernel('overlay', host.nodeDir, full('rootfs'), options);
}

/** Takes it off again; nothing there is no error. The files stay. */
export async function unmountRootfs(host: Host, launcher: Launcher, dir: string): Promise<void> {
  await launcher.kernel('unmount', join(host.nodeDir, dir, 'rootfs'));
}

/** Throws a UserError when the node directory cannot hold an overlay, after trying one. */
export async function probeOverlay(host: Host, launcher: Launcher): Promise<void> {
  const dir = 'probe';
  await mkdir(join(host.nodeDir, dir, 'lower'), { recursive: true });
  await writeFile(join(host.nodeDir, dir, 'lower', 'file'), '');
  try {
    await mountRootfs(host, launcher, dir, [join(dir, 'lower')]);
  } catch (cause) {
    throw new UserError(
      `Containers need overlayfs, which does not work at ${host.nodeDir}: ${(cause as Error).message}.`,
      {
        remedy: 'Load it (modprobe overlay), or choose a state directory on ext4 or xfs with KOBUNE_ROOT.',
        cause,
      },
    );
  }
  await unmountRootfs(host, launcher, dir);
}
