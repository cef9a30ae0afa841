/**
 * How upstream ranks its groups and their versions, as `groupPriorityMinimum` and `versionPriority`.
 * Upstream: pkg/controlplane/apiserver/aggregator.go, pkg/controlplane/instance.go.
 */
export type Priority = readonly [group: number, version: number];

const builtinPriorities: Readonly<Record<string, Priority>> = {
  '/v1': [18000, 1],
  'events.k8s.io/v1': [17750, 15],
  'apps/v1': [17800, 15],
  'authentication.k8s.io/v1': [17700, 15],
  'authorization.k8s.io/v1': [17600, 15],
  'autoscaling/v1': [17500, 15],
  'autoscaling/v2': [17500, 30],
  'batch/v1': [17400, 15],
  'certificates.k8s.io/v1': [17300, 15],
  'certificates.k8s.io/v1beta1': [17300, 9],
  'certificates.k8s.io/v1alpha1': [17300, 1],
  'networking.k8s.io/v1': [17200, 15],
  'networking.k8s.io/v1beta1': [17200, 9],
  'policy/v1': [17100, 15],
  'rbac.authorization.k8s.io/v1': [17000, 15],
  'storage.k8s.io/v1': [16800, 15],
  'storage.k8s.io/v1beta1': [16800, 9],
  'apiextensions.k8s.io/v1': [16700, 15],
  'admissionregistration.k8s.io/v1': [16700, 15],
  'admissionregistration.k8s.io/v1beta1': [16700, 12],
  'admissionregistration.k8s.io/v1alpha1': [16700, 9],
  'scheduling.k8s.io/v1': [16600, 15],
  'coordination.k8s.io/v1': [16500, 15],
  'node.k8s.io/v1': [16300, 15],
  'discovery.k8s.io/v1': [16200, 15],
  'resource.k8s.io/v1': [16200, 21],
  'flowcontrol.apiserver.k8s.io/v1': [16100, 21],
  // Above all others, which end at 20000; it has no APIService.
  'apiregistration.k8s.io/v1': [20001, 0],
};

/** Of custom resources: behind what is built in. */
export const customPriority: Priority = [1000, 100];
const otherPriority: Priority = [1000, 15];

export function builtinPriority(group: string, version: string): Priority {
  return builtinPriorities[`${group}/${version}`] ?? otherPriority;
}
