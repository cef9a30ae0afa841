/** Device nodes of a container and the rules of its devices cgroup. Upstream: containerd pkg/oci WithDevices. */
import { lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CriError, type Device } from '#cri';

export interface OciDevice {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface DeviceRule {
  readonly allow: boolean;
  readonly access: string;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
}

/** Names under /dev that a privileged container gets of its own instead of the host's. */
const skipped = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console', 'ptmx']);

/** The devices to make and what may be opened: all of the host's when privileged, else those asked for. */
export function containerDevices(
  wanted: readonly Device[],
  privileged: boolean,
): { devices: readonly OciDevice[]; rules: readonly DeviceRule[] } {
  if (privileged) return { devices: hostDevices('/dev'), rules: [{ allow: true, access: 'rwm' }] };
  const devices = wanted.map(each => {
    const device = describe(each.hostPath, each.containerPath, true);
    if (!device) throw new CriError('invalid', `not a device node: ${each.hostPath}`);
    return device;
  });
  const rules = devices.map((device, at) => ({
    allow: true,
    access: wanted[at]!.permissions || 'rwm',
    type: device.type,
    major: device.major,
    minor: device.minor,
  }));
  return { devices, rules: [{ allow: false, access: 'rwm' }, ...rules] };
}

function hostDevices(dir: string): OciDevice[] {
  const found: OciDevice[] = [];
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (dir === '/dev' && skipped.has(entry.name)) continue;
    const path = join(dir, entry.name);
    if (entry.isDirectory()) found.push(...hostDevices(path));
    else if (entry.isCharacterDevice() || entry.isBlockDevice()) {
      const device = describe(path, path, false);
      if (device) found.push(device);
    }
  }
  return found;
}

function describe(hostPath: string, path: string, follow: boolean): OciDevice | undefined {
  const stat = (follow ? statSync : lstatSync)(hostPath, { bigint: true, throwIfNoEntry: false });
  if (!stat?.isCharacterDevice() && !stat?.isBlockDevice()) return undefined;
  const number = stat.rdev;
  return {
    path,
    type: stat.isCharacterDevice() ? 'c' : 'b',
    // As glibc's major() and minor() take a device number apart.
    major: Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn)),
    minor: Number((number & 0xffn) | ((number >> 12n) & ~0xffn)),
    fileMode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
  };
}
