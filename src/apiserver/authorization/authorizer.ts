/** Who may do what. Upstream: apiserver pkg/authorization/authorizer, pkg/endpoints/handlers/responsewriters/errors.go. */
import { forbidden, type StatusError } from '#apimachinery';
import type { UserInfo } from '../authentication/user.ts';
import type { RequestInfo } from '../filters/request-info.ts';

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
}

export interface Authorizer {
  authorize(attributes: AuthorizationAttributes): Promise<Decision> | Decision;
}

export function attributesOf(user: UserInfo, info: RequestInfo): AuthorizationAttributes {
  return { ...info, user };
}

/** Asks one after another until one has an opinion; reasons of those without are joined. Upstream: authorizer/union. */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  return {
    async authorize(attributes) {
      const reasons: string[] = [];
      for (const each of authorizers) {
        const answer = each.authorize(attributes);
        const { decision, reason } = answer instanceof Promise ? await answer : answer;
        if (decision !== 'noOpinion') return { decision, reason };
        if (reason !== '') reasons.push(reason);
      }
      return { decision: 'noOpinion', reason: reasons.join('\n') };
    },
  };
}

export const allowAll: Authorizer = { authorize: () => ({ decision: 'allow', reason: '' }) };

/** Members of system:masters may do everything, whatever else is configured. */
export const privilegedGroup: Authorizer = {
  authorize: ({ user }) =>
    user.groups.includes('system:masters') ? { decision: 'allow', reason: '' } : { decision: 'noOpinion', reason: '' },
};

/** What cannot stand in an HTML page is escaped, as upstream does for browsers that guess. */
function sanitize(text: string): string {
  return text.replace(/[&<>]/g, c => (c === '&' ? '&amp;' : c === '<' ? '&lt;' : '&gt;'));
}

export function forbiddenError(attributes: AuthorizationAttributes, reason: string): StatusError {
  const { user, verb, group, resource, subresource, namespace, name } = attributes;
  const who = `User ${JSON.stringify(user.name)} cannot ${verb}`;
  let what: string;
  if (!attributes.isResourceRequest) what = `path ${JSON.stringify(attributes.path)}`;
  else {
    const full = subresource === '' ? resource : `${resource}/${subresource}`;
    const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
    what = `resource ${JSON.stringify(full)} in API group ${JSON.stringify(group)} ${where}`;
  }
  const message = sanitize(`${who} ${what}`);
  const error = forbidden({ group, resource }, name, reason === '' ? message : `${message}: ${reason}`);
  const { kind, ...details } = error.status.details ?? {};
  (error.status as { details: object }).details = kind ? { ...details, kind } : details;
  return error;
}
