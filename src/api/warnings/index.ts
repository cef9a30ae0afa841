/**
 * What clients are told of objects that are accepted, kind by kind, in one list; a kind that is not here has nothing to
 * say. Upstream: the WarningsOnCreate and WarningsOnUpdate of the strategies under pkg/registry.
 */
import {
  FieldPath,
  goQuote,
  type KubeObject,
  parseQuantity,
  semanticEqual,
  warningsForCIDR,
  warningsForIP,
} from '#apimachinery';
import type { KindRules } from '../kind.ts';
import type {
  CSIDriver,
  CSIStorageCapacity,
  Node,
  Pod,
  ResourceQuota,
  ResourceSlice,
  RuntimeClass,
  Secret,
  ServiceAccount,
  StorageClass,
} from '../types.ts';
import { keyPairError } from './key-pair.ts';
import { labelMapWarnings, labelSelectorWarnings, nodeLabelWarning } from './node-labels.ts';
import { podWarnings } from './pods.ts';
import {
  endpointSliceWarnings,
  endpointsWarnings,
  ingressWarnings,
  loadBalancerWarnings,
  networkPolicyWarnings,
  serviceWarnings,
} from './services.ts';
import { persistentVolumeClaimWarnings, persistentVolumeWarnings } from './volumes.ts';
import {
  cronJobWarnings,
  daemonSetWarnings,
  jobWarnings,
  podTemplateObjectWarnings,
  replicationControllerWarnings,
  statefulSetWarnings,
  templateOwnerWarnings,
} from './workloads.ts';

function nodeWarnings({ spec = {} }: Node): string[] {
  return [
    ...(spec.configSource ? ['spec.configSource: the feature is removed'] : []),
    ...(spec.externalID ? ['spec.externalID: this field is deprecated, and is unused by Kubernetes'] : []),
    ...(spec.podCIDRs ?? []).flatMap((cidr, i) => warningsForCIDR(FieldPath.of('spec', 'podCIDRs').index(i), cidr)),
  ];
}

function podStatusWarnings({ status }: Pod): string[] {
  return (['podIPs', 'hostIPs'] as const).flatMap(list =>
    (status?.[list] ?? []).flatMap(({ ip = '' }, i) =>
      warningsForIP(FieldPath.of('status', list).index(i).child('ip'), ip),
    ),
  );
}

/** Requests that no limit would let through. */
function resourceQuotaWarnings(quota: ResourceQuota, old: ResourceQuota | null): string[] {
  const hard = (quota.spec?.hard ?? {}) as Readonly<Record<string, string>>;
  if (old) return [];
  return ['cpu', 'memory', 'storage', 'ephemeral-storage'].flatMap(name => {
    const bare = name === 'cpu' || name === 'memory' ? [name] : [];
    const request = [`requests.${name}`, ...bare].find(each => hard[each] !== undefined);
    const limit = `limits.${name}`;
    if (request === undefined || hard[limit] === undefined) return [];
    const [asked, most] = [parseQuantity(hard[request]!), parseQuantity(hard[limit])];
    if (asked.compare(most) <= 0) return [];
    return [`ResourceQuota ${request} (${asked}) should be less than ${limit} (${most})`];
  });
}

function secretWarnings({ type, data = {} }: Secret): string[] {
  if (type !== 'kubernetes.io/tls') return [];
  const text = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString('latin1');
  const wrong = keyPairError(text('tls.crt'), text('tls.key'));
  return wrong === undefined ? [] : [wrong];
}

const mountable = 'kubernetes.io/enforce-mountable-secrets';

function serviceAccountWarnings(account: ServiceAccount, old: ServiceAccount | null): string[] {
  const has = (each: KubeObject | null): boolean => each?.metadata.annotations?.[mountable] !== undefined;
  if (has(old) || !has(account)) return [];
  const text = 'deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets';
  return [`metadata.annotations[${mountable}]: ${text}`];
}

function runtimeClassWarnings({ scheduling }: RuntimeClass): string[] {
  return labelMapWarnings(scheduling?.nodeSelector, (_, text) => `scheduling.nodeSelector: ${text}`);
}

function storageClassWarnings({ allowedTopologies = [] }: StorageClass): string[] {
  return allowedTopologies.flatMap(({ matchLabelExpressions = [] }, i) =>
    matchLabelExpressions.flatMap(({ key }, j) => {
      const text = nodeLabelWarning(key);
      const path = FieldPath.of('allowedTopologies').index(i).child('matchLabelExpressions').index(j).child('key');
      return text === undefined ? [] : [`${path}: ${text}`];
    }),
  );
}

