/**
 * The admission plugins in the order in which they are asked, and which of them are on.
 * Upstream: pkg/kubeapiserver/options/plugins.go.
 *
 * Deviation: PodGroupProtection, PodGroupWorkloadExists and JobValidation are not built in; they act only behind features
 * that are off.
 */
import { type Clock, type MetricsRegistry, UserError } from '#base';
import { rbacEscalation } from '../authorization/escalation.ts';
import type { Rbac } from '../authorization/rbac.ts';
import type { FieldManagers } from '../registry/field-managers.ts';
import {
  certificateApproval,
  certificateSigning,
  certificateSubjectRestriction,
  clusterTrustBundleAttest,
} from './certificates.ts';
import type { AdmissionPlugin } from './chain.ts';
import type { AdmissionControl } from './config/admission-control.ts';
import { mutatingAdmissionPolicies } from './dynamic/policies/mutating.ts';
import { validatingAdmissionPolicies } from './dynamic/policies/validating.ts';
import { readWebhookCredentials, type WebhookCredentials } from './dynamic/webhooks/credentials.ts';
import { mutatingWebhooks, validatingWebhooks, type WebhookDeps } from './dynamic/webhooks/webhooks.ts';
import { eventRateLimit } from './event-rate-limit.ts';
import { imagePolicyWebhook } from './image-policy.ts';
import { limitRanger } from './limit-ranger.ts';
import { PodSecurityMetrics, PolicyMetrics } from './metrics.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeDeclaredFeatureValidator } from './node-declared-features.ts';
import { nodeRestriction } from './node-restriction.ts';
import {
  alwaysAdmit,
  alwaysDeny,
  alwaysPullImages,
  denyServiceExternalIPs,
  extendedResourceToleration,
  limitPodHardAntiAffinityTopology,
  namespaceAutoProvision,
  namespaceExists,
} from './optional.ts';
import { ownerReferencesPermissionEnforcement } from './owner-references.ts';
import { podNodeSelector, podTolerationRestriction } from './placement.ts';
import { defaultTolerationSeconds, priority, type TolerationSeconds, taintNodesByCondition } from './pod-defaults.ts';
import { podResizeValidator } from './pod-resize.ts';
import { podSecurity } from './pod-security/pod-security.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import { resourceQuota } from './resource-quota.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import {
  defaultIngressClass,
  defaultStorageClass,
  persistentVolumeClaimResize,
  storageObjectInUseProtection,
} from './storage.ts';

export interface AdmissionDeps extends WebhookDeps {
  readonly clock: Clock;
  readonly fieldManagers: FieldManagers;
  readonly rbac: Rbac;
  readonly metrics: MetricsRegistry;
  readonly tolerationSeconds: TolerationSeconds;
  /** Makes a namespace as the server itself. */
  readonly makeNamespace: (name: string) => Promise<void>;
}

interface Entry {
  readonly name: string;
  readonly byDefault: boolean;
  readonly make: (deps: AdmissionDeps, control: AdmissionControl) => AdmissionPlugin;
}

function credentialsOf(plugin: string, { webhookKubeconfigs }: AdmissionControl): WebhookCredentials | undefined {
  const path = webhookKubeconfigs?.[plugin];
  return path === undefined ? undefined : readWebhookCredentials(path);
}

const on = (name: string, make: Entry['make']): Entry => ({ name, byDefault: true, make });
const off = (name: string, make: Entry['make']): Entry => ({ name, byDefault: false, make });

