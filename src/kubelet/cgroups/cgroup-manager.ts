/**
 * The tree of cgroups that pods live in: /kubepods, its two tiers, one a pod. Works on the first hierarchy, on the
 * unified one, and on both side by side. Upstream: pkg/kubelet/cm/{cgroup_manager_linux,qos_container_manager_linux}.go.
 */
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '#base';
import type { Pod } from '../api-objects.ts';
import { podCgroupPath, podResources, quotaPeriodUs } from './resources.ts';

/** Controllers of the first hierarchy that the engine's containers are put in. */
const v1Controllers = [
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'pids',
  'blkio',
  'devices',
  'freezer',
  'hugetlb',
  'net_cls',
  'net_prio',
  'perf_event',
];

export interface CgroupManager {
  /** Makes the pod's cgroup and sets its resources; harmless when it is there. */
  ensurePod(pod: Pod): Promise<void>;
  /** Removes it and what is left in it; processes must have ended. */
  removePod(pod: Pod): Promise<void>;
  /** Removes all pod cgroups but those of `uids`. */
  removeOthers(uids: ReadonlySet<string>): Promise<void>;
  /** Everything of this manager's; called when the node is taken down. */
  removeAll(): Promise<void>;
}

/** For machines or tests where pods get no cgroup of their own. */
export const noCgroups: CgroupManager = Object.freeze({
  ensurePod: async () => {},
  removePod: async () => {},
  removeOthers: async () => {},
  removeAll: async () => {},
});

export async function createCgroupManager(options: {
  readonly root: string;
  readonly prefix: string;
  readonly parent: string;
  readonly logger: Logger;
}): Promise<CgroupManager> {
  const { root, prefix, parent, logger } = options;
  const unified = await exists(join(root, 'cgroup.controllers'));
  const mounts = unified ? [root] : await v1Mounts(root);
  const base = `${prefix}${parent === '/' ? '' : parent}/kubepods`;
  const each = async (path: string, work: (directory: string, mount: string) => Promise<void>): Promise<void> => {
    await Promise.all(mounts.map(mount => work(join(mount, path), mount)));
  };
  const make = async (path: string): Promise<void> => {
    await each(path, async (directory, mount) => {
      if (unified) await delegate(mount, path);
      await mkdir(directory, { recursive: true });
      if (!unified && mount.endsWith('cpuset')) await inheritCpuset(mount, path);
    });
  };
  const set = async (path: string, values: Readonly<Record<string, string>>): Promise<void> => {
    for (const [file, value] of Object.entries(values)) {
      const controller = file.slice(0, file.indexOf('.'));
      const targets = unified ? mounts : mounts.filter(mount => controllersOf(mount).includes(controller));
      for (const mount of targets.slice(0, 1)) {
        await writeFile(join(mount, path, file), value).catch(error =>
          logger.debug('cgroup setting was refused', { path, file, error }),
        );
      }
    }
  };
  const shares = (value: number): Readonly<Record<string, string>> =>
    unified ? { 'cpu.weight': String(weightOfShares(value)) } : { 'cpu.shares': String(value) };
  let ready: Promise<void> | undefined;
  const ensureTiers = async (): Promise<void> => {
    await make(`${base}/burstable`);
    await make(`${base}/besteffort`);
    await set(`${base}/besteffort`, shares(2));
  };
  const remove = (path: string): Promise<void> => each(path, directory => removeTree(directory));
  return {
    async ensurePod(pod) {
      ready ??= ensureTiers();
      await ready;
      const path = prefix + podCgroupPath(pod, parent);
      await make(path);
      const { cpuShares, cpuQuotaUs, memoryLimitBytes } = podResources(pod);
      await set(path, shares(cpuShares));
      if (cpuQuotaUs !== undefined) {
        await set(
          path,
          unified
            ? { 'cpu.max': `${cpuQuotaUs} ${quotaPeriodUs}` }
            : { 'cpu.cfs_period_us': String(quotaPeriodUs), 'cpu.cfs_quota_us': String(cpuQuotaUs) },
        );
      }
      if (memoryLimitBytes !== undefined) {
        await set(path, { [unified ? 'memory.max' : 'memory.limit_in_bytes']: String(memoryLimitBytes) });
      }
    },
    removePod: pod => remove(prefix + podCgroupPath(pod, parent)),
    async removeOthers(uids) {
      for (const tier of [base, `${base}/burstable`, `${base}/besteffort`]) {
        await each(tier, async directory => {
          for (const name of await readdir(directory).catch(() => [])) {
            if (name.startsWith('pod') && !uids.has(name.slice(3))) await removeTree(join(directory, name));
          }
        });
      }
    },
    removeAll: () => remove(base),
  };
}

function controllersOf(mount: string): string[] {
  return mount.slice(mount.lastIndexOf('/') + 1).split(',');
}

async function v1Mounts(root: string): Promise<string[]> {
  const names = await readdir(root, { withFileTypes: true }).catch(() => []);
  return names
    .filter(entry => entry.isDirectory() && entry.name.split(',').some(name => v1Controllers.includes(name)))
    .map(entry => join(root, entry.name));
}

async function exists(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  );
}

/** Hands the controllers down to `path`, level by level. */
async function delegate(mount: string, path: string): Promise<void> {
  const wanted = '+cpu +cpuset +memory +pids +io';
  let at = mount;
  for (const part of path.split('/').filter(Boolean)) {
    for (const controller of wanted.split(' ')) {
      await writeFile(join(at, 'cgroup.subtree_control'), controller).catch(() => {});
    }
    at = join(at, part);
    await mkdir(at, { recursive: true });
  }
}

/** A cpuset without processors or memory nodes takes no process: it gets its parent's. */
async function inheritCpuset(mount: string, path: string): Promise<void> {
  let at = mount;
  for (const part of path.split('/').filter(Boolean)) {
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const own = join(at, part, file);
      if ((await readFile(own, 'utf8').catch(() => '-')).trim() !== '') continue;
      await writeFile(own, await readFile(join(at, file), 'utf8')).catch(() => {});
    }
    at = join(at, part);
  }
}

/** Children first; what is busy stays. */
async function removeTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(directory, entry.name));
  await rmdir(directory).catch(() => {});
}

/** Shares 2 to 262144 as a weight 1 to 10000. */
function weightOfShares(shares: number): number {
  return 1 + Math.trunc(((shares - 2) * 9999) / 262_142);
}
