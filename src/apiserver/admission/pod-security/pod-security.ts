/**
 * The Pod Security Standards as labels of namespaces ask for them: enforced on pods, warned about and audited on pods
 * and whatever has a template of them. Upstream: plugin/pkg/admission/security/podsecurity,
 * pod-security-admission admission/admission.go.
 */
import type { Namespace, Pod, PodTemplateSpec } from '#api/types';
import { forbidden, internalError, invalid, type KubeObject } from '#apimachinery';
import type { Clock } from '#base';
import type { AdmissionAttributes, AdmissionPlugin } from '../chain.ts';
import type { Lookup } from '../lookup.ts';
import type { PodSecurityMetrics } from '../metrics.ts';
import { defaultPodSecurity, type PodSecurityConfiguration } from './configuration.ts';
import {
  compareLevels,
  isFullyPrivileged,
  type LevelVersion,
  labelPrefix,
  levelText,
  type Policy,
  policyOf,
  privileged,
  sameLevel,
  violations,
  violationText,
} from './policy.ts';

const maxPodsToCheck = 3000;
const podCheckMs = 1000;
/** Subresources of pods that do not change what runs. */
const ignored = new Set(['exec', 'attach', 'binding', 'eviction', 'log', 'portforward', 'proxy', 'status']);

type Described = Pick<Pod, 'metadata' | 'spec'>;

/** Where each kind keeps its pod template. */
const templates: Readonly<Record<string, (object: KubeObject) => PodTemplateSpec | undefined>> = {
  '/podtemplates': object => (object as unknown as { template?: PodTemplateSpec }).template,
  '/replicationcontrollers': inSpec,
  'apps/daemonsets': inSpec,
  'apps/deployments': inSpec,
  'apps/replicasets': inSpec,
  'apps/statefulsets': inSpec,
  'batch/jobs': inSpec,
  'batch/cronjobs': object =>
    (object as unknown as { spec?: { jobTemplate?: { spec?: { template?: PodTemplateSpec } } } }).spec?.jobTemplate
      ?.spec?.template,
};

function inSpec(object: KubeObject): PodTemplateSpec | undefined {
  return (object as unknown as { spec?: { template?: PodTemplateSpec } }).spec?.template;
}

export interface PodSecurityDeps {
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly metrics: PodSecurityMetrics;
}

export function podSecurity(
  deps: PodSecurityDeps,
  configuration: PodSecurityConfiguration = defaultPodSecurity,
): AdmissionPlugin {
  const security = new PodSecurity(deps, configuration);
  return {
    name: 'PodSecurity',
    handles({ operation, resource, subresource }) {
      if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
      if (resource.group === '' && resource.resource === 'pods') return !ignored.has(subresource);
      if (subresource !== '') return false;
      if (resource.group === '' && resource.resource === 'namespaces') return true;
      return templates[`${resource.group}/${resource.resource}`] !== undefined;
    },
    async validate(attributes, object) {
      const { group, resource } = attributes.resource;
      if (group === '' && resource === 'namespaces') await security.namespace(attributes, object!);
      else if (group === '' && resource === 'pods') await security.pod(attributes, object!);
      else await security.template(attributes, object!);
      return undefined;
    },
  };
}

/** `restricted:v1.30` in its parts. */
function shown(at: LevelVersion): { level: string; version: string } {
  const [level = '', version = ''] = levelText(at).split(':');
  return { level, version };
}

class PodSecurity {
  readonly #lookup: Lookup;
  readonly #clock: Clock;
  readonly #metrics: PodSecurityMetrics;
  readonly #configuration: PodSecurityConfiguration;

  constructor({ lookup, clock, metrics }: PodSecurityDeps, configuration: PodSecurityConfiguration) {
    this.#lookup = lookup;
    this.#clock = clock;
    this.#metrics = metrics;
    this.#configuration = configuration;
  }

  async namespace(attributes: AdmissionAttributes, object: KubeObject): Promise<void> {
    const { defaults } = this.#configuration;
    const { labels } = object.metadata;
    const now = policyOf(labels, defaults);
    const before = attributes.old ? policyOf(attributes.old.metadata.labels, defaults) : undefined;
    const same = before !== undefined && JSON.stringify(now.errors) === JSON.stringify(before.errors);
    if (now.errors.length > 0 && !same) throw invalid(attributes.kind, attributes.name, now.errors);
    const { enforce } = now.policy;
    if (before) {
      const old = before.policy.enforce;
      if (sameLevel(enforce, old) || enforce.level === 'privileged') return;
      if (enforce.minor === old.minor && compareLevels(enforce.level, old.level) < 1) return;
    }
    const name = object.metadata.name ?? '';
    if (this.#configuration.exemptions.namespaces.includes(attributes.namespace)) {
      const text = this.#exemptionWarning(name, now.policy, labels ?? {});
      if (text) attributes.warn(text);
    } else if (before) await this.#warnOfPods(attributes, name, enforce);
  }

