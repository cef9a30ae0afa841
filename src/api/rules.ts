/**
 * The `#api/rules` face, for the API server alone: which rules each served kind has, in one list. A kind that is not
 * listed has upstream's generic rules and nothing of its own.
 */

import { mutatingAdmissionPolicyRules } from './admissionregistration/v1/mutating-admission-policy/rules.ts';
import { mutatingAdmissionPolicyBindingRules } from './admissionregistration/v1/mutating-admission-policy-binding/rules.ts';
import { mutatingWebhookConfigurationRules } from './admissionregistration/v1/mutating-webhook-configuration/rules.ts';
import { validatingAdmissionPolicyRules } from './admissionregistration/v1/validating-admission-policy/rules.ts';
import { validatingAdmissionPolicyBindingRules } from './admissionregistration/v1/validating-admission-policy-binding/rules.ts';
import { validatingWebhookConfigurationRules } from './admissionregistration/v1/validating-webhook-configuration/rules.ts';
import { customResourceDefinitionRules } from './apiextensions/v1/custom-resource-definition/rules.ts';
import { apiServiceRules } from './apiregistration/v1/api-service/rules.ts';
import { controllerRevisionRules } from './apps/v1/controller-revision/rules.ts';
import { daemonSetRules } from './apps/v1/daemon-set/rules.ts';
import { deploymentRules } from './apps/v1/deployment/rules.ts';
import { replicaSetRules } from './apps/v1/replica-set/rules.ts';
import { statefulSetRules } from './apps/v1/stateful-set/rules.ts';
import {
  localSubjectAccessReviewRules,
  selfSubjectAccessReviewRules,
  subjectAccessReviewRules,
} from './authorization/v1/subject-access-review/rules.ts';
import { autoscalingV1Rules } from './autoscaling/v1/horizontal-pod-autoscaler/rules.ts';
import { horizontalPodAutoscalerRules } from './autoscaling/v2/horizontal-pod-autoscaler/rules.ts';
import { cronJobRules } from './batch/v1/cron-job/rules.ts';
import { jobRules } from './batch/v1/job/rules.ts';
import { certificateSigningRequestRules } from './certificates/v1/certificate-signing-request/rules.ts';
import { clusterTrustBundleRules } from './certificates/v1beta1/cluster-trust-bundle/rules.ts';
import { leaseRules } from './coordination/v1/lease/rules.ts';
import { configMapRules } from './core/v1/config-map/rules.ts';
import { endpointsRules } from './core/v1/endpoints/rules.ts';
import { eventRules } from './core/v1/event/rules.ts';
import { limitRangeRules } from './core/v1/limit-range/rules.ts';
import { namespaceRules } from './core/v1/namespace/rules.ts';
import { nodeRules } from './core/v1/node/rules.ts';
import { persistentVolumeRules } from './core/v1/persistent-volume/rules.ts';
import { persistentVolumeClaimRules } from './core/v1/persistent-volume-claim/rules.ts';
import { podRules } from './core/v1/pod/rules.ts';
import { podTemplateRules } from './core/v1/pod-template/rules.ts';
import { replicationControllerRules } from './core/v1/replication-controller/rules.ts';
import { resourceQuotaRules } from './core/v1/resource-quota/rules.ts';
import { secretRules } from './core/v1/secret/rules.ts';
import { serviceRules } from './core/v1/service/rules.ts';
import { serviceAccountRules } from './core/v1/service-account/rules.ts';
import { fillStructs } from './defaulting.ts';
import { endpointSliceRules } from './discovery/v1/endpoint-slice/rules.ts';
import { eventsEventRules } from './events/v1/event/rules.ts';
import { flowSchemaRules } from './flowcontrol/v1/flow-schema/rules.ts';
import { priorityLevelConfigurationRules } from './flowcontrol/v1/priority-level-configuration/rules.ts';
import type { KindRecord, KindRules, ResourceFacts } from './kind.ts';
import { metadataLooks } from './metadata-looks.ts';
import { ingressRules } from './networking/v1/ingress/rules.ts';
import { ingressClassRules } from './networking/v1/ingress-class/rules.ts';
import { ipAddressRules } from './networking/v1/ip-address/rules.ts';
import { networkPolicyRules } from './networking/v1/network-policy/rules.ts';
import { serviceCIDRRules } from './networking/v1/service-cidr/rules.ts';
import { runtimeClassRules } from './node/v1/runtime-class/rules.ts';
import { podDisruptionBudgetRules } from './policy/v1/pod-disruption-budget/rules.ts';
import { clusterRoleRules } from './rbac/v1/cluster-role/rules.ts';
import { clusterRoleBindingRules } from './rbac/v1/cluster-role-binding/rules.ts';
import { roleRules } from './rbac/v1/role/rules.ts';
import { roleBindingRules } from './rbac/v1/role-binding/rules.ts';
import { deviceClassRules } from './resource/v1/device-class/rules.ts';
import { resourceClaimRules } from './resource/v1/resource-claim/rules.ts';
import { resourceClaimTemplateRules } from './resource/v1/resource-claim-template/rules.ts';
import { resourceSliceRules } from './resource/v1/resource-slice/rules.ts';
import { resources } from './resources.gen.ts';
import { priorityClassRules } from './scheduling/v1/priority-class/rules.ts';
import { csiDriverRules } from './storage/v1/csi-driver/rules.ts';
import { csiNodeRules } from './storage/v1/csi-node/rules.ts';
import { csiStorageCapacityRules } from './storage/v1/csi-storage-capacity/rules.ts';
import { storageClassRules } from './storage/v1/storage-class/rules.ts';
import { volumeAttachmentRules } from './storage/v1/volume-attachment/rules.ts';
import { volumeAttributesClassRules } from './storage/v1/volume-attributes-class/rules.ts';
import { builtinTypes } from './tables.ts';
import { kindWarnings } from './warnings/index.ts';

