/** The API objects that the kubelet reads and writes, under the names it uses for them. */
import type { Container as ApiContainer, ContainerState, ContainerStateTerminated, ContainerStatus } from '#api/types';

export type {
  ConfigMap,
  ContainerPort,
  DownwardAPIVolumeFile,
  EnvVar,
  HTTPGetAction,
  KeyToPath,
  LifecycleHandler,
  Node,
  NodeCondition,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  NodeStatus,
  ObjectFieldSelector,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodCondition,
  PodSpec,
  PodStatus,
  Probe,
  ResourceFieldSelector,
  ResourceRequirements,
  RuntimeClass,
  Secret,
  SecurityContext,
  Service,
  Toleration,
  Volume,
  VolumeMount,
  VolumeProjection,
} from '#api/types';

/** Containers of all three lists; `targetContainerName` is for ephemeral ones alone. */
export type Container = ApiContainer & { readonly targetContainerName?: string };
/** As the API shows it, unlike the engine's. */
export type ApiContainerStatus = ContainerStatus;
export type ContainerStateView = ContainerState;
export type TerminatedState = ContainerStateTerminated;
export type ResourceList = Readonly<Record<string, string>>;
export type PodPhase = string;
