/** What plugins are told, each as its plugin reads it. Upstream: the LoadConfiguration of each plugin. */
import {
  aggregateText,
  type ConfigurationKinds,
  type DecodeOptions,
  decodeConfiguration,
  FieldPath,
  parseYamlOrJson,
  readJson,
  required,
  yamlToJson,
} from '#apimachinery';
import type { EventLimit } from '../event-rate-limit.ts';
import { readImagePolicy } from '../image-policy.ts';
import type { NodeSelectors, TolerationConfiguration } from '../placement.ts';
import {
  type PodSecurityConfiguration,
  type PodSecurityDocument,
  readPodSecurity,
} from '../pod-security/configuration.ts';
import type { AdmissionControl } from './admission-control.ts';
import {
  eventRateLimitKinds,
  imagePolicyNode,
  podSecurityKinds,
  podTolerationKinds,
  resourceQuotaKinds,
  webhookKinds,
} from './plugin-kinds.ts';
import type { QuotaLimits } from './resource-quota.ts';

type Told = Readonly<Record<string, unknown>>;

const versioned = (bytes: Uint8Array, kinds: ConfigurationKinds, options?: DecodeOptions): Told =>
  decodeConfiguration(bytes, kinds, options).value as Told;

/** Without a version, and without an eye for fields that are not known. */
function unversioned(bytes: Uint8Array): Told {
  const { value } = parseYamlOrJson(bytes);
  return value !== null && typeof value === 'object' ? (value as Told) : {};
}

/** Upstream reads these two leniently. */
const lenient: DecodeOptions = { isLenient: true };

/** Adds what a plugin is told to `control`; nothing for plugins that take no configuration. Throws an Error. */
export function readPlugin(name: string, bytes: Uint8Array, control: AdmissionControl): AdmissionControl {
  switch (name) {
    case 'PodSecurity':
      return bytes.length === 0 ? {} : { podSecurity: podSecurity(versioned(bytes, podSecurityKinds)) };
    case 'ResourceQuota':
      return { limitedResources: quotaLimits(versioned(bytes, resourceQuotaKinds)) };
    case 'EventRateLimit': {
      const { limits } = versioned(bytes, eventRateLimitKinds, lenient);
      return { eventLimits: (limits ?? []) as readonly EventLimit[] };
    }
    case 'PodTolerationRestriction':
      return { tolerations: versioned(bytes, podTolerationKinds, lenient) as TolerationConfiguration };
    case 'PodNodeSelector':
      return { nodeSelectors: (unversioned(bytes)['podNodeSelectorPluginConfig'] ?? {}) as NodeSelectors };
    case 'ImagePolicyWebhook':
      return { imagePolicy: readImagePolicy(readJson(yamlToJson(bytes).json, imagePolicyNode).value as Told) };
    case 'MutatingAdmissionWebhook':
    case 'ValidatingAdmissionWebhook': {
      const file = kubeconfigOf(bytes);
      return file === undefined ? {} : { webhookKubeconfigs: { ...control.webhookKubeconfigs, [name]: file } };
    }
    default:
      return {};
  }
}

/** A plugin that was made, and is then told what it cannot do with. */
export class InitializationError extends Error {
  override readonly name = 'InitializationError';
}

function podSecurity(document: PodSecurityDocument): PodSecurityConfiguration {
  try {
    return readPodSecurity(document);
  } catch (cause) {
    throw new InitializationError((cause as Error).message, { cause });
  }
}

function quotaLimits({ limitedResources }: Told): QuotaLimits {
  const limits = (limitedResources ?? []) as QuotaLimits;
  const path = FieldPath.of('limitedResources');
  const errors = limits.flatMap(({ resource }, at) => (resource ? [] : [required(path.index(at).child('resource'))]));
  if (errors.length > 0) throw new Error(aggregateText(errors));
  return limits;
}

function kubeconfigOf(bytes: Uint8Array): string | undefined {
  const { kubeConfigFile, staticManifestsDir } = versioned(bytes, webhookKinds) as {
    readonly kubeConfigFile?: string;
    readonly staticManifestsDir?: string;
  };
  if (kubeConfigFile && !kubeConfigFile.startsWith('/')) {
    throw new Error(`kubeConfigFile: Invalid value: ${JSON.stringify(kubeConfigFile)}: must be an absolute file path`);
  }
  if (staticManifestsDir) {
    const why = 'staticManifestsDir requires the ManifestBasedAdmissionControlConfig feature gate to be enabled';
    throw new Error(`staticManifestsDir: Forbidden: ${why}`);
  }
  return kubeConfigFile || undefined;
}
