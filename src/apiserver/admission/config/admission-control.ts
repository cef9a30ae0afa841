/**
 * `--admission-control-config-file`: `apiserver.config.k8s.io/v1 AdmissionConfiguration`, with what each plugin is told
 * in it or in a file that it names. Upstream: apiserver pkg/admission/config.go.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { load } from 'js-yaml';
import { UserError } from '#base';
import { type EventLimit, readEventLimits } from '../event-rate-limit.ts';
import { type ImagePolicy, readImagePolicy } from '../image-policy.ts';
import type { NodeSelectors, TolerationConfiguration } from '../placement.ts';
import { type PodSecurityConfiguration, readPodSecurity } from '../pod-security/configuration.ts';
import type { QuotaLimits } from './resource-quota.ts';

export interface AdmissionControl {
  readonly podSecurity?: PodSecurityConfiguration;
  readonly limitedResources?: QuotaLimits;
  readonly nodeSelectors?: NodeSelectors;
  readonly tolerations?: TolerationConfiguration;
  readonly eventLimits?: readonly EventLimit[];
  readonly imagePolicy?: ImagePolicy;
  /** Credentials for webhooks, by plugin: path of a kubeconfig. */
  readonly webhookKubeconfigs?: Readonly<Record<string, string>>;
}

interface Document {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly plugins?: ReadonlyArray<{ readonly name: string; readonly path?: string; readonly configuration?: unknown }>;
}

const versions: readonly string[] = ['apiserver.config.k8s.io/v1', 'apiserver.k8s.io/v1alpha1'];

type Told = Readonly<Record<string, unknown>>;

/** What the file says. Throws a UserError that names it. */
export function readAdmissionControl(path: string): AdmissionControl {
  const problem = (why: string): UserError => new UserError(`${path}: ${why}`);
  const document = readYaml(path) as Document | undefined;
  const version = document?.apiVersion ?? '';
  if (document?.kind !== 'AdmissionConfiguration' || !versions.includes(version)) {
    throw problem('is no AdmissionConfiguration of apiserver.config.k8s.io/v1');
  }
  let control: AdmissionControl = {};
  for (const { name, path: own, configuration } of document.plugins ?? []) {
    const told = (configuration ?? (own ? readYaml(resolve(dirname(path), own)) : undefined)) as Told | undefined;
    if (!told) continue;
    try {
      control = { ...control, ...readPlugin(name, told, control) };
    } catch (error) {
      throw problem(`plugin ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return control;
}

function readYaml(path: string): unknown {
  try {
    return load(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UserError(`unable to read admission control configuration from ${JSON.stringify(path)}`, {
      remedy: error instanceof Error ? error.message : String(error),
    });
  }
}

function readPlugin(name: string, told: Told, control: AdmissionControl): AdmissionControl {
  switch (name) {
    case 'PodSecurity':
      return { podSecurity: readPodSecurity(told as never) };
    case 'ResourceQuota':
      return { limitedResources: (told['limitedResources'] ?? []) as QuotaLimits };
    case 'PodNodeSelector':
      return { nodeSelectors: (told['podNodeSelectorPluginConfig'] ?? {}) as NodeSelectors };
    case 'PodTolerationRestriction':
      return { tolerations: told as TolerationConfiguration };
    case 'EventRateLimit':
      return { eventLimits: readEventLimits(told) };
    case 'ImagePolicyWebhook':
      return { imagePolicy: readImagePolicy(told) };
    case 'MutatingAdmissionWebhook':
    case 'ValidatingAdmissionWebhook': {
      const file = told['kubeConfigFile'];
      if (typeof file !== 'string') return {};
      return { webhookKubeconfigs: { ...control.webhookKubeconfigs, [name]: file } };
    }
    default:
      throw new Error('takes no configuration');
  }
}
