/** Who makes a request. Upstream: apiserver pkg/authentication/user/user.go. */
import { isDNS1123Label, isDNS1123Subdomain } from '#apimachinery';

export interface UserInfo {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export const anonymousName = 'system:anonymous';
export const unauthenticatedGroup = 'system:unauthenticated';
export const authenticatedGroup = 'system:authenticated';
export const mastersGroup = 'system:masters';

export function user(
  name: string,
  groups: readonly string[] = [],
  more: { uid?: string; extra?: Readonly<Record<string, readonly string[]>> } = {},
): UserInfo {
  return { name, uid: more.uid ?? '', groups, extra: more.extra ?? {} };
}

export const anonymousUser: UserInfo = Object.freeze(user(anonymousName, [unauthenticatedGroup]));

/** Adds system:authenticated to whom is authenticated and known. Upstream: authentication/group/authenticated_group_adder.go. */
export function withAuthenticatedGroup(info: UserInfo): UserInfo {
  if (info.name === anonymousName) return info;
  if (info.groups.includes(authenticatedGroup) || info.groups.includes(unauthenticatedGroup)) return info;
  return { ...info, groups: [...info.groups, authenticatedGroup] };
}

/** `system:serviceaccount:NS:NAME`. */
export function serviceAccountUserName(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

/** The inverse; undefined when `name` is not of that form. Upstream: authentication/serviceaccount/util.go SplitUsername. */
export function splitServiceAccountName(name: string): { namespace: string; name: string } | undefined {
  if (!name.startsWith('system:serviceaccount:')) return undefined;
  const parts = name.slice('system:serviceaccount:'.length).split(':');
  const [namespace = '', account = ''] = parts;
  if (parts.length !== 2 || isDNS1123Label(namespace).length > 0) return undefined;
  return isDNS1123Subdomain(account).length > 0 ? undefined : { namespace, name: account };
}

export function serviceAccountGroups(namespace: string): string[] {
  return ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
}

/** A ServiceAccount as a user. */
export function serviceAccountUser(namespace: string, name: string, uid = ''): UserInfo {
  return user(serviceAccountUserName(namespace, name), [...serviceAccountGroups(namespace), authenticatedGroup], {
    uid,
  });
}

/** The user of this name with the groups that authenticating as such would give: for in-process components. */
export function identity(name: string): UserInfo {
  const account = splitServiceAccountName(name);
  if (account) return serviceAccountUser(account.namespace, account.name);
  return user(name, [...(name.startsWith('system:node:') ? ['system:nodes'] : []), authenticatedGroup]);
}
