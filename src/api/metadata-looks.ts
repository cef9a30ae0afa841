/**
 * How each kind's own validation looks at metadata, beyond what holds for all kinds. Upstream tells every refusal as
 * often as it looks. Upstream: the calls of ValidateObjectMeta and ValidateObjectMetaUpdate under pkg/apis and
 * pkg/registry.
 */
import type { KindRules } from './kind.ts';

export type MetadataLooks = Pick<KindRules, 'metaOnUpdate' | 'metaOnStatus' | 'metaRule'>;

function each(looks: MetadataLooks, ...keys: string[]): [string, MetadataLooks][] {
  return keys.map(key => [key, looks]);
}

const full: MetadataLooks = { metaOnUpdate: ['full'] };
const fullTwice: MetadataLooks = { metaOnUpdate: ['full', 'full'] };
const fullOwnChange: MetadataLooks = { metaOnUpdate: ['full', 'own', 'change'] };
const fullThenChange: MetadataLooks = { metaOnUpdate: ['full', 'change'] };
const changeThenFull: MetadataLooks = { metaOnUpdate: ['change', 'full'] };
const genericFull: MetadataLooks = { ...full, metaRule: 'generic' };
const none: MetadataLooks = { metaOnUpdate: [], metaRule: 'none' };

/** By `group/version/Kind`. Kinds that are not named look once, as at a change. */
export const metadataLooks: ReadonlyMap<string, MetadataLooks> = new Map([
  ...each(full, '/v1/LimitRange', 'discovery.k8s.io/v1/EndpointSlice'),
  ...each(full, 'flowcontrol.apiserver.k8s.io/v1/FlowSchema'),
  ...each(full, 'flowcontrol.apiserver.k8s.io/v1/PriorityLevelConfiguration'),
  ...each(full, 'storage.k8s.io/v1/CSINode', 'storage.k8s.io/v1/VolumeAttachment'),
  ...each(fullTwice, '/v1/PersistentVolume'),
  ...each(fullOwnChange, 'batch/v1/Job'),
  ...each(fullThenChange, '/v1/Namespace', '/v1/Node', 'networking.k8s.io/v1/IPAddress'),
  ...each(fullOwnChange, 'rbac.authorization.k8s.io/v1/Role', 'rbac.authorization.k8s.io/v1/ClusterRole'),
  ...each(fullOwnChange, 'rbac.authorization.k8s.io/v1/RoleBinding', 'rbac.authorization.k8s.io/v1/ClusterRoleBinding'),
  ...each(fullThenChange, 'resource.k8s.io/v1/ResourceClaim', 'resource.k8s.io/v1/ResourceClaimTemplate'),
  ...each(fullThenChange, 'resource.k8s.io/v1/DeviceClass'),
  ...each(fullThenChange, 'storage.k8s.io/v1/CSIStorageCapacity', 'storage.k8s.io/v1/StorageClass'),
  ...each({ ...fullThenChange, metaOnStatus: ['full', 'change'] }, 'certificates.k8s.io/v1/CertificateSigningRequest'),
  ...each(changeThenFull, '/v1/Pod', '/v1/ConfigMap', '/v1/Secret', '/v1/Endpoints', '/v1/ServiceAccount'),
  ...each(changeThenFull, '/v1/PersistentVolumeClaim', 'apps/v1/ControllerRevision'),
  ...each(changeThenFull, 'networking.k8s.io/v1/Ingress', 'networking.k8s.io/v1/IngressClass'),
  ...each(changeThenFull, 'storage.k8s.io/v1/VolumeAttributesClass'),
  ...each({ ...changeThenFull, metaRule: 'generic' }, 'apiregistration.k8s.io/v1/APIService'),
  ...each({ ...fullThenChange, metaRule: 'generic' }, 'node.k8s.io/v1/RuntimeClass'),
  ...each({ metaRule: 'generic' }, 'coordination.k8s.io/v1/Lease'),
  ...each({ metaRule: 'generic' }, 'apiextensions.k8s.io/v1/CustomResourceDefinition'),
  ...each(genericFull, 'admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration'),
  ...each(genericFull, 'admissionregistration.k8s.io/v1/MutatingWebhookConfiguration'),
  ...each(genericFull, 'admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy'),
  ...each(genericFull, 'admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding'),
  ...each(genericFull, 'admissionregistration.k8s.io/v1/MutatingAdmissionPolicy'),
  ...each(genericFull, 'admissionregistration.k8s.io/v1/MutatingAdmissionPolicyBinding'),
  // Events of the newer group are looked at by their own rules.
  ...each(none, '/v1/Event', 'policy/v1/PodDisruptionBudget'),
]);
