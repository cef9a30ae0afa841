/** `pod-security.admission.config.k8s.io/v1 PodSecurityConfiguration`. Upstream: pod-security-admission admission/api. */
import {
  aggregateText,
  duplicate,
  type FieldError,
  FieldPath,
  invalidValue,
  isDNS1123Label,
  isDNS1123Subdomain,
} from '#apimachinery';
import { type LevelVersion, type Policy, parseLevel, parseVersion, privileged } from './policy.ts';

export interface PodSecurityConfiguration {
  /** Of namespaces whose labels do not say. */
  readonly defaults: Policy;
  readonly exemptions: {
    readonly usernames: readonly string[];
    readonly namespaces: readonly string[];
    readonly runtimeClasses: readonly string[];
  };
}

export const defaultPodSecurity: PodSecurityConfiguration = {
  defaults: { enforce: privileged, audit: privileged, warn: privileged },
  exemptions: { usernames: [], namespaces: [], runtimeClasses: [] },
};

/** The document of a configuration file, as it is read. */
export interface PodSecurityDocument {
  readonly defaults?: Readonly<Record<string, string>>;
  readonly exemptions?: Readonly<Record<string, readonly string[] | undefined>>;
}

const levels = 'must be one of privileged, baseline, restricted';
const versions = 'must be "latest" or "v1.x"';

/** What the document says. Throws an Error in upstream's words. */
export function readPodSecurity({ defaults = {}, exemptions = {} }: PodSecurityDocument): PodSecurityConfiguration {
  const wrong: string[] = [];
  const levelOf = (mode: keyof Policy): LevelVersion => {
    const level = parseLevel(defaults[mode] || 'privileged');
    const minor = parseVersion(defaults[`${mode}-version`] || 'latest');
    if (level === undefined) wrong.push(`${mode}: ${levels}`);
    if (minor === undefined) wrong.push(`${mode}-version: ${versions}`);
    return { level: level ?? privileged.level, minor: minor ?? privileged.minor };
  };
  const policy: Policy = { enforce: levelOf('enforce'), audit: levelOf('audit'), warn: levelOf('warn') };
  if (wrong.length > 0) {
    throw new Error(`PodSecurity configuration error: ${wrong.length === 1 ? wrong[0] : `[${wrong.join(', ')}]`}`);
  }
  const { usernames = [], namespaces = [], runtimeClasses = [] } = exemptions;
  const errors = [
    ...validateExempt('namespaces', namespaces, name => isDNS1123Label(name).join(', ')),
    ...validateExempt('runtimeClasses', runtimeClasses, name => isDNS1123Subdomain(name).join(', ')),
    ...validateExempt('usernames', usernames, name => (name === '' ? 'username must not be empty' : '')),
  ];
  if (errors.length > 0) throw new Error(`PodSecurity invalid: ${aggregateText(errors)}`);
  return { defaults: policy, exemptions: { usernames, namespaces, runtimeClasses } };
}

/** `why`: what is wrong with a name; empty for nothing. */
function validateExempt(field: string, names: readonly string[], why: (name: string) => string): FieldError[] {
  const path = FieldPath.of('exemptions', field);
  const seen = new Set<string>();
  return names.flatMap((name, at) => {
    const wrong = why(name);
    if (wrong !== '') return [invalidValue(path.index(at), name, wrong)];
    if (seen.has(name)) return [duplicate(path.index(at), name)];
    seen.add(name);
    return [];
  });
}
