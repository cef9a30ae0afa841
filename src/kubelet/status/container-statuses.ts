/**
 * `status.containerStatuses` and its two sisters, from what the engine says, what was said before, and why a start
 * failed. Pure. Upstream: pkg/kubelet/kubelet_pods.go (convertToAPIContainerStatuses).
 *
 * Deviation: `resources` are those that the spec allocates, not read back from the engine; `user` is not reported.
 */
import { formatTime } from '#apimachinery';
import type { ApiContainerStatus, Container, ContainerStateView, Pod } from '../api-objects.ts';
import { findContainer, isRestartableInit } from '../pod-helpers.ts';
import { hasAnyRegularContainerCreated, shouldBeRestarted } from '../runtime/pod-actions.ts';
import { latestContainer, type PodRuntimeStatus, type RuntimeContainer } from '../runtime/pod-runtime-status.ts';

/** Why a container could not be started at the last try. */
export interface StartFailure {
  /** `ErrImagePull`, `CrashLoopBackOff` … */
  readonly reason: string;
  readonly message: string;
}

export interface ContainerStatusInput {
  readonly pod: Pod;
  readonly runtime: PodRuntimeStatus;
  readonly containers: readonly Container[];
  readonly previous: readonly ApiContainerStatus[] | undefined;
  readonly init: boolean;
  /** As `containerd` in `containerd://<id>`. */
  readonly runtimeName: string;
  failure(containerName: string): StartFailure | undefined;
}

type Mutable = { -readonly [K in keyof ApiContainerStatus]: ApiContainerStatus[K] };

const unknownReason = 'ContainerStatusUnknown';

export function containerStatuses(input: ContainerStatusInput): ApiContainerStatus[] {
  const { containers, runtime } = input;
  const old = new Map((input.previous ?? []).map(status => [status.name, status]));
  const statuses = new Map<string, Mutable>();
  for (const container of containers) {
    statuses.set(container.name, initialStatus(input, container, old.get(container.name)));
  }
  for (const { name } of containers) {
    if (!latestContainer(runtime, name)) inferEnd(input, statuses.get(name)!, old.get(name));
  }
  const seen = new Map<string, number>();
  for (const container of runtime.containers) {
    const count = seen.get(container.name) ?? 0;
    const known = statuses.get(container.name);
    if (!known || count >= 2) continue;
    const converted = convert(input, container, old.get(container.name), known);
    if (count === 0) statuses.set(container.name, converted);
    else known.lastState = converted.state ?? {};
    seen.set(container.name, count + 1);
  }
  for (const container of containers) applyFailure(input, container, statuses.get(container.name)!);
  const sorted = [...statuses.values()];
  return input.init ? sorted : sorted.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function initialStatus(
  { pod }: ContainerStatusInput,
  container: Container,
  old: ApiContainerStatus | undefined,
): Mutable {
  if (old?.state?.terminated) return { ...old };
  const mounts = (container.volumeMounts ?? []).map(mount => ({
    name: mount.name,
    mountPath: mount.mountPath,
    ...(mount.readOnly && { readOnly: true, recursiveReadOnly: 'Disabled' }),
  }));
  return {
    name: container.name,
    state: { waiting: { reason: pod.spec.initContainers?.length ? 'PodInitializing' : 'ContainerCreating' } },
    lastState: old?.lastState ?? {},
    ready: false,
    restartCount: old?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: '',
    ...(mounts.length > 0 && { volumeMounts: mounts }),
  };
}

/** A container that ran and that the engine no longer knows has ended, though nobody knows how. */
function inferEnd({ pod }: ContainerStatusInput, status: Mutable, old: ApiContainerStatus | undefined): void {
  if (!old?.state?.running || !status.state?.waiting || status.lastState?.terminated) return;
  const message = 'The container could not be located when the pod was deleted.  The container used to be Running';
  status.lastState = { terminated: { reason: unknownReason, message, exitCode: 137 } };
  if (!pod.metadata.deletionTimestamp) status.restartCount++;
}

function convert(
  input: ContainerStatusInput,
  container: RuntimeContainer,
  old: ApiContainerStatus | undefined,
  initial: Mutable,
): Mutable {
  const id = `${input.runtimeName}://${container.id}`;
  const lastTerminated =
    old?.containerID !== id && old?.state?.terminated ? old.state.terminated : old?.lastState?.terminated;
  const spec = findContainer(input.pod.spec, container.name);
  const resources = spec?.resources;
  const mounts = old?.volumeMounts ?? initial.volumeMounts;
  const status: Mutable = {
    name: container.name,
    state: {},
    lastState: lastTerminated ? { terminated: lastTerminated } : {},
    ready: false,
    restartCount: Math.max(container.restartCount, old?.restartCount ?? 0),
    image: container.image,
    imageID: container.imageRef,
    containerID: id,
    ...(container.state === 'RUNNING' && old?.started !== undefined && { started: old.started }),
    ...(resources?.requests && { allocatedResources: resources.requests }),
    ...(resources && { resources }),
    ...(mounts && { volumeMounts: mounts }),
  };
  status.state = stateOf(container, id, old, status);
  return status;
}

function stateOf(
  container: RuntimeContainer,
  id: string,
  old: ApiContainerStatus | undefined,
  status: Mutable,
): ContainerStateView {
  switch (container.state) {
    case 'RUNNING':
      if (old?.state?.terminated && old.containerID !== id && old.restartCount >= container.restartCount) {
        status.restartCount = old.restartCount + 1;
      }
      return { running: { startedAt: formatTime(container.startedAtMs) } };
    case 'EXITED':
      return {
        terminated: {
          exitCode: container.exitCode,
          ...(container.reason && { reason: container.reason }),
          ...(container.message && { message: container.message }),
          startedAt: container.startedAtMs > 0 ? formatTime(container.startedAtMs) : '1970-01-01T00:00:00Z',
          finishedAt: formatTime(container.finishedAtMs),
          containerID: id,
        },
      };
    case 'CREATED':
      return { waiting: {} };
    default:
      if (!old?.state?.running) return { waiting: {} };
      status.restartCount = old.restartCount + 1;
      return {
        terminated: {
          reason: unknownReason,
          message: 'The container could not be located when the pod was terminated',
          exitCode: 137,
        },
      };
  }
}

/** What should run and does not is waiting, with the reason why its start failed. */
function applyFailure(input: ContainerStatusInput, container: Container, status: Mutable): void {
  const { pod, runtime } = input;
  if (input.init && inferInit(input, container, status)) return;
  if (!shouldBeRestarted(container, pod, runtime)) return;
  const failure = input.failure(container.name);
  if (!failure) return;
  if (status.state?.terminated) status.lastState = status.state;
  status.state = { waiting: { reason: failure.reason, ...(failure.message && { message: failure.message }) } };
}

/** Answers whether an init container is done for good. */
function inferInit({ pod, runtime }: ContainerStatusInput, container: Container, status: Mutable): boolean {
  const latest = latestContainer(runtime, container.name);
  if (latest?.state === 'EXITED' && latest.exitCode === 0) return true;
  if (latest || isRestartableInit(container) || !status.state?.waiting) return false;
  if (!hasAnyRegularContainerCreated(pod, runtime)) return false;
  const message =
    'Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally';
  status.state = { terminated: { reason: 'Completed', message, exitCode: 0 } };
  return true;
}
