/**
 * The audit policy: which requests are told of, how much, and at which stages. The first rule that matches decides.
 * Upstream: apiserver pkg/apis/audit/v1/types.go (Policy), pkg/audit/policy/checker.go.
 */
import type { AuditV1PolicyRule, GroupResources, Policy } from '#api/types';
import type { AuthorizationAttributes } from '../authorization/authorizer.ts';
import type { AuditLevel, AuditStage } from './event.ts';

export type PolicyRule = Omit<AuditV1PolicyRule, 'level' | 'omitStages'> & {
  readonly level: AuditLevel;
  readonly omitStages?: readonly AuditStage[];
};

/** A policy that has been validated: its levels and stages are among those that there are. */
export type AuditPolicy = Pick<Policy, 'omitManagedFields'> & {
  readonly rules: readonly PolicyRule[];
  readonly omitStages?: readonly AuditStage[];
};

/** What the policy says of one request. */
export interface AuditDecision {
  readonly level: AuditLevel;
  readonly omitStages: ReadonlySet<AuditStage>;
  readonly omitManagedFields: boolean;
}

/** A request as the policy sees it; nobody asks while authentication has failed. */
export type AuditedAttributes = Omit<AuthorizationAttributes, 'user'> & {
  readonly user: AuthorizationAttributes['user'] | undefined;
};

export type EvaluatePolicy = (attributes: AuditedAttributes) => AuditDecision;

export function policyEvaluator(policy: AuditPolicy): EvaluatePolicy {
  const { omitStages = [], omitManagedFields = false } = policy;
  const rules = policy.rules.map(rule => ({
    matches: matcher(rule),
    decision: {
      level: rule.level,
      omitStages: new Set([...omitStages, ...(rule.omitStages ?? [])]),
      omitManagedFields: rule.omitManagedFields ?? omitManagedFields,
    },
  }));
  const unmatched: AuditDecision = { level: 'None', omitStages: new Set(omitStages), omitManagedFields };
  return attributes => rules.find(rule => rule.matches(attributes))?.decision ?? unmatched;
}

type Matches = (attributes: AuditedAttributes) => boolean;

/** All that a rule names must hold; what it does not name holds. */
function matcher(rule: PolicyRule): Matches {
  const { users = [], userGroups = [], verbs = [], namespaces = [], resources = [], nonResourceURLs = [] } = rule;
  const tests: Matches[] = [];
  if (users.length > 0) tests.push(({ user }) => user !== undefined && users.includes(user.name));
  if (userGroups.length > 0) tests.push(({ user }) => user?.groups.some(group => userGroups.includes(group)) ?? false);
  if (verbs.length > 0) tests.push(({ verb }) => verbs.includes(verb));
  if (namespaces.length > 0 || resources.length > 0) {
    tests.push(({ isResourceRequest }) => isResourceRequest);
    // What is in no namespace is in the empty one.
    if (namespaces.length > 0) tests.push(({ namespace }) => namespaces.includes(namespace));
    if (resources.length > 0) tests.push(attributes => resources.some(each => matchesGroup(each, attributes)));
  } else if (nonResourceURLs.length > 0) {
    tests.push(({ isResourceRequest, path }) => !isResourceRequest && nonResourceURLs.some(url => covers(url, path)));
  }
  return attributes => tests.every(test => test(attributes));
}

function covers(url: string, path: string): boolean {
  if (url === '*' || url === path) return true;
  return url.endsWith('*') && path.startsWith(url.replace(/\*+$/, ''));
}

function matchesGroup({ group = '', resources = [], resourceNames = [] }: GroupResources, asked: AuditedAttributes) {
  if (group !== '*' && group !== asked.group) return false;
  if (resources.length === 0) return true;
  if (resourceNames.length > 0 && !resourceNames.includes(asked.name)) return false;
  const { resource, subresource } = asked;
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  return resources.some(
    each =>
      each === '*' ||
      each === combined ||
      (subresource !== '' && each === `*/${subresource}`) ||
      each === `${resource}/*`,
  );
}
