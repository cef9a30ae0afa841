/**
 * What a kubelet asks of a container engine: the shape of CRI v1 (k8s.io/cri-api pkg/apis/runtime/v1/api.proto) in
 * TypeScript, plus streams as `Duplex` and a required event stream. Durations are milliseconds, sizes bytes, times
 * wall milliseconds unless a name says otherwise. Every engine passes the suite in `suite/`.
 */
import type { Duplex, Readable, Writable } from 'node:stream';

export interface PodSandboxMetadata {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
}

export interface ContainerMetadata {
  readonly name: string;
  readonly attempt: number;
}

export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';

export interface NamespaceOptions {
  readonly network: 'POD' | 'NODE';
  readonly pid: NamespaceMode;
  readonly ipc: 'POD' | 'NODE';
  /** Container whose pid namespace to join when `pid` is TARGET. */
  readonly targetId?: string;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp?: string;
}

export interface PodSandboxConfig {
  readonly metadata: PodSandboxMetadata;
  readonly hostname: string;
  /** Directory of the pod's container logs. */
  readonly logDirectory: string;
  readonly dnsConfig?: DnsConfig;
  readonly portMappings: readonly PortMapping[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Cgroup path of the pod, relative to each hierarchy's root, as `/kubepods/burstable/pod<uid>`. */
  readonly cgroupParent: string;
  readonly namespaces: NamespaceOptions;
  readonly sysctls: Readonly<Record<string, string>>;
}

export type PodSandboxState = 'READY' | 'NOTREADY';

export interface PodSandboxStatus {
  readonly id: string;
  readonly metadata: PodSandboxMetadata;
  readonly state: PodSandboxState;
  readonly createdAtMs: number;
  /** Primary first; empty on the host's network. */
  readonly ips: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly runtimeHandler: string;
}

export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly recursiveReadOnly?: boolean;
  readonly propagation: 'PRIVATE' | 'HOST_TO_CONTAINER' | 'BIDIRECTIONAL';
}

export interface LinuxResources {
  readonly cpuShares?: number;
  readonly cpuQuotaUs?: number;
  readonly cpuPeriodUs?: number;
  readonly memoryLimitBytes?: number;
  /** -1 is no limit. */
  readonly pidsLimit?: number;
  /** -1000 to 1000; engines clamp what the host forbids. */
  readonly oomScoreAdj?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly hugepageLimits?: ReadonlyArray<{ readonly pageSize: string; readonly limitBytes: number }>;
}

export interface LinuxSecurityContext {
  readonly privileged: boolean;
  readonly readonlyRootfs: boolean;
  readonly runAsUser?: number;
  /** A name to be looked up in the image's /etc/passwd; used when `runAsUser` is absent. */
  readonly runAsUsername?: string;
  readonly runAsGroup?: number;
  readonly supplementalGroups: readonly number[];
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly noNewPrivs: boolean;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly namespaces: NamespaceOptions;
  readonly seccomp?: { readonly type: 'RuntimeDefault' | 'Unconfined' | 'Localhost'; readonly localhostRef?: string };
  readonly apparmorProfile?: string;
}

export interface Device {
  readonly containerPath: string;
  readonly hostPath: string;
  /** Some of r, w, m. */
  readonly permissions: string;
}

export interface ContainerConfig {
  readonly metadata: ContainerMetadata;
  /** Image reference or id, as answered by `pullImage`. */
  readonly image: string;
  /** Replaces the image's entrypoint when not empty. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly envs: ReadonlyArray<{ readonly key: string; readonly value: string }>;
  readonly mounts: readonly Mount[];
  readonly devices: readonly Device[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the sandbox's `logDirectory`, as `app/0.log`. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly resources: LinuxResources;
  readonly securityContext: LinuxSecurityContext;
  /** Name or number of the signal that stops it; absent: the image's, else SIGTERM. */
  readonly stopSignal?: string;
}

export type ContainerState = 'CREATED' | 'RUNNING' | 'EXITED' | 'UNKNOWN';

export interface ContainerStatus {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: ContainerMetadata;
  readonly state: ContainerState;
  readonly createdAtMs: number;
  /** 0 when not started. */
  readonly startedAtMs: number;
  /** 0 when not finished. */
  readonly finishedAtMs: number;
  readonly exitCode: number;
  /** `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun`, `StartError`, or empty while it runs. */
  readonly reason: string;
  readonly message: string;
  readonly image: string;
  /** As `pullImage` answered; for status.containerStatuses[].imageID. */
  readonly imageRef: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  /** Absolute path of the log in CRI format. */
  readonly logPath: string;
}

export interface ContainerEvent {
  readonly type: 'CREATED' | 'STARTED' | 'STOPPED' | 'DELETED' | 'SANDBOX';
  readonly podSandboxId: string;
  /** Empty for sandbox events. */
  readonly containerId: string;
  readonly podUid: string;
  readonly atMs: number;
}

export interface ContainerStats {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: ContainerMetadata;
  readonly labels: Readonly<Record<string, string>>;
  readonly atMs: number;
  readonly cpuUsageCoreNanoSeconds: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryUsageBytes: number;
  readonly memoryRssBytes: number;
  readonly writableLayerBytes: number;
  readonly writableLayerInodes: number;
}