  async pod(attributes: AdmissionAttributes, object: KubeObject): Promise<void> {
    if (this.#isExempt(attributes)) return;
    const { policy, error } = await this.#policyOf(attributes);
    if (policy === undefined) {
      this.#metrics.failed(attributes, true);
      attributes.annotate(`${labelPrefix}error`, error!);
      throw internalError(`failed to lookup namespace ${JSON.stringify(attributes.namespace)}`);
    }
    if (error === undefined && isFullyPrivileged(policy)) {
      attributes.annotate(`${labelPrefix}enforce-policy`, levelText(privileged));
      this.#metrics.evaluated(attributes, 'enforce', shown(policy.enforce), 'allow');
      return;
    }
    const pod = object as unknown as Pod;
    if (attributes.old && !isSignificant(pod, attributes.old as unknown as Pod)) return;
    this.#evaluate(attributes, { policy, error }, pod, true);
  }

  async template(attributes: AdmissionAttributes, object: KubeObject): Promise<void> {
    if (this.#isExempt(attributes)) return;
    const { policy, error } = await this.#policyOf(attributes);
    if (policy === undefined) {
      this.#metrics.failed(attributes, true);
      attributes.annotate(`${labelPrefix}error`, error!);
      return;
    }
    if (error === undefined && policy.warn.level === 'privileged' && policy.audit.level === 'privileged') return;
    const { group, resource } = attributes.resource;
    const template = templates[`${group}/${resource}`]!(object);
    if (!template?.spec) return;
    this.#evaluate(attributes, { policy, error }, { metadata: {}, ...template } as Described, false);
  }

  #isExempt(attributes: AdmissionAttributes): boolean {
    const { namespace, user, annotate } = attributes;
    const { namespaces, usernames } = this.#configuration.exemptions;
    const why = namespaces.includes(namespace) ? 'namespace' : usernames.includes(user.name) ? 'user' : undefined;
    if (why) {
      annotate(`${labelPrefix}exempt`, why);
      this.#metrics.exempt(attributes);
    }
    return why !== undefined;
  }

  async #policyOf({ namespace }: AdmissionAttributes): Promise<{ policy?: Policy; error?: string | undefined }> {
    const found = (await this.#lookup.get('', 'namespaces', '', namespace)) as unknown as Namespace | undefined;
    if (!found) return { error: `failed to lookup namespace ${JSON.stringify(namespace)}: not found` };
    const { policy, errors } = policyOf(found.metadata.labels, this.#configuration.defaults);
    if (errors.length === 0) return { policy };
    const text = errors.map(({ field, body }) => `${field}: ${body}`);
    return { policy, error: `Failed to parse policy: ${text.length === 1 ? text[0] : `[${text.join(', ')}]`}` };
  }

  #evaluate(
    attributes: AdmissionAttributes,
    { policy, error }: { policy: Policy; error?: string | undefined },
    pod: Described,
    enforce: boolean,
  ): void {
    const { annotate, warn, resource, name } = attributes;
    const { runtimeClassName } = pod.spec;
    if (runtimeClassName && this.#configuration.exemptions.runtimeClasses.includes(runtimeClassName)) {
      annotate(`${labelPrefix}exempt`, 'runtimeClass');
      this.#metrics.exempt(attributes);
      return;
    }
    if (error !== undefined) {
      this.#metrics.failed(attributes, false);
      annotate(`${labelPrefix}error`, error);
    }
    const against = (at: LevelVersion): string => violationText(violations(at, pod));
    const refused = enforce ? against(policy.enforce) : '';
    if (enforce) {
      annotate(`${labelPrefix}enforce-policy`, levelText(policy.enforce));
      this.#metrics.evaluated(attributes, 'enforce', shown(policy.enforce), refused === '' ? 'allow' : 'deny');
    }
    const audited = against(policy.audit);
    if (audited !== '') {
      const text = `would violate PodSecurity ${JSON.stringify(levelText(policy.audit))}: ${audited}`;
      annotate(`${labelPrefix}audit-violations`, text);
      this.#metrics.evaluated(attributes, 'audit', shown(policy.audit), 'deny');
    }
    if (refused !== '') {
      const why = `violates PodSecurity ${JSON.stringify(levelText(policy.enforce))}: ${refused}`;
      throw forbidden({ group: resource.group, resource: resource.resource }, name, why);
    }
    const warned = against(policy.warn);
    if (warned === '') return;
    warn(`would violate PodSecurity ${JSON.stringify(levelText(policy.warn))}: ${warned}`);
    this.#metrics.evaluated(attributes, 'warn', shown(policy.warn), 'deny');
  }

  #exemptionWarning(name: string, policy: Policy, labels: Readonly<Record<string, string>>): string | undefined {
    const { defaults } = this.#configuration;
    const equivalent = (a: LevelVersion, b: LevelVersion): boolean =>
      sameLevel(a, b) || (a.level === 'privileged' && b.level === 'privileged');
    const modes = ['enforce', 'audit', 'warn'] as const;
    if (isFullyPrivileged(policy) || modes.every(mode => equivalent(policy[mode], defaults[mode]))) return undefined;
    const said = modes.filter(mode => {
      const key = labelPrefix + mode;
      return (
        policy[mode].level !== 'privileged' && (labels[key] !== undefined || labels[`${key}-version`] !== undefined)
      );
    });
    const text = said.map(mode => `${mode}=${levelText(policy[mode])}`).join(', ');
    return `namespace ${JSON.stringify(name)} is exempt from Pod Security, and the policy (${text}) will be ignored`;
  }

