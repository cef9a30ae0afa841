/** Names of the common built-in resources, with the types of their objects. */
import type {
  CertificateSigningRequest,
  ClusterRole,
  ConfigMap,
  ControllerRevision,
  CronJob,
  DaemonSet,
  Deployment,
  EndpointSlice,
  Endpoints,
  Event,
  Job,
  Lease,
  LimitRange,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  ReplicaSet,
  ReplicationController,
  ResourceQuota,
  Secret,
  Service,
  ServiceAccount,
  StatefulSet,
  SubjectAccessReview,
} from '#api/types';
import type { KubeObject } from '#apimachinery';
import type { ResourceName } from './client.ts';

function name<T extends KubeObject>(
  group: string,
  version: string,
  resource: string,
  kind: string,
  namespaced = true,
): ResourceName<T> {
  return Object.freeze({ group, version, resource, kind, namespaced });
}

export const certificateSigningRequests: ResourceName<CertificateSigningRequest> = name(
  'certificates.k8s.io',
  'v1',
  'certificatesigningrequests',
  'CertificateSigningRequest',
  false,
);
export const clusterRoles: ResourceName<ClusterRole> = name(
  'rbac.authorization.k8s.io',
  'v1',
  'clusterroles',
  'ClusterRole',
  false,
);
export const configMaps: ResourceName<ConfigMap> = name('', 'v1', 'configmaps', 'ConfigMap');
export const controllerRevisions: ResourceName<ControllerRevision> = name(
  'apps',
  'v1',
  'controllerrevisions',
  'ControllerRevision',
);
export const cronJobs: ResourceName<CronJob> = name('batch', 'v1', 'cronjobs', 'CronJob');
export const daemonSets: ResourceName<DaemonSet> = name('apps', 'v1', 'daemonsets', 'DaemonSet');
export const deployments: ResourceName<Deployment> = name('apps', 'v1', 'deployments', 'Deployment');
export const endpoints: ResourceName<Endpoints> = name('', 'v1', 'endpoints', 'Endpoints');
export const endpointSlices: ResourceName<EndpointSlice> = name(
  'discovery.k8s.io',
  'v1',
  'endpointslices',
  'EndpointSlice',
);
export const events: ResourceName<Event> = name('', 'v1', 'events', 'Event');
export const jobs: ResourceName<Job> = name('batch', 'v1', 'jobs', 'Job');
export const limitRanges: ResourceName<LimitRange> = name('', 'v1', 'limitranges', 'LimitRange');
export const leases: ResourceName<Lease> = name('coordination.k8s.io', 'v1', 'leases', 'Lease');
export const namespaces: ResourceName<Namespace> = name('', 'v1', 'namespaces', 'Namespace', false);
export const nodes: ResourceName<Node> = name('', 'v1', 'nodes', 'Node', false);
export const persistentVolumes: ResourceName<PersistentVolume> = name(
  '',
  'v1',
  'persistentvolumes',
  'PersistentVolume',
  false,
);
export const persistentVolumeClaims: ResourceName<PersistentVolumeClaim> = name(
  '',
  'v1',
  'persistentvolumeclaims',
  'PersistentVolumeClaim',
);
export const podDisruptionBudgets: ResourceName<PodDisruptionBudget> = name(
  'policy',
  'v1',
  'poddisruptionbudgets',
  'PodDisruptionBudget',
);
export const pods: ResourceName<Pod> = name('', 'v1', 'pods', 'Pod');
export const replicaSets: ResourceName<ReplicaSet> = name('apps', 'v1', 'replicasets', 'ReplicaSet');
export const replicationControllers: ResourceName<ReplicationController> = name(
  '',
  'v1',
  'replicationcontrollers',
  'ReplicationController',
);
export const secrets: ResourceName<Secret> = name('', 'v1', 'secrets', 'Secret');
export const serviceAccounts: ResourceName<ServiceAccount> = name('', 'v1', 'serviceaccounts', 'ServiceAccount');
export const services: ResourceName<Service> = name('', 'v1', 'services', 'Service');
export const statefulSets: ResourceName<StatefulSet> = name('apps', 'v1', 'statefulsets', 'StatefulSet');
export const resourceQuotas: ResourceName<ResourceQuota> = name('', 'v1', 'resourcequotas', 'ResourceQuota');
export const subjectAccessReviews: ResourceName<SubjectAccessReview> = name(
  'authorization.k8s.io',
  'v1',
  'subjectaccessreviews',
  'SubjectAccessReview',
  false,
);
