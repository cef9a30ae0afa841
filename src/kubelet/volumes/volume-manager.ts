/**
 * Volumes of pods on this machine: made before containers start, kept up to date while they run, removed after.
 * Upstream: pkg/kubelet/volumemanager, pkg/volume/{emptydir,hostpath,local,projected,…}.
 *
 * Deviation: setting up is part of a pod's sync and is tried again with it, without a separate reconciler; network
 * and CSI volumes are refused.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseQuantity } from '#apimachinery';
import type { Clock } from '#base';
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../api-objects.ts';
import { writeAtomically } from './atomic-writer.ts';
import { checkHostPath } from './host-path.ts';
import { isOwnedBy, setVolumeOwnership } from './ownership.ts';
import { type PayloadSources, volumePayload } from './payload.ts';

const run = promisify(execFile);

export interface MountedVolume {
  readonly hostPath: string;
  readonly readOnly: boolean;
}

export interface VolumeDeps {
  readonly clock: Clock;
  /** Directory of all pods' directories. */
  readonly podsDirectory: string;
  readonly sources: PayloadSources;
  claim(namespace: string, name: string): Promise<PersistentVolumeClaim>;
  persistentVolume(name: string): Promise<PersistentVolume>;
  /** Memory of a memory-backed volume without a size. */
  readonly memoryBytes: number;
}

/** A volume that could not be made, with the text for a FailedMount event. */
export class MountError extends Error {
  override readonly name = 'MountError';
  readonly volume: string;

  constructor(volume: string, cause: unknown) {
    super(`MountVolume.SetUp failed for volume "${volume}" : ${(cause as Error).message}`, { cause });
    this.volume = volume;
  }
}

export class VolumeManager {
  readonly #deps: VolumeDeps;
  readonly #mounted = new Map<string, Map<string, MountedVolume>>();

  constructor(deps: VolumeDeps) {
    this.#deps = deps;
  }

  podDirectory(uid: string): string {
    return join(this.#deps.podsDirectory, uid);
  }

  /** Of a pod whose volumes are ready. */
  mounted(uid: string): ReadonlyMap<string, MountedVolume> {
    return this.#mounted.get(uid) ?? new Map();
  }

  /** Makes or refreshes all volumes; rejects with the first MountError after having tried all. */
  async mount(pod: Pod): Promise<void> {
    const uid = pod.metadata.uid ?? '';
    const volumes = pod.spec.volumes ?? [];
    if (volumes.length === 0) return;
    const known = this.#mounted.get(uid) ?? new Map<string, MountedVolume>();
    this.#mounted.set(uid, known);
    const results = await Promise.allSettled(
      volumes.map(async volume => {
        try {
          known.set(volume.name, await this.#setUp(pod, volume, known.get(volume.name)));
        } catch (cause) {
          throw new MountError(volume.name, cause);
        }
      }),
    );
    const failed = results.find(result => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  async #setUp(pod: Pod, volume: Volume, known: MountedVolume | undefined): Promise<MountedVolume> {
    if (volume.hostPath) {
      if (!known) await checkHostPath(volume.hostPath.path, volume.hostPath.type);
      return { hostPath: volume.hostPath.path, readOnly: false };
    }
    if (volume.emptyDir) return known ?? this.#emptyDir(pod, volume);
    if (volume.persistentVolumeClaim || volume.ephemeral) return known ?? this.#claimed(pod, volume);
    const payload = await volumePayload(pod, volume, this.#deps.sources);
    if (!payload) throw new Error(`no volume plugin matched name: ${volume.name}`);
    const directory = this.#directory(pod, pluginOf(volume), volume.name);
    if (!known) await makeWorldWritable(directory);
    const fsGroup = pod.spec.securityContext?.fsGroup;
    await writeAtomically(directory, payload, this.#deps.clock.now(), async path => {
      if (fsGroup !== undefined) await setVolumeOwnership(path, fsGroup, true);
    });
    if (fsGroup !== undefined && !known) await setVolumeOwnership(directory, fsGroup, true);
    return { hostPath: directory, readOnly: true };
  }

  #directory(pod: Pod, plugin: string, name: string): string {
    return join(this.podDirectory(pod.metadata.uid ?? ''), 'volumes', `kubernetes.io~${plugin}`, name);
  }

  async #emptyDir(pod: Pod, volume: Volume): Promise<MountedVolume> {
    const directory = this.#directory(pod, 'empty-dir', volume.name);
    const { medium = '', sizeLimit } = volume.emptyDir!;
    await makeWorldWritable(directory);
    if (medium === 'Memory' && !(await isMountPoint(directory))) {
      const limit = sizeLimit ? parseQuantity(sizeLimit).value() : 0;
      const size = Math.min(limit || this.#deps.memoryBytes, this.#deps.memoryBytes);
      await run('mount', ['-t', 'tmpfs', '-o', `size=${size},noswap`, 'tmpfs', directory]).catch(() =>
        run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory]),
      );
      await chmod(directory, 0o777);
    } else if (medium !== '' && medium !== 'Memory') throw new Error(`unknown storage medium "${medium}"`);
    const fsGroup = pod.spec.securityContext?.fsGroup;
    if (fsGroup !== undefined) await setVolumeOwnership(directory, fsGroup, false);
    return { hostPath: directory, readOnly: false };
  }