  /** A stricter level does not touch pods that run; who sets it is told of them. */
  async #warnOfPods({ warn }: AdmissionAttributes, namespace: string, enforce: LevelVersion): Promise<void> {
    const pods = this.#prioritized((await this.#lookup.list('', 'pods', namespace)) as unknown as Pod[]);
    const until = this.#clock.monotonicMs() + podCheckMs;
    const found = new Map<string, { name: string; count: number }>();
    let checked = 0;
    for (const pod of pods.slice(0, maxPodsToCheck)) {
      checked++;
      const reasons = violations(enforce, pod).map(({ reason }) => reason);
      if (reasons.length > 0) {
        const key = reasons.join(', ');
        const known = found.get(key);
        const name = pod.metadata.name!;
        found.set(key, { name: known && known.name < name ? known.name : name, count: (known?.count ?? 0) + 1 });
      }
      if (this.#clock.monotonicMs() > until) break;
    }
    if (checked < pods.length) {
      warn(`new PodSecurity enforce level only checked against the first ${checked} of ${pods.length} existing pods`);
    }
    if (found.size === 0) return;
    const level = JSON.stringify(levelText(enforce));
    warn(`existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${level}`);
    const lines = [...found].map(([reasons, { name, count }]) => {
      const others = count === 1 ? '' : count === 2 ? ' (and 1 other pod)' : ` (and ${count - 1} other pods)`;
      return `${name}${others}: ${reasons}`;
    });
    for (const line of lines.sort()) warn(line);
  }

  /** One pod of each controller first. */
  #prioritized(pods: readonly Pod[]): Pod[] {
    const seen = new Set<string>();
    const first: Pod[] = [];
    const rest: Pod[] = [];
    for (const pod of pods) {
      const { runtimeClassName } = pod.spec;
      if (runtimeClassName && this.#configuration.exemptions.runtimeClasses.includes(runtimeClassName)) continue;
      const owner = pod.metadata.ownerReferences?.find(each => each.controller)?.uid;
      if (owner !== undefined && seen.has(owner)) rest.push(pod);
      else first.push(pod);
      if (owner !== undefined) seen.add(owner);
    }
    return [...first, ...rest];
  }
}

/** Of what can be updated in a pod, images and ephemeral containers matter. */
function isSignificant(now: Pod, old: Pod): boolean {
  for (const list of ['containers', 'initContainers'] as const) {
    const [a, b] = [now.spec[list] ?? [], old.spec[list] ?? []];
    if (a.length !== b.length || a.some((each, at) => each.image !== b[at]!.image)) return true;
  }
  const before = old.spec.ephemeralContainers ?? [];
  return (now.spec.ephemeralContainers ?? []).some(each => {
    const known = before.find(({ name }) => name === each.name);
    return !known || known.image !== each.image;
  });
}