const entries: readonly Entry[] = [
  off('AlwaysAdmit', () => alwaysAdmit),
  off('NamespaceAutoProvision', ({ lookup, makeNamespace }) => namespaceAutoProvision(lookup, makeNamespace)),
  on('NamespaceLifecycle', ({ lookup }) => namespaceLifecycle(lookup)),
  off('NamespaceExists', ({ lookup }) => namespaceExists(lookup)),
  off('LimitPodHardAntiAffinityTopology', () => limitPodHardAntiAffinityTopology),
  on('LimitRanger', ({ lookup }) => limitRanger(lookup)),
  on('ServiceAccount', ({ lookup, random }) => serviceAccount(lookup, random)),
  off('NodeRestriction', ({ lookup, authorizer }) => nodeRestriction(lookup, authorizer)),
  on('TaintNodesByCondition', () => taintNodesByCondition),
  off('AlwaysPullImages', () => alwaysPullImages),
  off('ImagePolicyWebhook', (deps, { imagePolicy }) => imagePolicyWebhook(imagePolicy, deps)),
  on('PodSecurity', ({ lookup, clock, metrics }, { podSecurity: settings }) =>
    podSecurity({ lookup, clock, metrics: new PodSecurityMetrics(metrics) }, settings),
  ),
  off('PodNodeSelector', ({ lookup }, { nodeSelectors }) => podNodeSelector(lookup, nodeSelectors)),
  on('Priority', ({ lookup }) => priority(lookup)),
  on('DefaultTolerationSeconds', ({ tolerationSeconds }) => defaultTolerationSeconds(tolerationSeconds)),
  off('PodTolerationRestriction', ({ lookup }, { tolerations }) => podTolerationRestriction(lookup, tolerations)),
  off('EventRateLimit', ({ clock }, { eventLimits }) => eventRateLimit(eventLimits, clock)),
  off('ExtendedResourceToleration', () => extendedResourceToleration),
  on('DefaultStorageClass', ({ lookup }) => defaultStorageClass(lookup)),
  on('StorageObjectInUseProtection', () => storageObjectInUseProtection),
  off('OwnerReferencesPermissionEnforcement', ({ authorizer, scheme }) =>
    ownerReferencesPermissionEnforcement(authorizer, scheme),
  ),
  on('PersistentVolumeClaimResize', ({ lookup }) => persistentVolumeClaimResize(lookup)),
  on('RuntimeClass', ({ lookup }) => runtimeClass(lookup)),
  on('CertificateApproval', ({ authorizer }) => certificateApproval(authorizer)),
  on('CertificateSigning', ({ authorizer }) => certificateSigning(authorizer)),
  on('ClusterTrustBundleAttest', ({ authorizer }) => clusterTrustBundleAttest(authorizer)),
  on('CertificateSubjectRestriction', () => certificateSubjectRestriction),
  on('DefaultIngressClass', ({ lookup }) => defaultIngressClass(lookup)),
  off('DenyServiceExternalIPs', () => denyServiceExternalIPs),
  on('PodTopologyLabels', ({ lookup }) => podTopologyLabels(lookup)),
  on('NodeDeclaredFeatureValidator', ({ lookup }) => nodeDeclaredFeatureValidator(lookup)),
  on('PodResizeValidator', ({ lookup }) => podResizeValidator(lookup)),
  on('MutatingAdmissionPolicy', deps => mutatingAdmissionPolicies(deps)),
  on('MutatingAdmissionWebhook', (deps, control) =>
    mutatingWebhooks({ ...deps, credentials: credentialsOf('MutatingAdmissionWebhook', control) }),
  ),
  on('ValidatingAdmissionPolicy', deps =>
    validatingAdmissionPolicies({ ...deps, metrics: new PolicyMetrics(deps.metrics) }),
  ),
  on('ValidatingAdmissionWebhook', (deps, control) =>
    validatingWebhooks({ ...deps, credentials: credentialsOf('ValidatingAdmissionWebhook', control) }),
  ),
  on('ResourceQuota', (deps, { limitedResources }) => resourceQuota(deps, limitedResources)),
  off('AlwaysDeny', () => alwaysDeny),
];

/** All that are built in, in order. */
export const pluginNames: readonly string[] = entries.map(each => each.name);

/** `--enable-admission-plugins` and `--disable-admission-plugins`. */
export interface PluginSwitches {
  readonly enable: readonly string[];
  readonly disable: readonly string[];
}

/** The names of those that are on, in order. Throws a UserError for a name that does not exist or is in both lists. */
export function enabledPlugins({ enable, disable }: PluginSwitches): string[] {
  const known = new Set(entries.map(each => each.name));
  for (const [flag, names] of Object.entries({ enable, disable })) {
    const unknown = names.find(name => !known.has(name));
    if (unknown !== undefined)
      throw new UserError(`${flag}-admission-plugins plugin ${JSON.stringify(unknown)} is unknown`);
  }
  const both = enable.filter(name => disable.includes(name));
  if (both.length > 0)
    throw new UserError(`[${both.join(' ')}] in enable-admission-plugins and disable-admission-plugins overlapped`);
  return entries
    .filter(({ name, byDefault }) => (byDefault && !disable.includes(name)) || enable.includes(name))
    .map(each => each.name);
}

/** The chain's plugins; what guards roles against escalation is no plugin upstream and cannot be switched off. */
export function admissionPlugins(
  deps: AdmissionDeps,
  switches: PluginSwitches,
  control: AdmissionControl,
): readonly AdmissionPlugin[] {
  const names = new Set(enabledPlugins(switches));
  const plugins = entries.filter(({ name }) => names.has(name)).map(({ make }) => make(deps, control));
  const last = plugins.findIndex(({ name }) => name === 'ResourceQuota' || name === 'AlwaysDeny');
  return plugins.toSpliced(last < 0 ? plugins.length : last, 0, rbacEscalation(deps.rbac, deps.authorizer));
}
