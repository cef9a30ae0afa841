/**
 * Acting as somebody else by `Impersonate-*` headers, each part of which needs its own right. Upstream: apiserver
 * pkg/endpoints/filters/impersonation.
 */
import { badRequest, parseApiVersion } from '#apimachinery';
import {
  anonymousName,
  authenticatedGroup,
  serviceAccountGroups,
  splitServiceAccountName,
  type UserInfo,
  unauthenticatedGroup,
} from '../authentication/user.ts';
import { type AuthorizationAttributes, type Authorizer, forbiddenError } from '../authorization/authorizer.ts';
import { header, headerValues, type ServerRequest } from '../http/message.ts';

const extraPrefix = 'impersonate-extra-';

function extraOf(request: ServerRequest): Array<[key: string, values: readonly string[]]> {
  return Object.keys(request.headers)
    .filter(name => name.startsWith(extraPrefix))
    .map(name => [decodeURIComponent(name.slice(extraPrefix.length)), headerValues(request, name)]);
}

/** Node joins repeated headers; an impersonated group may not hold a comma on this wire. */
function groupsOf(request: ServerRequest): string[] {
  return headerValues(request, 'impersonate-group').flatMap(value => value.split(', '));
}

/** Go's `%#v` of the user that was asked for. */
function goUser(
  uid: string,
  groups: readonly string[],
  extra: readonly (readonly [string, readonly string[]])[],
): string {
  const strings = (all: readonly string[]): string => `[]string{${all.map(each => JSON.stringify(each)).join(', ')}}`;
  const members = extra.map(([key, values]) => `${JSON.stringify(key)}:${strings(values)}`);
  const more = members.length > 0 ? `map[string][]string{${members.join(', ')}}` : 'map[string][]string(nil)';
  const list = groups.length > 0 ? strings(groups) : '[]string(nil)';
  return `&user.DefaultInfo{Name:"", UID:${JSON.stringify(uid)}, Groups:${list}, Extra:${more}}`;
}

/** Who the request is for after impersonation. Throws 400 and 403. */
export async function impersonate(
  request: ServerRequest,
  requester: UserInfo,
  authorizer: Authorizer,
): Promise<UserInfo> {
  const name = header(request, 'impersonate-user') ?? '';
  const uid = header(request, 'impersonate-uid') ?? '';
  const groups = groupsOf(request);
  const extra = extraOf(request);
  if (name === '') {
    if (uid === '' && groups.length === 0 && extra.length === 0) return requester;
    throw badRequest(`requested ${goUser(uid, groups, extra)} without impersonating a user name`);
  }
  const account = splitServiceAccountName(name);
  const ask = async (what: Partial<AuthorizationAttributes>): Promise<void> => {
    const attributes = { ...question, user: requester, ...what };
    const { decision, reason } = await authorizer.authorize(attributes);
    if (decision !== 'allow') throw forbiddenError(attributes, reason);
  };
  if (account) await ask({ resource: 'serviceaccounts', namespace: account.namespace, name: account.name });
  else await ask({ resource: 'users', name });
  for (const group of groups) await ask({ resource: 'groups', name: group });
  for (const [key, values] of extra) {
    for (const value of values) {
      await ask({
        group: 'authentication.k8s.io',
        version: 'v1',
        resource: 'userextras',
        subresource: key,
        name: value,
      });
    }
  }
  if (uid !== '') await ask({ group: 'authentication.k8s.io', version: 'v1', resource: 'uids', name: uid });
  let all = groups;
  if (account && groups.length === 0) all = serviceAccountGroups(account.namespace);
  const unauthenticated = name === anonymousName;
  const wanted = unauthenticated ? unauthenticatedGroup : authenticatedGroup;
  const standing = all.includes(authenticatedGroup) || all.includes(unauthenticatedGroup);
  if (!standing) all = [...all, wanted];
  return { name, uid, groups: all, extra: Object.fromEntries(extra) };
}

const question: AuthorizationAttributes = {
  user: { name: '', uid: '', groups: [], extra: {} },
  verb: 'impersonate',
  isResourceRequest: true,
  path: '',
  ...parseApiVersion('v1'),
  namespace: '',
  resource: '',
  subresource: '',
  name: '',
  fieldSelector: '',
  labelSelector: '',
};
