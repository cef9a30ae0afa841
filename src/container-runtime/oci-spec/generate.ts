/**
 * The runtime-spec (opencontainers/runtime-spec 1.0, config.json) of one container, from CRI's config and the image's.
 * Upstream: containerd internal/cri/server/container_create.go, internal/cri/opts/spec_opts.go.
 */
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type ContainerConfig, CriError, type Mount } from '#cri';
import type { Host } from '../host.ts';
import { containerCapabilities } from './capabilities.ts';
import { containerDevices, type OciDevice } from './devices.ts';
import { ociResources } from './resources.ts';
import { defaultSeccompProfile, type SeccompProfile } from './seccomp.ts';
import type { OciUser } from './users.ts';

/** The fields of an OCI image config's `config` that a container takes over. */
export interface ImageProcess {
  readonly User?: string;
  readonly Env?: readonly string[] | null;
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
}

/** Paths of the pod's namespaces; absent means the host's own. `pid` absent with `newPid`: one of its own. */
export interface NamespacePaths {
  readonly network?: string;
  readonly ipc?: string;
  readonly uts?: string;
  readonly pid?: string;
  readonly newPid: boolean;
}

/** Everything that a spec is made of. Pure but for reading devices, a local seccomp profile, and making mount sources. */
export interface SpecInput {
  readonly host: Host;
  readonly id: string;
  readonly config: ContainerConfig;
  readonly image: ImageProcess;
  readonly user: OciUser;
  readonly namespaces: NamespacePaths;
  readonly hostname: string;
  /** Path of the container's cgroup, with the engine's prefix. */
  readonly cgroupPath: string;
  /** Files and directories of the pod: /etc/hostname, /etc/resolv.conf, /dev/shm. Mounted where the pod has none. */
  readonly podMounts: readonly Mount[];
  /** Directory of Localhost seccomp profiles. */
  readonly seccompDir: string;
}

interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The `process` part; exec sessions start from the same. */
export interface OciProcess {
  readonly terminal: boolean;
  readonly user: OciUser;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly [key: string]: unknown;
}

/** Makes the spec. Throws `invalid` when there is nothing to run. */
export function generateSpec(input: SpecInput): { readonly process: OciProcess; readonly [key: string]: unknown } {
  const { config, host, namespaces } = input;
  const security = config.securityContext;
  const capabilities = containerCapabilities(security, host.capabilities);
  const { devices, rules } = containerDevices(config.devices, security.privileged);
  const seccomp = seccompOf(input, capabilities);
  const present = (type: string, path: string | undefined): object[] => (path ? [{ type, path }] : []);
  return {
    ociVersion: '1.0.2',
    process: processOf(input, capabilities),
    root: { path: 'rootfs', readonly: security.readonlyRootfs },
    mounts: mountsOf(input),
    annotations: {},
    linux: {
      cgroupsPath: input.cgroupPath,
      namespaces: [
        { type: 'mount' },
        ...(namespaces.newPid ? [{ type: 'pid' }] : present('pid', namespaces.pid)),
        ...present('network', namespaces.network),
        ...present('ipc', namespaces.ipc),
        ...present('uts', namespaces.uts),
      ],
      resources: { devices: rules, ...ociResources(config.resources, host.cgroupMode) },
      devices: devices satisfies readonly OciDevice[],
      maskedPaths: security.privileged ? [] : security.maskedPaths,
      readonlyPaths: security.privileged ? [] : security.readonlyPaths,
      ...rootfsPropagation(config.mounts),
      ...(seccomp ? { seccomp } : {}),
    },
  };
}

function processOf(input: SpecInput, capabilities: readonly string[]): OciProcess {
  const { config, image, host } = input;
  const cwd = config.workingDir || image.WorkingDir || '/';
  const wantedOom = config.resources.oomScoreAdj;
  const privilegedOom = host.capabilities.includes('CAP_SYS_RESOURCE');
  return {
    terminal: config.tty,
    user: input.user,
    args: commandOf(config, image),
    env: environmentOf(input),
    cwd: cwd.startsWith('/') ? cwd : `/${cwd}`,
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: config.securityContext.noNewPrivs,
    ...(wantedOom === undefined
      ? {}
      : { oomScoreAdj: privilegedOom ? wantedOom : Math.max(wantedOom, host.oomScoreAdj) }),
  };
}