export interface ImageSpec {
  readonly image: string;
  readonly runtimeHandler?: string;
}

export interface ImageInfo {
  /** `sha256:…` of the image config. */
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  /** User of the image config when numeric, else undefined. */
  readonly uid?: number;
  /** User of the image config when a name, else empty. */
  readonly username: string;
  readonly pinned: boolean;
}

export interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly serverAddress?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

/** A process in a container with its streams. Absent streams were not asked for. */
export interface StreamSession {
  readonly stdin?: Writable;
  readonly stdout?: Readable;
  /** Absent with a terminal. */
  readonly stderr?: Readable;
  /** Sets the terminal's size in characters; does nothing without a terminal. */
  resize(columns: number, rows: number): void;
  /** Resolves with the exit code when the process ended (attach: when the container did) and its output was read. */
  readonly exit: Promise<number>;
  /** Ends the session: an exec's process is killed, an attach only detaches. */
  close(): void;
}

export interface StreamRequest {
  readonly containerId: string;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export type CriErrorCode =
  | 'notFound' // no such sandbox, container or image
  | 'invalid' // the request contradicts itself or the object's state
  | 'imagePull' // registry unreachable, refused, or image absent; message as upstream shows it
  | 'startFailed' // the command cannot be run; message from the low-level runtime
  | 'timeout'
  | 'unavailable'; // engine or runtime missing

/** What engine calls reject with; `message` is fit for an event or a container state's message. */
export class CriError extends Error {
  override readonly name = 'CriError';
  readonly code: CriErrorCode;

  constructor(code: CriErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export interface RuntimeService {
  version(): Promise<{
    readonly runtimeName: string;
    readonly runtimeVersion: string;
    readonly runtimeApiVersion: string;
  }>;
  /** Conditions RuntimeReady and NetworkReady, with reason and message when false. */
  status(): Promise<
    ReadonlyArray<{ type: 'RuntimeReady' | 'NetworkReady'; status: boolean; reason: string; message: string }>
  >;
  runPodSandbox(config: PodSandboxConfig, runtimeHandler: string): Promise<string>;
  /** Kills what runs in it and gives its network back; idempotent. */
  stopPodSandbox(id: string): Promise<void>;
  /** Removes it and its containers; idempotent. */
  removePodSandbox(id: string): Promise<void>;
  podSandboxStatus(id: string): Promise<PodSandboxStatus>;
  listPodSandboxes(filter?: {
    readonly podUid?: string;
    readonly state?: PodSandboxState;
  }): Promise<readonly PodSandboxStatus[]>;
  createContainer(podSandboxId: string, config: ContainerConfig, sandboxConfig: PodSandboxConfig): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** Stop signal, then SIGKILL after `timeoutMs` (0: at once); resolves when it has ended; idempotent. */
  stopContainer(id: string, timeoutMs: number): Promise<void>;
  /** Kills if need be and forgets; idempotent. */
  removeContainer(id: string): Promise<void>;
  containerStatus(id: string): Promise<ContainerStatus>;
  listContainers(filter?: {
    readonly podSandboxId?: string;
    readonly state?: ContainerState;
  }): Promise<readonly ContainerStatus[]>;
  updateContainerResources(id: string, resources: LinuxResources): Promise<void>;
  /** Makes the monitor open the log path anew, after rotation. */
  reopenContainerLog(id: string): Promise<void>;
  /** Runs to the end with both outputs collected, at most 16 MiB; for probes and hooks. */
  execSync(
    id: string,
    command: readonly string[],
    timeoutMs: number,
  ): Promise<{ stdout: Buffer; stderr: Buffer; exitCode: number }>;
  openExec(request: StreamRequest & { readonly command: readonly string[] }): Promise<StreamSession>;
  openAttach(request: StreamRequest): Promise<StreamSession>;
  /** A connection to `port` on the loopback of the pod's network. */
  openPortForward(podSandboxId: string, port: number): Promise<Duplex>;
  /** What happens from now on; ends when the signal aborts. */
  events(signal: AbortSignal): AsyncIterable<ContainerEvent>;
  listContainerStats(filter?: { readonly podSandboxId?: string }): Promise<readonly ContainerStats[]>;
}

export interface ImageService {
  listImages(): Promise<readonly ImageInfo[]>;
  /** undefined when it is not there. */
  imageStatus(spec: ImageSpec): Promise<ImageInfo | undefined>;
  /** Answers the image reference to use in `ContainerConfig.image` and as imageID. */
  pullImage(spec: ImageSpec, auth: AuthConfig | undefined, signal?: AbortSignal): Promise<string>;
  removeImage(spec: ImageSpec): Promise<void>;
  imageFsInfo(): Promise<{ readonly mountpoint: string; readonly usedBytes: number; readonly inodesUsed: number }>;
}

/** A container engine. */
export interface ContainerEngine extends AsyncDisposable {
  readonly runtime: RuntimeService;
  readonly images: ImageService;
}
