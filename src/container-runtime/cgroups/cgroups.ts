/**
 * Control groups of the engine's containers on v1, v2 and hybrid machines. The low-level runtime makes and limits a
 * container's group; this reads its figures, kills what is in it, and removes groups that nobody else removes.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Host } from '../host.ts';

/** What a group has used. Working set: memory that cannot be taken back at once. */
export interface CgroupUsage {
  readonly cpuUsageCoreNanoSeconds: number;
  readonly memoryUsageBytes: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryRssBytes: number;
}

/** See the file header. Paths are those of `linux.cgroupsPath`, relative to each hierarchy. */
export class Cgroups {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /** The engine's path for a group of the pod: prefix (unless it is there already), pod, and the container's id when given. */
  path(cgroupParent: string, containerId = ''): string {
    const { cgroupPrefix } = this.#host;
    const parent = join('/', cgroupParent);
    const whole = parent === cgroupPrefix || parent.startsWith(`${cgroupPrefix}/`);
    return join(whole ? '/' : cgroupPrefix, parent, containerId);
  }

  /** The file whose `oom_kill N` line counts kills for want of memory. */
  oomFile(path: string): string {
    const { cgroupMode } = this.#host;
    return cgroupMode === 'v2'
      ? join(this.#host.cgroupRoot, path, 'memory.events')
      : join(this.#host.cgroupRoot, 'memory', path, 'memory.oom_control');
  }

  /** Undefined when the group is not there. */
  usage(path: string): CgroupUsage | undefined {
    try {
      return this.#host.cgroupMode === 'v2' ? this.#usageV2(path) : this.#usageV1(path);
    } catch {
      return undefined;
    }
  }

  /** Sends SIGKILL to every process in the group and below; nothing there is no error. */
  killAll(path: string): void {
    const dir = this.#host.cgroupMode === 'v2' ? join(this.#host.cgroupRoot, path) : this.#v1('pids', path);
    if (!existsSync(dir)) return;
    const all = join(dir, 'cgroup.kill');
    if (existsSync(all)) {
      writeFileSync(all, '1');
      return;
    }
    for (const pid of this.#processes(dir)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended meanwhile.
      }
    }
  }

  /** Removes the group and those below in every hierarchy. A group that still has processes stays. */
  remove(path: string): void {
    for (const hierarchy of this.#hierarchies()) removeTree(join(hierarchy, path));
  }

  /** Removes everything of the engine, and the group above when nobody else uses it. */
  removeAll(): void {
    const { cgroupPrefix } = this.#host;
    this.remove(cgroupPrefix);
    for (const hierarchy of this.#hierarchies()) {
      const above = join(hierarchy, dirname(cgroupPrefix));
      if (above === hierarchy || !existsSync(above)) continue;
      try {
        rmdirSync(above);
      } catch {
        // Another engine's groups are in it.
      }
    }
  }

  /** Makes a group for processes of the engine itself and answers the files that take them in. */
  makeOwn(name: string): string[] {
    // Only the hierarchies by which a service manager tells what belongs to a service.
    const { cgroupRoot, cgroupMode } = this.#host;
    const roots = cgroupMode === 'v2' ? [cgroupRoot] : [join(cgroupRoot, 'systemd'), join(cgroupRoot, 'unified')];
    const files: string[] = [];
    for (const root of roots) {
      const dir = join(root, this.#host.cgroupPrefix, name);
      if (!existsSync(join(root, 'cgroup.procs'))) continue;
      mkdirSync(dir, { recursive: true });
      files.push(join(dir, 'cgroup.procs'));
    }
    return files;
  }

  #v1(controller: string, path: string): string {
    return join(this.#host.cgroupRoot, controller, path);
  }

  #usageV1(path: string): CgroupUsage {
    const memory = this.#v1('memory', path);
    const stat = keyed(join(memory, 'memory.stat'));
    const usage = number(join(memory, 'memory.usage_in_bytes'));
    return {
      cpuUsageCoreNanoSeconds: number(join(this.#v1('cpuacct', path), 'cpuacct.usage')),
      memoryUsageBytes: usage,
      memoryWorkingSetBytes: Math.max(0, usage - (stat.get('total_inactive_file') ?? 0)),
      memoryRssBytes: stat.get('total_rss') ?? 0,
    };
  }

  #usageV2(path: string): CgroupUsage {
    const dir = join(this.#host.cgroupRoot, path);
    const stat = keyed(join(dir, 'memory.stat'));
    const usage = number(join(dir, 'memory.current'));
    return {
      cpuUsageCoreNanoSeconds: (keyed(join(dir, 'cpu.stat')).get('usage_usec') ?? 0) * 1000,
      memoryUsageBytes: usage,
      memoryWorkingSetBytes: Math.max(0, usage - (stat.get('inactive_file') ?? 0)),
      memoryRssBytes: stat.get('anon') ?? 0,
    };
  }

  #processes(dir: string): number[] {
    const own = readFileSync(join(dir, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    const below = readdirSync(dir, { withFileTypes: true }).filter(entry => entry.isDirectory());
    return [...own, ...below.flatMap(entry => this.#processes(join(dir, entry.name)))];
  }

  #hierarchies(): string[] {
    const { cgroupRoot, cgroupMode } = this.#host;
    if (cgroupMode === 'v2') return [cgroupRoot];
    return readdirSync(cgroupRoot, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => join(cgroupRoot, entry.name));
  }
}

function removeTree(dir: string): void {
  if (!existsSync(dir)) return;
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(dir, entry.name));
  }
  try {
    rmdirSync(dir);
  } catch {
    // A process is ending in it; whoever removes the group above tries again.
  }
}

const number = (file: string): number => Number(readFileSync(file, 'utf8'));

function keyed(file: string): Map<string, number> {
  return new Map(
    readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map(line => line.split(' '))
      .map(([key, value]) => [key!, Number(value)]),
  );
}
