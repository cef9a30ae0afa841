/**
 * What the engine is told about a container. Upstream: pkg/kubelet/kuberuntime/kuberuntime_container.go
 * (generateContainerConfig, makeMounts), pkg/kubelet/kubelet_pods.go (GenerateRunContainerOptions, makeMounts).
 */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '#base';
import type { ContainerConfig, ImageInfo, LinuxResources, Mount } from '#cri';
import type { Container, Pod } from '../api-objects.ts';
import { expand } from '../env/expansion.ts';
import { resolveSubPath, subPathOf } from '../volumes/sub-path.ts';
import type { MountedVolume } from '../volumes/volume-manager.ts';
import { hostNetworkHostsFile, hostsFile } from './dns.ts';
import { containerAnnotations, containerLabels } from './labels.ts';
import { linuxSecurity, verifyRunAsNonRoot } from './security.ts';

export interface ContainerInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly restartCount: number;
  readonly imageRef: string;
  readonly image: Pick<ImageInfo, 'uid' | 'username'>;
  readonly podIps: readonly string[];
  readonly env: ReadonlyArray<{ readonly key: string; readonly value: string }>;
  readonly volumes: ReadonlyMap<string, MountedVolume>;
  readonly resources: LinuxResources;
  /** Container whose processes an ephemeral container wants to see. */
  readonly targetId?: string;
}

export interface ContainerSurroundings {
  readonly random: Random;
  /** The pod's directory. */
  readonly directory: string;
  readonly clusterDomain: string;
}

const propagations = {
  None: 'PRIVATE',
  HostToContainer: 'HOST_TO_CONTAINER',
  Bidirectional: 'BIDIRECTIONAL',
} as const;

/** Throws an Error whose message is fit for a CreateContainerConfigError. Writes /etc/hosts and the message file. */
export async function containerConfig(input: ContainerInput, around: ContainerSurroundings): Promise<ContainerConfig> {
  const { pod, container, restartCount, env } = input;
  verifyRunAsNonRoot(pod, container, input.image);
  const values = new Map(env.map(({ key, value }) => [key, value]));
  const expanded = (texts: readonly string[] | undefined): string[] =>
    (texts ?? []).map(text => expand(text, name => values.get(name)));
  const stopSignal = container.lifecycle?.stopSignal;
  return {
    metadata: { name: container.name, attempt: restartCount },
    image: input.imageRef,
    command: expanded(container.command),
    args: expanded(container.args),
    workingDir: container.workingDir ?? '',
    envs: env,
    mounts: await mounts(input, around, values),
    devices: [],
    labels: containerLabels(container, pod),
    annotations: containerAnnotations(container, pod, restartCount),
    logPath: `${container.name}/${restartCount}.log`,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    resources: input.resources,
    securityContext: linuxSecurity(pod, container, input.image, input.targetId, []),
    ...(stopSignal && { stopSignal }),
  };
}

async function mounts(
  { pod, container, podIps, volumes }: ContainerInput,
  around: ContainerSurroundings,
  env: ReadonlyMap<string, string>,
): Promise<Mount[]> {
  const result: Mount[] = [];
  for (const mount of container.volumeMounts ?? []) {
    const volume = volumes.get(mount.name);
    if (!volume) throw new Error(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    const subPath = subPathOf(mount, env);
    const hostPath = subPath
      ? await resolveSubPath(volume.hostPath, subPath, mount.name, container.name)
      : volume.hostPath;
    const propagation = propagations[(mount.mountPropagation ?? 'None') as keyof typeof propagations];
    if (!propagation) throw new Error(`invalid MountPropagation mode: "${mount.mountPropagation}"`);
    result.push({
      containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
      hostPath,
      readonly: (mount.readOnly ?? false) || volume.readOnly,
      propagation,
    });
  }
  const ownHosts = result.some(mount => mount.containerPath === '/etc/hosts');
  if (!ownHosts && (podIps.length > 0 || pod.spec.hostNetwork)) result.push(await hostsMount(pod, podIps, around));
  const message = container.terminationMessagePath;
  if (message) result.push(await messageMount(container, message, around));
  return result;
}

async function hostsMount(
  pod: Pod,
  podIps: readonly string[],
  { directory, clusterDomain }: ContainerSurroundings,
): Promise<Mount> {
  const hostPath = join(directory, 'etc-hosts');
  const text = pod.spec.hostNetwork
    ? hostNetworkHostsFile(pod, await readFile('/etc/hosts', 'utf8'))
    : hostsFile(pod, podIps, clusterDomain);
  await mkdir(directory, { recursive: true, mode: 0o750 });
  await writeFile(hostPath, text, { mode: 0o644 });
  return { containerPath: '/etc/hosts', hostPath, readonly: false, propagation: 'PRIVATE' };
}

/** A file of its own for each start, so that the engine can show it again when the container has ended. */
async function messageMount(
  container: Container,
  path: string,
  { directory, random }: ContainerSurroundings,
): Promise<Mount> {
  const own = join(directory, 'containers', container.name);
  await mkdir(own, { recursive: true, mode: 0o750 });
  const hostPath = join(own, random.uuid().slice(0, 8));
  await writeFile(hostPath, '');
  await chmod(hostPath, 0o666);
  const containerPath = path.startsWith('/') ? path : `/${path}`;
  return { containerPath, hostPath, readonly: false, propagation: 'PRIVATE' };
}
