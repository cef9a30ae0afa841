/** The resources that the kubelet talks about, by name. */

import type { KubeObject } from '#apimachinery';
import type { ResourceName } from '#client';
import type {
  ConfigMap,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  RuntimeClass,
  Secret,
  Service,
} from './api-objects.ts';

function core<T extends KubeObject>(resource: string, kind: string, namespaced = true): ResourceName<T> {
  return { group: '', version: 'v1', resource, kind, namespaced };
}

export const resources: {
  readonly pods: ResourceName<Pod>;
  readonly nodes: ResourceName<Node>;
  readonly services: ResourceName<Service>;
  readonly configMaps: ResourceName<ConfigMap>;
  readonly secrets: ResourceName<Secret>;
  readonly serviceAccounts: ResourceName;
  readonly events: ResourceName;
  readonly claims: ResourceName<PersistentVolumeClaim>;
  readonly volumes: ResourceName<PersistentVolume>;
  readonly leases: ResourceName;
  readonly runtimeClasses: ResourceName<RuntimeClass>;
  readonly trustBundles: ResourceName;
} = {
  pods: core('pods', 'Pod'),
  nodes: core('nodes', 'Node', false),
  services: core('services', 'Service'),
  configMaps: core('configmaps', 'ConfigMap'),
  secrets: core('secrets', 'Secret'),
  serviceAccounts: core('serviceaccounts', 'ServiceAccount'),
  events: core('events', 'Event'),
  claims: core('persistentvolumeclaims', 'PersistentVolumeClaim'),
  volumes: core('persistentvolumes', 'PersistentVolume', false),
  leases: { group: 'coordination.k8s.io', version: 'v1', resource: 'leases', kind: 'Lease', namespaced: true },
  runtimeClasses: {
    group: 'node.k8s.io',
    version: 'v1',
    resource: 'runtimeclasses',
    kind: 'RuntimeClass',
    namespaced: false,
  },
  trustBundles: {
    group: 'certificates.k8s.io',
    version: 'v1beta1',
    resource: 'clustertrustbundles',
    kind: 'ClusterTrustBundle',
    namespaced: false,
  },
};
