/**
 * `--audit-policy-file`: an `audit.k8s.io/v1 Policy` in YAML or JSON. What strict reading refuses (unknown and duplicate
 * fields) is warned about and read all the same, as upstream does; what is invalid is refused with upstream's texts.
 * Upstream: apiserver pkg/audit/policy/reader.go, pkg/apis/audit/validation/validation.go.
 */
import { readFileSync } from 'node:fs';
import { builtinTypes } from '#api/tables';
import type { GroupResources } from '#api/types';
import {
  aggregateText,
  ConfigurationError,
  type FieldError,
  FieldPath,
  goQuote,
  invalidValue,
  isDNS1123Subdomain,
  kindNotRegistered,
  notSupported,
  type OpenConfiguration,
  openConfiguration,
  required,
} from '#apimachinery';
import { goFileError, UserError } from '#base';
import { auditLevels, auditStages } from './event.ts';
import type { AuditPolicy, PolicyRule } from './policy.ts';

const apiVersion = 'audit.k8s.io/v1';

/** The policy in the file; `warn` is told what strict reading would refuse. Throws a UserError. */
export function readAuditPolicyFile(path: string, warn: (text: string) => void): AuditPolicy {
  const problem = (why: string, cause?: unknown): UserError =>
    new UserError(`loading audit policy file: ${why}`, { cause });
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw problem(`failed to read file path ${goQuote(path)}: ${goFileError(error, path)}`, error);
  }
  try {
    return readAuditPolicy(bytes, warn);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw problem(`${error.message}: from file ${path}`, error);
  }
}

/** Why a policy is refused, in upstream's words. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
}

/** Throws a {@link PolicyError}. */
export function readAuditPolicy(bytes: Uint8Array, warn: (text: string) => void): AuditPolicy {
  const { policy, strict } = decoded(bytes);
  if (strict !== undefined) warn(`Audit policy contains errors, falling back to lenient decoding: ${strict}`);
  const errors = validatePolicy(policy);
  if (errors.length > 0) throw new PolicyError(aggregateText(errors));
  if (policy.rules.length === 0) throw new PolicyError('loaded illegal policy with 0 rules');
  return policy;
}

function decoded(bytes: Uint8Array): { readonly policy: AuditPolicy; readonly strict: string | undefined } {
  try {
    const open = openConfiguration(bytes);
    checkKind(open);
    const { value, strictError } = open.read(builtinTypes.struct('io.k8s.apiserver.pkg.apis.audit.v1.Policy'));
    const policy = value as AuditPolicy;
    return { policy: { ...policy, rules: policy.rules ?? [] }, strict: strictError };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new PolicyError(`failed decoding: ${error.message}`);
  }
}

/** Other kinds of the group's scheme. */
const otherKinds = new Set(['Event', 'EventList', 'PolicyList']);

/** A kind that is not named is a Policy, a version that is not named is none that is read. */
function checkKind({ apiVersion: version, kind: given }: Pick<OpenConfiguration, 'apiVersion' | 'kind'>): void {
  const kind = given || 'Policy';
  if (version === '') {
    throw new PolicyError(`unknown group version field audit.k8s.io/__internal, Kind=${kind} in policy`);
  }
  if (version === apiVersion && kind === 'Policy') return;
  if (version === apiVersion && otherKinds.has(kind)) {
    throw new PolicyError(`failed decoding: converting (v1.${kind}) to (audit.Policy): unknown conversion`);
  }
  throw kindNotRegistered(version, kind);
}

function validatePolicy({ omitStages, rules }: AuditPolicy): FieldError[] {
  const path = FieldPath.of('rules');
  return [
    ...validateStages(omitStages, FieldPath.of('omitStages')),
    ...rules.flatMap((rule, at) => validateRule(rule, path.index(at))),
  ];
}

function validateRule(rule: PolicyRule, path: FieldPath): FieldError[] {
  const { nonResourceURLs: urls = [], resources = [], namespaces = [] } = rule;
  const urlPath = path.child('nonResourceURLs');
  const errors = [
    ...validateLevel(rule.level, path.child('level')),
    ...urls.flatMap((url, at) => validateUrl(url, urlPath.index(at))),
    ...resources.flatMap(each => validateResources(each, path.child('resources'))),
    ...validateStages(rule.omitStages, path.child('omitStages')),
  ];
  if (urls.length > 0 && (resources.length > 0 || namespaces.length > 0)) {
    errors.push(invalidValue(urlPath, urls, 'rules cannot apply to both regular resources and non-resource URLs'));
  }
  return errors;
}

function validateLevel(level: string | undefined, path: FieldPath): FieldError[] {
  if (!level) return [required(path)];
  return (auditLevels as readonly string[]).includes(level) ? [] : [notSupported(path, level, auditLevels)];
}

function validateUrl(url: string, path: FieldPath): FieldError[] {
  if (url === '*') return [];
  const errors: FieldError[] = [];
  if (!url.startsWith('/')) {
    errors.push(invalidValue(path, url, "non-resource URL rules must begin with a '/' character"));
  }
  if (url.slice(0, -1).includes('*')) {
    errors.push(invalidValue(path, url, "non-resource URL wildcards '*' must be the final character of the rule"));
  }
  return errors;
}

/** Upstream's paths have no index here. */
function validateResources({ group = '', resources = [], resourceNames = [] }: GroupResources, path: FieldPath) {
  const errors: FieldError[] = [];
  if (group !== '' && group !== '*') {
    const wrong = isDNS1123Subdomain(group);
    if (wrong.length > 0) errors.push(invalidValue(path.child('group'), group, wrong.join(',')));
  }
  if (resourceNames.length > 0 && resources.length === 0) {
    const text = 'using resourceNames requires at least one resource';
    errors.push(invalidValue(path.child('resourceNames'), resourceNames, text));
  }
  return errors;
}

function validateStages(stages: readonly string[] | undefined, path: FieldPath): FieldError[] {
  return (stages ?? []).flatMap((stage, at) =>
    (auditStages as readonly string[]).includes(stage)
      ? []
      : [invalidValue(path.index(at), stage, `allowed stages are ${auditStages.join(',')}`)],
  );
}