/** What the allocation of addresses must know to be right before it gives any out. */
export { checkClusterIPs } from './core/v1/service/validation.ts';

/** By `group/version/Kind`, in the order of discovery. */
const rules: Readonly<Record<string, KindRules<any>>> = {
  'batch/v1/Job': jobRules,
  'batch/v1/CronJob': cronJobRules,
  'networking.k8s.io/v1/NetworkPolicy': networkPolicyRules,
  'networking.k8s.io/v1/Ingress': ingressRules,
  'networking.k8s.io/v1/IngressClass': ingressClassRules,
  'networking.k8s.io/v1/IPAddress': ipAddressRules,
  'networking.k8s.io/v1/ServiceCIDR': serviceCIDRRules,
  'autoscaling/v2/HorizontalPodAutoscaler': horizontalPodAutoscalerRules,
  'admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration': validatingWebhookConfigurationRules,
  'admissionregistration.k8s.io/v1/MutatingWebhookConfiguration': mutatingWebhookConfigurationRules,
  'admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy': validatingAdmissionPolicyRules,
  'admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding': validatingAdmissionPolicyBindingRules,
  'admissionregistration.k8s.io/v1/MutatingAdmissionPolicy': mutatingAdmissionPolicyRules,
  'admissionregistration.k8s.io/v1/MutatingAdmissionPolicyBinding': mutatingAdmissionPolicyBindingRules,
  'rbac.authorization.k8s.io/v1/Role': roleRules,
  'rbac.authorization.k8s.io/v1/ClusterRole': clusterRoleRules,
  'rbac.authorization.k8s.io/v1/RoleBinding': roleBindingRules,
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding': clusterRoleBindingRules,
  'discovery.k8s.io/v1/EndpointSlice': endpointSliceRules,
  'storage.k8s.io/v1/StorageClass': storageClassRules,
  'storage.k8s.io/v1/VolumeAttachment': volumeAttachmentRules,
  'storage.k8s.io/v1/CSINode': csiNodeRules,
  'storage.k8s.io/v1/CSIDriver': csiDriverRules,
  'storage.k8s.io/v1/CSIStorageCapacity': csiStorageCapacityRules,
  'storage.k8s.io/v1/VolumeAttributesClass': volumeAttributesClassRules,
  'flowcontrol.apiserver.k8s.io/v1/FlowSchema': flowSchemaRules,
  'flowcontrol.apiserver.k8s.io/v1/PriorityLevelConfiguration': priorityLevelConfigurationRules,
  'node.k8s.io/v1/RuntimeClass': runtimeClassRules,
  'policy/v1/PodDisruptionBudget': podDisruptionBudgetRules,
  'scheduling.k8s.io/v1/PriorityClass': priorityClassRules,
  'coordination.k8s.io/v1/Lease': leaseRules,
  'apiregistration.k8s.io/v1/APIService': apiServiceRules,
  'certificates.k8s.io/v1/CertificateSigningRequest': certificateSigningRequestRules,
  'certificates.k8s.io/v1beta1/ClusterTrustBundle': clusterTrustBundleRules,
  'authorization.k8s.io/v1/SubjectAccessReview': subjectAccessReviewRules,
  'authorization.k8s.io/v1/SelfSubjectAccessReview': selfSubjectAccessReviewRules,
  'authorization.k8s.io/v1/LocalSubjectAccessReview': localSubjectAccessReviewRules,
  'autoscaling/v1/HorizontalPodAutoscaler': autoscalingV1Rules,
  'apiextensions.k8s.io/v1/CustomResourceDefinition': customResourceDefinitionRules,
  'resource.k8s.io/v1/DeviceClass': deviceClassRules,
  'resource.k8s.io/v1/ResourceSlice': resourceSliceRules,
  'resource.k8s.io/v1/ResourceClaim': resourceClaimRules,
  'resource.k8s.io/v1/ResourceClaimTemplate': resourceClaimTemplateRules,
  '/v1/ConfigMap': configMapRules,
  '/v1/LimitRange': limitRangeRules,
  '/v1/PodTemplate': podTemplateRules,
  '/v1/ResourceQuota': resourceQuotaRules,
  '/v1/ServiceAccount': serviceAccountRules,
  'apps/v1/ControllerRevision': controllerRevisionRules,
  'apps/v1/DaemonSet': daemonSetRules,
  'apps/v1/StatefulSet': statefulSetRules,
  'events.k8s.io/v1/Event': eventsEventRules,
  '/v1/Endpoints': endpointsRules,
  '/v1/Event': eventRules,
  '/v1/Namespace': namespaceRules,
  '/v1/Node': nodeRules,
  '/v1/PersistentVolume': persistentVolumeRules,
  '/v1/PersistentVolumeClaim': persistentVolumeClaimRules,
  '/v1/Pod': podRules,
  '/v1/ReplicationController': replicationControllerRules,
  '/v1/Secret': secretRules,
  '/v1/Service': serviceRules,
  'apps/v1/Deployment': deploymentRules,
  'apps/v1/ReplicaSet': replicaSetRules,
};