  async #claimed(pod: Pod, volume: Volume): Promise<MountedVolume> {
    const namespace = pod.metadata.namespace ?? '';
    const name = volume.persistentVolumeClaim?.claimName ?? `${pod.metadata.name}-${volume.name}`;
    const claim = await this.#deps.claim(namespace, name);
    if (claim.status?.phase !== 'Bound' || !claim.spec.volumeName) {
      throw new Error(`PVC ${namespace}/${name} is not bound`);
    }
    const persistent = await this.#deps.persistentVolume(claim.spec.volumeName);
    const { hostPath, local } = persistent.spec;
    const readOnly = volume.persistentVolumeClaim?.readOnly ?? false;
    if (hostPath) {
      await checkHostPath(hostPath.path, hostPath.type);
      return { hostPath: hostPath.path, readOnly };
    }
    if (!local) throw new Error(`no volume plugin matched: PersistentVolume ${claim.spec.volumeName}`);
    await checkHostPath(local.path, 'Directory');
    const fsGroup = pod.spec.securityContext?.fsGroup;
    const always = pod.spec.securityContext?.fsGroupChangePolicy !== 'OnRootMismatch';
    if (fsGroup !== undefined && !readOnly && (always || !(await isOwnedBy(local.path, fsGroup, false)))) {
      await setVolumeOwnership(local.path, fsGroup, false);
    }
    return { hostPath: local.path, readOnly };
  }

  /** Unmounts and removes the pod's directory, whether or not this process made it. */
  async unmount(uid: string): Promise<void> {
    this.#mounted.delete(uid);
    const directory = this.podDirectory(uid);
    for (const mount of await mountsUnder(directory)) await run('umount', [mount]);
    await rm(directory, { recursive: true, force: true });
  }

  /** Uids that have a directory. */
  async knownPods(): Promise<string[]> {
    return readdir(this.#deps.podsDirectory).catch(() => []);
  }
}

function pluginOf(volume: Volume): string {
  if (volume.configMap) return 'configmap';
  if (volume.secret) return 'secret';
  return volume.downwardAPI ? 'downward-api' : 'projected';
}

async function makeWorldWritable(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  await chmod(directory, 0o777);
}

async function mountPoints(): Promise<string[]> {
  const text = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  return text.split('\n').flatMap(line => line.split(' ')[1]?.replaceAll('\\040', ' ') ?? []);
}

async function isMountPoint(path: string): Promise<boolean> {
  return (await mountPoints()).includes(path);
}

/** Deepest first. */
async function mountsUnder(directory: string): Promise<string[]> {
  const found = (await mountPoints()).filter(path => path.startsWith(`${directory}/`));
  return found.sort((a, b) => b.length - a.length);
}
