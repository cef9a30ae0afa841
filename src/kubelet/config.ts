/** What a kubelet needs from its process and what may be set. Upstream: pkg/kubelet/apis/config/types.go. */
import type { KeyObject } from 'node:crypto';
import type { Activity, Clock, FaultPlan, Logger, MetricsRegistry, Random } from '#base';
import type { Transport } from '#client';
import type { ContainerEngine } from '#cri';

/** Where the kubelet touches the machine. All absolute. */
export interface KubeletPaths {
  /** Volumes, plugins and checkpoints; upstream's /var/lib/kubelet. */
  readonly root: string;
  /** Container logs, one directory a pod; upstream's /var/log/pods. */
  readonly podLogs: string;
  /** Links to the logs by container; upstream's /var/log/containers. Absent: not made. */
  readonly containerLogs?: string;
  /** Mount point of the cgroup file systems; absent: pods get no cgroups of their own. */
  readonly cgroupRoot?: string;
  /** What the engine puts before the cgroup paths that it is given; default nothing. */
  readonly cgroupPrefix?: string;
  readonly procfs: string;
  /** The host's resolver settings. */
  readonly resolvConf: string;
}

/** The TLS face of the streaming server. */
export interface KubeletServing {
  readonly certPem: string;
  readonly keyPem: string | KeyObject;
  /** Clients whose certificate this CA signed are known by its common name. */
  readonly clientCaPem: string;
  /** Tells of what is to be shown from then on; called once, when the server starts. */
  readonly onChange?: (replace: (next: Omit<KubeletServing, 'onChange'>) => void) => void;
}

export interface KubeletDeps {
  /** Speaks as `system:node:<name>`. */
  readonly transport: Transport;
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
  readonly faults: FaultPlan;
  readonly activity: Activity;
  readonly paths: KubeletPaths;
  /** Absent: the server on port 10250 is not started. */
  readonly serving?: KubeletServing;
}

export interface KubeletConfig {
  readonly nodeName: string;
  /** The node's own addresses, primary first. */
  readonly nodeIps: readonly string[];
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly registerWithTaints: ReadonlyArray<{
    readonly key: string;
    readonly value?: string;
    readonly effect: string;
  }>;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** Where the server listens. */
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  readonly maxPods: number;
  /** -1: no limit. */
  readonly podPidsLimit: number;
  readonly staticPodPath?: string;
  /** Signals to thresholds as `memory.available` to `100Mi` or `10%`. */
  readonly evictionHard: Readonly<Record<string, string>>;
  readonly kubeReserved: Readonly<Record<string, string>>;
  readonly systemReserved: Readonly<Record<string, string>>;
  /** Below this cgroup everything of this node lives, as `/` or `/kobune`. */
  readonly cgroupParent: string;
  readonly syncPeriodMs: number;
  readonly nodeStatusUpdateMs: number;
  readonly nodeStatusReportMs: number;
  readonly nodeLeaseDurationSeconds: number;
  readonly relistPeriodMs: number;
  readonly containerLogMaxSizeBytes: number;
  readonly containerLogMaxFiles: number;
  readonly imageGcHighPercent: number;
  readonly imageGcLowPercent: number;
  readonly imageMinimumGcAgeMs: number;
  readonly imageMaximumGcAgeMs: number;
  readonly maxPerPodContainer: number;
  readonly maxContainerBackOffMs: number;
  /** The version this kubelet reports. */
  readonly version: string;
  readonly failSwapOn: boolean;
  /** Host names that pods may see as the node's; default the node's name. */
  readonly hostname: string;
  readonly serializeImagePulls: boolean;
  readonly maxParallelImagePulls: number;
  readonly allowedUnsafeSysctls: readonly string[];
  readonly shutdownGracePeriodMs: number;
  readonly shutdownGracePeriodCriticalPodsMs: number;
}

/** Upstream's defaults. */
export const defaultKubeletConfig: Omit<KubeletConfig, 'nodeName' | 'nodeIps' | 'hostname'> = Object.freeze({
  nodeLabels: {},
  registerWithTaints: [],
  clusterDns: [],
  clusterDomain: 'cluster.local',
  address: '0.0.0.0',
  port: 10250,
  maxPods: 110,
  podPidsLimit: -1,
  evictionHard: {
    'memory.available': '100Mi',
    'nodefs.available': '10%',
    'nodefs.inodesFree': '5%',
    'imagefs.available': '15%',
    'imagefs.inodesFree': '5%',
  },
  kubeReserved: {},
  systemReserved: {},
  cgroupParent: '/',
  syncPeriodMs: 60_000,
  nodeStatusUpdateMs: 10_000,
  nodeStatusReportMs: 300_000,
  nodeLeaseDurationSeconds: 40,
  relistPeriodMs: 300_000,
  containerLogMaxSizeBytes: 10 * 2 ** 20,
  containerLogMaxFiles: 5,
  imageGcHighPercent: 85,
  imageGcLowPercent: 80,
  imageMinimumGcAgeMs: 120_000,
  imageMaximumGcAgeMs: 0,
  maxPerPodContainer: 1,
  maxContainerBackOffMs: 300_000,
  version: 'v1.36.3',
  failSwapOn: false,
  serializeImagePulls: false,
  maxParallelImagePulls: 5,
  allowedUnsafeSysctls: [],
  shutdownGracePeriodMs: 0,
  shutdownGracePeriodCriticalPodsMs: 0,
});
