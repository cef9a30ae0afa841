/** Who may do what. Upstream: apiserver pkg/authorization/authorizer, pkg/endpoints/handlers/responsewriters/errors.go. */
import { forbidden, goQuote, StatusError } from '#apimachinery';
import type { UserInfo } from '../authentication/user.ts';
import type { RequestInfo } from '../filters/request-info.ts';

/** A right, as roles have it. */
export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

/** A question. A request asks one; reviews and admission ask others. */
export interface AuthorizationAttributes {
  readonly user: UserInfo;
  readonly verb: string;
  readonly isResourceRequest: boolean;
  readonly path: string;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  readonly fieldSelector: string;
  readonly labelSelector: string;
}

export interface Decision {
  readonly decision: 'allow' | 'deny' | 'noOpinion';
  readonly reason: string;
  /** What went wrong on the way to the decision, which holds nevertheless. */
  readonly error?: string | undefined;
}

export interface Authorizer {
  authorize(attributes: AuthorizationAttributes): Promise<Decision> | Decision;
}

/** Everything somebody may do, as far as it can be enumerated. */
export interface UserRules {
  readonly rules: readonly PolicyRule[];
  /** There may be more than the rules tell. */
  readonly incomplete: boolean;
  readonly errors: readonly string[];
}

/** Tells what `user` may do in `namespace`. Upstream: authorizer.RuleResolver. */
export interface RuleResolver {
  rulesFor(user: UserInfo, namespace: string): UserRules;
}

export function attributesOf(user: UserInfo, info: RequestInfo): AuthorizationAttributes {
  return { ...info, user };
}

/**
 * Asks one after another until one has an opinion; reasons and errors of those without are joined. Upstream:
 * pkg/authorization/union.
 */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  return {
    async authorize(attributes) {
      const reasons: string[] = [];
      const errors: string[] = [];
      for (const each of authorizers) {
        const answer = each.authorize(attributes);
        const decided = answer instanceof Promise ? await answer : answer;
        if (decided.decision !== 'noOpinion') return decided;
        if (decided.reason !== '') reasons.push(decided.reason);
        if (decided.error !== undefined) errors.push(decided.error);
      }
      return { decision: 'noOpinion', reason: reasons.join('\n'), error: aggregated(errors) };
    },
  };
}

/** Several resolvers as one. */
export function unionRules(resolvers: readonly RuleResolver[]): RuleResolver {
  return {
    rulesFor(user, namespace) {
      const all = resolvers.map(each => each.rulesFor(user, namespace));
      const error = aggregated(all.flatMap(({ errors }) => aggregated(errors) ?? []));
      return {
        rules: all.flatMap(({ rules }) => rules),
        incomplete: all.some(({ incomplete }) => incomplete),
        errors: error === undefined ? [] : [error],
      };
    },
  };
}

/** Several errors as Go prints an aggregate of them; undefined without any. */
export function aggregated(errors: readonly string[]): string | undefined {
  const different = [...new Set(errors)];
  return different.length <= 1 ? different[0] : `[${different.join(', ')}]`;
}

const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/** `AlwaysAllow`. */
export const alwaysAllow: Authorizer & RuleResolver = {
  authorize: () => ({ decision: 'allow', reason: '' }),
  rulesFor: () => ({ rules: everything, incomplete: false, errors: [] }),
};

/** `AlwaysDeny`, which leaves the last word to those after it. */
export const alwaysDeny: Authorizer & RuleResolver = {
  authorize: () => ({ decision: 'noOpinion', reason: 'Everything is forbidden.' }),
  rulesFor: () => ({ rules: [], incomplete: false, errors: [] }),
};

/** Members of system:masters may do everything, whatever else is configured. */
export const privilegedGroup: Authorizer = {
  authorize: ({ user }) =>
    user.groups.includes('system:masters') ? { decision: 'allow', reason: '' } : { decision: 'noOpinion', reason: '' },
};

/** What cannot stand in an HTML page is escaped, as upstream does for browsers that guess. */
export function sanitized(text: string): string {
  return text.replace(/[&<>]/g, c => (c === '&' ? '&amp;' : c === '<' ? '&lt;' : '&gt;'));
}

/** The refusal of a request that is not authorized; browsers are told not to guess what it is. */
export class AuthorizationRefusal extends StatusError {}

export function forbiddenError(attributes: AuthorizationAttributes, reason: string): AuthorizationRefusal {
  const { user, verb, group, resource, subresource, namespace, name } = attributes;
  const who = `User ${goQuote(user.name)} cannot ${verb}`;
  let what: string;
  if (!attributes.isResourceRequest) what = `path ${goQuote(attributes.path)}`;
  else {
    const full = subresource === '' ? resource : `${resource}/${subresource}`;
    const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${goQuote(namespace)}`;
    what = `resource ${goQuote(full)} in API group ${goQuote(group)} ${where}`;
  }
  const message = sanitized(`${who} ${what}`);
  const { status } = forbidden({ group, resource }, name, reason === '' ? message : `${message}: ${reason}`);
  const { kind, ...details } = status.details ?? {};
  return new AuthorizationRefusal({ ...status, details: kind ? { ...details, kind } : details });
}
