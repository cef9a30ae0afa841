/** What this machine is. Upstream: cadvisor's machine info, pkg/kubelet/nodestatus/setters.go. */
import { readFile, statfs } from 'node:fs/promises';
import { arch, availableParallelism, release, totalmem } from 'node:os';
import { join } from 'node:path';

export interface Machine {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly swapBytes: number;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly operatingSystem: string;
  /** As Go names it: amd64, arm64 … */
  readonly architecture: string;
  readonly storageBytes: number;
}

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

export async function readMachine(procfs: string, storagePath: string): Promise<Machine> {
  const text = async (path: string): Promise<string> => (await readFile(path, 'utf8').catch(() => '')).trim();
  const [meminfo, machineId, bootId, uuid, osRelease] = await Promise.all([
    text(join(procfs, 'meminfo')),
    text('/etc/machine-id'),
    text(join(procfs, 'sys/kernel/random/boot_id')),
    text('/sys/class/dmi/id/product_uuid'),
    text('/etc/os-release'),
  ]);
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;
  const disk = await statfs(storagePath).catch(() => undefined);
  return {
    cpus: availableParallelism(),
    memoryBytes: field('MemTotal') || totalmem(),
    swapBytes: field('SwapTotal'),
    machineId,
    systemUuid: uuid || machineId,
    bootId,
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?/m.exec(osRelease)?.[1] ?? 'Unknown',
    operatingSystem: process.platform === 'win32' ? 'windows' : process.platform,
    architecture: architectures[arch()] ?? arch(),
    storageBytes: disk ? disk.blocks * disk.bsize : 0,
  };
}

/** Memory that could be had now, bytes. */
export async function availableMemoryBytes(procfs: string): Promise<number> {
  const meminfo = await readFile(join(procfs, 'meminfo'), 'utf8').catch(() => '');
  return Number(/^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? 0) * 1024;
}
