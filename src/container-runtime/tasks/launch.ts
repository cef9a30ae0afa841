/** Making a container: its runtime-spec, and the monitor that has the runtime create it. */
import { join } from 'node:path';
import type { ContainerConfig } from '#cri';
import type { Cgroups } from '../cgroups/cgroups.ts';
import type { Host } from '../host.ts';
import type { ImageRecord } from '../images/image-store.ts';
import { type OciRuntime, startError } from '../low-level-runtime/oci-runtime.ts';
import type { Launcher } from '../monitor/launcher.ts';
import { generateSpec } from '../oci-spec/generate.ts';
import { resolveUser } from '../oci-spec/users.ts';
import { identify } from '../process-identity.ts';
import type { Sandboxes, SandboxRecord } from '../sandboxes/sandboxes.ts';
import type { ContainerRecord } from './container-record.ts';

export interface LaunchDeps {
  readonly host: Host;
  readonly launcher: Launcher;
  readonly sandboxes: Sandboxes;
  readonly cgroups: Cgroups;
  /** Directory of Localhost seccomp profiles. */
  readonly seccompDir: string;
  /** Files that take the monitors out of the engine's own cgroup. */
  readonly monitorCgroupFiles: readonly string[];
}

/** The spec of a container whose root file system is mounted, since users are looked up in it. */
export async function containerSpec(
  { host, sandboxes, cgroups, seccompDir }: LaunchDeps,
  container: {
    readonly id: string;
    readonly sandbox: SandboxRecord;
    readonly config: ContainerConfig;
    readonly image: ImageRecord;
    readonly targetPid: number | undefined;
  },
): Promise<ReturnType<typeof generateSpec>> {
  const { id, sandbox, config, image, targetPid } = container;
  const imageProcess = image.config.config ?? {};
  const { namespaces, ...security } = config.securityContext;
  const rootfs = join(host.nodeDir, 'containers', id, 'rootfs');
  return generateSpec({
    host,
    id,
    config,
    image: imageProcess,
    user: await resolveUser(rootfs, imageProcess.User ?? '', security),
    namespaces: sandboxes.namespaces(sandbox, namespaces.pid, targetPid),
    hostname: sandbox.config.hostname,
    cgroupPath: cgroups.path(sandbox.config.cgroupParent, id),
    podMounts: sandboxes.podMounts(sandbox),
    seccompDir,
  });
}

/** Starts the monitor; answers who runs now, or why the runtime refused. */
export async function launchMonitor(
  { launcher, cgroups, monitorCgroupFiles }: LaunchDeps,
  runtime: OciRuntime,
  { id, config, logPath, cgroupPath, spec }: ContainerRecord,
  paths: { readonly dir: string; readonly exitFile: string; readonly socket: string },
): Promise<Pick<ContainerRecord, 'process' | 'monitor' | 'refusal'>> {
  const logFile = join(paths.dir, 'runtime.log');
  const flag = (value: boolean): string => (value ? '1' : '0');
  const { status, output } = await launcher.self('container', [
    ...['--id', id, '--runtime', runtime.program],
    ...runtime.globals(logFile).flatMap(argument => ['--global', argument]),
    ...['--bundle', paths.dir, '--exit-file', paths.exitFile, '--socket', paths.socket],
    ...['--pid-file', join(paths.dir, 'pid'), '--oom-file', cgroups.oomFile(cgroupPath)],
    ...(logPath === '' ? [] : ['--log', logPath]),
    ...['--tty', flag(config.tty), '--stdin', flag(config.stdin), '--stdin-once', flag(config.stdinOnce)],
    ...['--hide-unified', flag(runtime.hideUnified)],
    ...monitorCgroupFiles.flatMap(file => ['--cgroup-procs', file]),
  ]);
  const pids = /^ok (\d+) (\d+)/.exec(output);
  if (!pids) {
    const problem = await startError({ status, output: output.replace(/^error /, '') }, logFile, spec.args[0] ?? '');
    return { refusal: problem.message };
  }
  const [process, monitor] = [identify(Number(pids[1])), identify(Number(pids[2]))];
  return { ...(process ? { process } : {}), ...(monitor ? { monitor } : {}) };
}
