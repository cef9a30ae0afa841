/**
 * The kinds in which plugins are configured. Upstream: pod-security-admission admission/api, apiserver
 * pkg/admission/plugin/{resourcequota,webhook/config}/apis, plugin/pkg/admission/{eventratelimit,podtolerationrestriction}/apis.
 */
import { builtinTypes } from '#api/tables';
import {
  type ConfigurationKind,
  type ConfigurationKinds,
  field,
  list,
  type StructNode,
  scalar,
  struct,
} from '#apimachinery';
import { configGroup, typeMeta } from '../../configuration/kinds.ts';

const text = scalar('string');
const core = (name: string): StructNode => builtinTypes.struct(`io.k8s.api.core.v1.${name}`);

type Entry = readonly [string, ConfigurationKind];

function podSecurity(version: string): Entry {
  const modes = ['enforce', 'audit', 'warn'].flatMap(mode => [field(mode, text), field(`${mode}-version`, text)]);
  const exempt = ['usernames', 'namespaces', 'runtimeClasses'].map(name => field(name, list(text)));
  const node = struct(`${version}.PodSecurityConfiguration`, [
    ...typeMeta,
    field('defaults', struct(`${version}.PodSecurityDefaults`, modes)),
    field('exemptions', struct(`${version}.PodSecurityExemptions`, exempt)),
  ]);
  const name = `pod-security.admission.config.k8s.io/${version} PodSecurityConfiguration`;
  return [name, { goType: '*api.PodSecurityConfiguration', struct: node }];
}

export const podSecurityKinds: ConfigurationKinds = new Map(['v1', 'v1beta1', 'v1alpha1'].map(podSecurity));

function resourceQuota(apiVersion: string, kind: string): Entry {
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
  const limited = struct(`${version}.LimitedResource`, [
    field('apiGroup', text),
    field('resource', text),
    field('matchContains', list(text)),
    field('matchScopes', list(core('ScopedResourceSelectorRequirement'))),
  ]);
  const node = struct(`${version}.Configuration`, [...typeMeta, field('limitedResources', list(limited))]);
  return [`${apiVersion} ${kind}`, { goType: '*resourcequota.Configuration', struct: node }];
}

export const resourceQuotaKinds: ConfigurationKinds = new Map([
  resourceQuota(`${configGroup}/v1`, 'ResourceQuotaConfiguration'),
  resourceQuota('resourcequota.admission.k8s.io/v1beta1', 'Configuration'),
  resourceQuota('resourcequota.admission.k8s.io/v1alpha1', 'Configuration'),
]);

const limit = struct('v1alpha1.Limit', [
  field('type', scalar('string', 'v1alpha1.LimitType')),
  ...['qps', 'burst', 'cacheSize'].map(name => field(name, scalar('int32'))),
]);

export const eventRateLimitKinds: ConfigurationKinds = new Map([
  [
    'eventratelimit.admission.k8s.io/v1alpha1 Configuration',
    {
      goType: '*eventratelimit.Configuration',
      struct: struct('v1alpha1.Configuration', [...typeMeta, field('limits', list(limit))]),
    },
  ],
]);

export const podTolerationKinds: ConfigurationKinds = new Map([
  [
    'podtolerationrestriction.admission.k8s.io/v1alpha1 Configuration',
    {
      goType: '*podtolerationrestriction.Configuration',
      struct: struct('v1alpha1.Configuration', [
        ...typeMeta,
        field('default', list(core('Toleration'))),
        field('whitelist', list(core('Toleration'))),
      ]),
    },
  ],
]);

const webhookFields = [...typeMeta, field('kubeConfigFile', text), field('staticManifestsDir', text)];

export const webhookKinds: ConfigurationKinds = new Map([
  [
    `${configGroup}/v1 WebhookAdmissionConfiguration`,
    { goType: '*webhookadmission.WebhookAdmission', struct: struct('v1.WebhookAdmission', webhookFields) },
  ],
]);

const seconds = scalar('int64', 'time.Duration');

/** Of the webhook that judges images; it names neither version nor kind. */
export const imagePolicyNode: StructNode = struct('imagepolicy.AdmissionConfig', [
  field(
    'imagePolicy',
    struct('imagepolicy.imagePolicyWebhookConfig', [
      field('kubeConfigFile', text),
      ...['allowTTL', 'denyTTL', 'retryBackoff'].map(name => field(name, seconds)),
      field('defaultAllow', scalar('boolean')),
    ]),
  ),
]);
