/**
 * Everything of the machine that the engine touches: directories, the cgroup hierarchies, what this process may do.
 * One value made at the start and passed on, so that a rootless engine is another such value.
 */
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

/** How the machine's control groups are mounted. `hybrid`: v1 controllers with a v2 hierarchy beside them. */
export type CgroupMode = 'v1' | 'hybrid' | 'v2';

/** See the file header. All paths are absolute. */
export interface Host {
  /** State that survives a reboot: images, layers, containers. On a file system that overlayfs accepts. */
  readonly nodeDir: string;
  /** Sockets, pinned namespaces and the low-level runtime's state; empty after a reboot. Short: sockets have 108 bytes. */
  readonly runDir: string;
  /** Where network namespaces are pinned, as `ip netns` has it. */
  readonly netnsDir: string;
  readonly cgroupRoot: string;
  readonly cgroupMode: CgroupMode;
  /** True when the v2 hierarchy of a hybrid machine holds a controller, which crun refuses to work beside. */
  readonly unifiedHoldsControllers: boolean;
  /** Begins every cgroup path of this engine, as `/kobune/0a1b2c`. */
  readonly cgroupPrefix: string;
  /** Changes with every boot. */
  readonly bootId: string;
  /** This process's own `oom_score_adj`, below which nobody goes without CAP_SYS_RESOURCE. */
  readonly oomScoreAdj: number;
  /** Names (CAP_…) of the capabilities that this process can pass on. */
  readonly capabilities: readonly string[];
}

const cgroup2Magic = 0x63677270;

/** Capabilities by number. Upstream: linux/capability.h. */
const capabilityNames: readonly string[] =
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
  NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
  SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
  MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
    .split(/\s+/)
    .map(name => `CAP_${name}`);

/** Looks at this machine. `cgroupPrefix` begins with a slash. */
export function detectHost(paths: {
  readonly nodeDir: string;
  readonly runDir: string;
  readonly cgroupPrefix: string;
}): Host {
  const cgroupRoot = '/sys/fs/cgroup';
  const unified = join(cgroupRoot, 'unified');
  const isV2 = (path: string): boolean => existsSync(path) && statfsSync(path).type === cgroup2Magic;
  const cgroupMode = isV2(cgroupRoot) ? 'v2' : isV2(unified) ? 'hybrid' : 'v1';
  const bounding = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`);
  return {
    ...paths,
    netnsDir: '/run/netns',
    cgroupRoot,
    cgroupMode,
    unifiedHoldsControllers:
      cgroupMode === 'hybrid' && readFileSync(join(unified, 'cgroup.controllers'), 'utf8').trim() !== '',
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    oomScoreAdj: Number(readFileSync('/proc/self/oom_score_adj', 'utf8')),
    capabilities: capabilityNames.filter((_, bit) => (bounding >> BigInt(bit)) & 1n),
  };
}