function csiDriverWarnings({ spec }: CSIDriver, old: CSIDriver | null): string[] {
  const requests = spec?.tokenRequests ?? [];
  if (requests.length === 0 || spec?.serviceAccountTokenInSecrets !== undefined) return [];
  if (old && semanticEqual(old.spec?.tokenRequests, spec?.tokenRequests)) return [];
  return [
    'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes',
  ];
}

function resourceSliceWarnings({ spec }: ResourceSlice): string[] {
  const driver = spec?.driver ?? '';
  if (driver === driver.toLowerCase()) return [];
  return [`spec.driver: driver names should be lowercase; ${goQuote(driver)} contains uppercase characters`];
}

const staticSuffix = '.static.k8s.io';

/** Names that manifests on disk have. */
function staticNameWarnings({ metadata }: KubeObject): string[] {
  if (!metadata.name?.endsWith(staticSuffix)) return [];
  const text = 'are reserved for static manifest-based configurations and cannot be managed via the API';
  return [`metadata.name: names ending with "${staticSuffix}" ${text}`];
}

const admissionKinds = ['WebhookConfiguration', 'AdmissionPolicy', 'AdmissionPolicyBinding'].flatMap(kind =>
  ['Validating', 'Mutating'].map(
    prefix => [`admissionregistration.k8s.io/v1/${prefix}${kind}`, { warnings: staticNameWarnings }] as const,
  ),
);

type Warnings = Pick<KindRules<any>, 'warnings' | 'statusWarnings'>;

/** By `group/version/Kind`. */
export const kindWarnings: ReadonlyMap<string, Warnings> = new Map<string, Warnings>([
  ['/v1/Endpoints', { warnings: endpointsWarnings }],
  ['/v1/Node', { warnings: nodeWarnings }],
  ['/v1/PersistentVolume', { warnings: persistentVolumeWarnings }],
  ['/v1/PersistentVolumeClaim', { warnings: persistentVolumeClaimWarnings }],
  ['/v1/Pod', { warnings: (pod, old) => (old ? [] : podWarnings(pod)), statusWarnings: podStatusWarnings }],
  ['/v1/PodTemplate', { warnings: podTemplateObjectWarnings }],
  ['/v1/ReplicationController', { warnings: replicationControllerWarnings }],
  ['/v1/ResourceQuota', { warnings: resourceQuotaWarnings }],
  ['/v1/Secret', { warnings: secretWarnings }],
  ['/v1/Service', { warnings: serviceWarnings, statusWarnings: loadBalancerWarnings }],
  ['/v1/ServiceAccount', { warnings: serviceAccountWarnings }],
  ...admissionKinds,
  ['apps/v1/DaemonSet', { warnings: daemonSetWarnings }],
  ['apps/v1/Deployment', { warnings: templateOwnerWarnings }],
  ['apps/v1/ReplicaSet', { warnings: templateOwnerWarnings }],
  ['apps/v1/StatefulSet', { warnings: statefulSetWarnings }],
  ['batch/v1/CronJob', { warnings: cronJobWarnings }],
  ['batch/v1/Job', { warnings: jobWarnings }],
  ['discovery.k8s.io/v1/EndpointSlice', { warnings: endpointSliceWarnings }],
  ['networking.k8s.io/v1/Ingress', { warnings: ingressWarnings, statusWarnings: loadBalancerWarnings }],
  ['networking.k8s.io/v1/NetworkPolicy', { warnings: networkPolicyWarnings }],
  ['node.k8s.io/v1/RuntimeClass', { warnings: runtimeClassWarnings }],
  ['resource.k8s.io/v1/ResourceSlice', { warnings: resourceSliceWarnings }],
  ['storage.k8s.io/v1/CSIDriver', { warnings: csiDriverWarnings }],
  [
    'storage.k8s.io/v1/CSIStorageCapacity',
    {
      warnings: (capacity: CSIStorageCapacity) =>
        labelSelectorWarnings(FieldPath.of('nodeTopology'), capacity.nodeTopology),
    },
  ],
  ['storage.k8s.io/v1/StorageClass', { warnings: storageClassWarnings }],
]);
