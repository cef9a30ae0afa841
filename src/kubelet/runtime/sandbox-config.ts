/** What the engine is told about a pod. Upstream: pkg/kubelet/kuberuntime/kuberuntime_sandbox.go. */
import { join } from 'node:path';
import type { DnsConfig, NamespaceOptions, PodSandboxConfig } from '#cri';
import type { Pod } from '../api-objects.ts';
import { podCgroupPath } from '../cgroups/resources.ts';
import { kernelHostname } from './dns.ts';
import { podLabels } from './labels.ts';

export interface SandboxSettings {
  readonly podLogs: string;
  readonly cgroupParent: string;
  readonly clusterDomain: string;
  /** Host name for pods on the host's network. */
  readonly nodeHostname: string;
}

export function podLogDirectory(podLogs: string, pod: Pod): string {
  const { namespace, name, uid } = pod.metadata;
  return join(podLogs, `${namespace}_${name}_${uid}`);
}

export function namespacesOf(pod: Pod): NamespaceOptions {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = pod.spec;
  return {
    network: hostNetwork ? 'NODE' : 'POD',
    pid: hostPID ? 'NODE' : shareProcessNamespace ? 'POD' : 'CONTAINER',
    ipc: hostIPC ? 'NODE' : 'POD',
  };
}

export function sandboxConfig(
  pod: Pod,
  attempt: number,
  dnsConfig: DnsConfig,
  settings: SandboxSettings,
): PodSandboxConfig {
  const { name = '', namespace = '', uid = '' } = pod.metadata;
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const portMappings = pod.spec.hostNetwork
    ? []
    : containers.flatMap(container =>
        (container.ports ?? []).flatMap(port =>
          port.hostPort
            ? [
                {
                  protocol: (port.protocol ?? 'TCP') as 'TCP' | 'UDP' | 'SCTP',
                  containerPort: port.containerPort,
                  hostPort: port.hostPort,
                  ...(port.hostIP && { hostIp: port.hostIP }),
                },
              ]
            : [],
        ),
      );
  const sysctls = pod.spec.securityContext?.sysctls ?? [];
  return {
    metadata: { name, namespace, uid, attempt },
    hostname: pod.spec.hostNetwork ? settings.nodeHostname : kernelHostname(pod, settings.clusterDomain),
    logDirectory: podLogDirectory(settings.podLogs, pod),
    dnsConfig,
    portMappings,
    labels: podLabels(pod),
    annotations: pod.metadata.annotations ?? {},
    cgroupParent: podCgroupPath(pod, settings.cgroupParent),
    namespaces: namespacesOf(pod),
    sysctls: Object.fromEntries(sysctls.map(({ name: key, value }) => [key.replaceAll('/', '.'), value])),
  };
}