/** Upstream's rule: a command of the pod replaces entrypoint and arguments of the image, arguments alone only these. */
function commandOf(config: Pick<ContainerConfig, 'command' | 'args'>, image: ImageProcess): readonly string[] {
  const args =
    config.command.length > 0
      ? [...config.command, ...config.args]
      : [...(image.Entrypoint ?? []), ...(config.args.length > 0 ? config.args : (image.Cmd ?? []))];
  if (args.length === 0) throw new CriError('invalid', 'no command specified');
  return args;
}

/** The image's variables, HOSTNAME, then the pod's; a later one of the same name wins and keeps the first's place. */
function environmentOf({ config, image, hostname }: SpecInput): string[] {
  const merged = new Map<string, string>();
  const put = (assignment: string): void => {
    const at = assignment.indexOf('=');
    merged.set(at < 0 ? assignment : assignment.slice(0, at), at < 0 ? '' : assignment.slice(at + 1));
  };
  put(defaultPath);
  if (config.tty) put('TERM=xterm');
  put(`HOSTNAME=${hostname}`);
  for (const each of image.Env ?? []) put(each);
  for (const { key, value } of config.envs) merged.set(key, value);
  return [...merged].map(([key, value]) => `${key}=${value}`);
}

function mountsOf(input: SpecInput): OciMount[] {
  const { config, podMounts } = input;
  const access = config.securityContext.privileged ? 'rw' : 'ro';
  const system = (destination: string, type: string, ...options: string[]): OciMount => ({
    destination,
    type,
    source: type,
    options,
  });
  const wanted = new Set(config.mounts.map(mount => resolve('/', mount.containerPath)));
  const bound = [...podMounts.filter(mount => !wanted.has(mount.containerPath)), ...config.mounts].map(bindMount);
  const builtIn = [
    system('/proc', 'proc', 'nosuid', 'noexec', 'nodev'),
    system('/dev', 'tmpfs', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
    system('/dev/pts', 'devpts', 'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'),
    system('/dev/mqueue', 'mqueue', 'nosuid', 'noexec', 'nodev'),
    system('/sys', 'sysfs', 'nosuid', 'noexec', 'nodev', access),
    system('/sys/fs/cgroup', 'cgroup', 'nosuid', 'noexec', 'nodev', 'relatime', access),
  ].filter(mount => !wanted.has(mount.destination));
  // Outer directories before what is mounted inside them.
  const depth = (mount: OciMount): number => mount.destination.split('/').filter(part => part !== '').length;
  return [...builtIn, ...bound.sort((a, b) => depth(a) - depth(b))];
}

const propagation = { PRIVATE: 'rprivate', HOST_TO_CONTAINER: 'rslave', BIDIRECTIONAL: 'rshared' } as const;

function bindMount(mount: Mount): OciMount {
  try {
    statSync(mount.hostPath);
  } catch {
    mkdirSync(mount.hostPath, { recursive: true, mode: 0o755 });
  }
  const readonly = mount.readonly ? (mount.recursiveReadOnly ? ['rro'] : ['ro']) : ['rw'];
  return {
    destination: resolve('/', mount.containerPath),
    type: 'bind',
    source: mount.hostPath,
    options: ['rbind', propagation[mount.propagation], ...readonly],
  };
}

function rootfsPropagation(mounts: readonly Mount[]): { rootfsPropagation?: string } {
  if (mounts.some(mount => mount.propagation === 'BIDIRECTIONAL')) return { rootfsPropagation: 'rshared' };
  if (mounts.some(mount => mount.propagation === 'HOST_TO_CONTAINER')) return { rootfsPropagation: 'rslave' };
  return {};
}

function seccompOf({ config, seccompDir }: SpecInput, capabilities: readonly string[]): SeccompProfile | undefined {
  const { seccomp, privileged } = config.securityContext;
  if (privileged || !seccomp || seccomp.type === 'Unconfined') return undefined;
  if (seccomp.type === 'RuntimeDefault') return defaultSeccompProfile(capabilities);
  const path = join(seccompDir, seccomp.localhostRef ?? '');
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as SeccompProfile;
  } catch (cause) {
    throw new CriError('invalid', `cannot load seccomp profile "${path}": ${(cause as Error).message}`, { cause });
  }
}