/** The rules with the structs filled in that Go always has, so that defaults may read through them. */
function complete(facts: Pick<ResourceFacts, 'typeName'>, own: KindRules<any>, key: string): KindRules {
  return {
    ...kindWarnings.get(key),
    ...{ metaRule: 'core' as const, ...metadataLooks.get(key) },
    ...own,
    defaults(draft) {
      fillStructs(draft, builtinTypes.struct(facts.typeName));
      own.defaults?.(draft);
    },
  };
}

/** The rules of a served kind; those of every kind where it has none of its own. */
export function rulesOf(facts: ResourceFacts): KindRules {
  const own = `${facts.group}/${facts.version}/${facts.kind}`;
  if (Object.hasOwn(rules, own)) return complete(facts, rules[own]!, own);
  // Another version in the same shape has the rules of the stored one.
  const stored = `${facts.storageGroup}/${facts.storageVersion}/${facts.kind}`;
  return complete(facts, rules[stored] ?? {}, stored);
}

/** Facts and rules of every served resource, in the order of discovery. */
export function kindRecords(): readonly KindRecord[] {
  return resources.map(facts => ({ ...facts, rules: rulesOf(facts) }));
}

/** One of {@link kindRecords}; undefined when the kind is not served in that version. */
export function kindRecord(group: string, version: string, kind: string): KindRecord | undefined {
  const facts = resources.find(each => each.group === group && each.version === version && each.kind === kind);
  return facts && { ...facts, rules: rulesOf(facts) };
}
