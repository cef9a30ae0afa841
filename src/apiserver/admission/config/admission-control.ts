/**
 * `--admission-control-config-file`: `apiserver.config.k8s.io/v1 AdmissionConfiguration`, with what each plugin is told
 * in it or in a file that it names. Upstream: apiserver pkg/admission/config.go.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ConfigurationError, decodeConfiguration, goQuote, parseYaml, writeSorted } from '#apimachinery';
import { goFileError, UserError } from '#base';
import { apiServerKinds } from '../../configuration/kinds.ts';
import type { EventLimit } from '../event-rate-limit.ts';
import type { ImagePolicy } from '../image-policy.ts';
import type { NodeSelectors, TolerationConfiguration } from '../placement.ts';
import type { PodSecurityConfiguration } from '../pod-security/configuration.ts';
import { InitializationError, readPlugin } from './read-plugin.ts';
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

interface PluginEntry {
  readonly name?: string;
  readonly path?: string;
  readonly configuration?: unknown;
}

/**
 * What the file says to the plugins that are `enabled`; unless given, to all. What it says to others is not looked at,
 * of several entries for one the first counts. Throws a UserError with upstream's text.
 */
export function readAdmissionControl(path: string, enabled?: readonly string[]): AdmissionControl {
  const seen = new Set<string>();
  let control: AdmissionControl = {};
  for (const { name = '', path: own, configuration } of readEntries(path)) {
    if (seen.has(name) || (enabled && !enabled.includes(name))) continue;
    seen.add(name);
    const told = toldTo(path, own, configuration);
    if (told === undefined) continue;
    try {
      control = { ...control, ...readPlugin(name, told, control) };
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const what = cause instanceof InitializationError ? 'failed to initialize' : "couldn't init";
      throw new UserError(`failed to apply admission: ${what} admission plugin ${goQuote(name)}: ${why}`, { cause });
    }
  }
  return control;
}

/** The configuration that stands in the file, or the file that it names, from the file's own folder. */
function toldTo(path: string, own: string | undefined, configuration: unknown): Buffer | undefined {
  if (configuration !== undefined && configuration !== null) return Buffer.from(writeSorted(configuration));
  if (!own) return undefined;
  const file = resolve(dirname(path), own);
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new UserError(`Couldn't open admission plugin configuration ${file}: ${goFileError(cause, file)}`, { cause });
  }
}

function readEntries(path: string): readonly PluginEntry[] {
  const problem = (why: string, cause?: unknown): UserError =>
    new UserError(`failed to apply admission: failed to read plugin config: ${why}`, { cause });
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const why = goFileError(cause, path);
    throw problem(`unable to read admission control configuration from ${goQuote(path)} [${why}]`, cause);
  }
  try {
    const { value, goType } = decodeConfiguration(bytes, apiServerKinds);
    if (goType !== '*apiserver.AdmissionConfiguration') throw problem(`unexpected type: ${goType}`);
    return (value as { readonly plugins?: readonly PluginEntry[] }).plugins ?? [];
  } catch (cause) {
    if (!(cause instanceof ConfigurationError)) throw cause;
    const legacy = cause.isOfNoKind ? legacyEntries(bytes, path) : [];
    if (legacy.length === 0) throw problem(cause.message, cause);
    return legacy;
  }
}

/** Two plugins were once configured by a file of their own, which is still taken in this one's place. */
const legacyFields: Readonly<Record<string, string>> = {
  imagePolicy: 'ImagePolicyWebhook',
  podNodeSelectorPluginConfig: 'PodNodeSelector',
};

function legacyEntries(bytes: Uint8Array, path: string): readonly PluginEntry[] {
  const { value } = parseYaml(bytes);
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(legacyFields).flatMap(([name, plugin]) =>
    Object.hasOwn(value, name) ? [{ name: plugin, path }] : [],
  );
}
