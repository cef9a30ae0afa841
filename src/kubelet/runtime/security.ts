/**
 * Security settings of a container, those of the pod underneath. Pure.
 * Upstream: pkg/securitycontext/util.go, pkg/kubelet/kuberuntime/security_context.go, security_context_others.go.
 */
import type { ImageInfo, LinuxSecurityContext } from '#cri';
import type { Container, Pod, SecurityContext } from '../api-objects.ts';
import { formatPod } from '../pod-helpers.ts';
import { namespacesOf } from './sandbox-config.ts';

const maskedPaths = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

type User = Pick<ImageInfo, 'uid' | 'username'>;

/** The container's settings, with the pod's for those that both have. */
function effectiveSecurity(pod: Pod, container: Container): SecurityContext {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  const { runAsUser, runAsGroup, runAsNonRoot, seccompProfile, appArmorProfile } = shared;
  return {
    ...(runAsUser !== undefined && { runAsUser }),
    ...(runAsGroup !== undefined && { runAsGroup }),
    ...(runAsNonRoot !== undefined && { runAsNonRoot }),
    ...(seccompProfile && { seccompProfile }),
    ...(appArmorProfile && { appArmorProfile }),
    ...own,
  };
}

/** Throws with upstream's text when the container would run as root though it must not. */
export function verifyRunAsNonRoot(pod: Pod, container: Container, image: User): void {
  const security = effectiveSecurity(pod, container);
  if (!security.runAsNonRoot) return;
  const where = `(pod: "${formatPod(pod)}", container: ${container.name})`;
  if (security.runAsUser !== undefined) {
    if (security.runAsUser === 0) throw new Error(`container's runAsUser breaks non-root policy ${where}`);
    return;
  }
  if (image.uid === undefined && image.username !== '') {
    const user = image.username;
    throw new Error(
      `container has runAsNonRoot and image has non-numeric user (${user}), cannot verify user is non-root ${where}`,
    );
  }
  if (image.uid === 0) throw new Error(`container has runAsNonRoot and image will run as root ${where}`);
}

export function linuxSecurity(
  pod: Pod,
  container: Container,
  image: User,
  targetId: string | undefined,
  extraGroups: readonly number[],
): LinuxSecurityContext {
  const security = effectiveSecurity(pod, container);
  const shared = pod.spec.securityContext;
  const unmasked = security.procMount === 'Unmasked' || security.privileged;
  const namespaces = namespacesOf(pod);
  const runAsUser = security.runAsUser ?? image.uid;
  const groups = [
    ...(shared?.fsGroup === undefined ? [] : [shared.fsGroup]),
    ...(shared?.supplementalGroups ?? []),
    ...extraGroups,
  ];
  const seccomp = security.seccompProfile;
  return {
    privileged: security.privileged ?? false,
    readonlyRootfs: security.readOnlyRootFilesystem ?? false,
    ...(runAsUser === undefined ? image.username && { runAsUsername: image.username } : { runAsUser }),
    ...(security.runAsGroup !== undefined && { runAsGroup: security.runAsGroup }),
    supplementalGroups: groups,
    addCapabilities: security.capabilities?.add ?? [],
    dropCapabilities: security.capabilities?.drop ?? [],
    noNewPrivs: security.allowPrivilegeEscalation === false,
    maskedPaths: unmasked ? [] : maskedPaths,
    readonlyPaths: unmasked ? [] : readonlyPaths,
    namespaces: targetId && namespaces.pid === 'CONTAINER' ? { ...namespaces, pid: 'TARGET', targetId } : namespaces,
    ...(seccomp && {
      seccomp: {
        type: seccomp.type as 'RuntimeDefault' | 'Unconfined' | 'Localhost',
        ...(seccomp.localhostProfile && { localhostRef: seccomp.localhostProfile }),
      },
    }),
    ...(security.appArmorProfile && {
      apparmorProfile: security.appArmorProfile.localhostProfile ?? security.appArmorProfile.type,
    }),
  };
}
