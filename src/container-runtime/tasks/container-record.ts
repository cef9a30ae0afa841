/** What is known of a container; kept as `containers/<id>/container.json`, except how it ended, which its monitor wrote. */
import type { ContainerConfig, ContainerStatus } from '#cri';
import type { OciProcess } from '../oci-spec/generate.ts';
import type { ProcessIdentity } from '../process-identity.ts';

/** As the monitor writes it to `exits/<id>.json`. */
export interface ExitRecord {
  readonly exitCode: number;
  readonly signal: number;
  readonly oomKilled: boolean;
  readonly finishedAtMs: number;
  /** Set by the engine when no monitor could tell. */
  readonly reason?: string;
  readonly message?: string;
}

export interface ContainerRecord {
  readonly id: string;
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  readonly handler: string;
  /** Name of the image for people, and its reference for status.imageID. */
  readonly image: string;
  readonly imageRef: string;
  readonly stopSignal: string;
  readonly cgroupPath: string;
  readonly logPath: string;
  readonly createdAtMs: number;
  readonly startedAtMs: number;
  readonly bootId: string;
  /** Absent when the runtime refused to make it. */
  readonly process?: ProcessIdentity;
  readonly monitor?: ProcessIdentity;
  /** While the runtime makes it: whoever finds this after a crash removes it. */
  readonly unfinished?: boolean;
  /** Why it cannot be started. */
  readonly refusal?: string;
  /** What exec sessions start from. */
  readonly spec: OciProcess;
}

/** CRI's view. Upstream: containerd internal/cri/server/container_status.go for the reasons. */
export function containerStatus(record: ContainerRecord, exit: ExitRecord | undefined): ContainerStatus {
  const { id, sandboxId, config, createdAtMs, startedAtMs, image, imageRef, logPath } = record;
  const state = exit ? 'EXITED' : startedAtMs > 0 ? 'RUNNING' : 'CREATED';
  const reason = !exit
    ? ''
    : (exit.reason ?? (exit.oomKilled ? 'OOMKilled' : exit.exitCode === 0 ? 'Completed' : 'Error'));
  return {
    id,
    podSandboxId: sandboxId,
    metadata: config.metadata,
    state,
    createdAtMs,
    startedAtMs,
    finishedAtMs: exit?.finishedAtMs ?? 0,
    exitCode: exit?.exitCode ?? 0,
    reason,
    message: exit?.message ?? '',
    image,
    imageRef,
    labels: config.labels,
    annotations: config.annotations,
    mounts: config.mounts,
    logPath,
  };
}
