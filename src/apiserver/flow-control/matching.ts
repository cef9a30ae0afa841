/**
 * Whether a flow schema speaks of a request. Upstream: apiserver pkg/util/flowcontrol/rule.go.
 */
import type {
  FlowcontrolV1Subject,
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
} from '#api/types';
import { serviceAccountUserName, type UserInfo } from '../authentication/user.ts';
import type { RequestInfo } from '../filters/request-info.ts';

export interface RequestDigest {
  readonly info: RequestInfo;
  readonly user: UserInfo;
}

type Test<T> = (value: T) => boolean;

const always = (): boolean => true;
const any = <T>(tests: readonly Test<T>[]): Test<T> => {
  if (tests.length === 1) return tests[0]!;
  return value => {
    for (const test of tests) if (test(value)) return true;
    return false;
  };
};

/** The schema's rules, read once. */
export function compileMatcher(schema: FlowSchema): Test<RequestDigest> {
  return any((schema.spec.rules ?? []).map(ruleTest));
}

/** Lower precedence first, then by name. */
export function comparePrecedence(left: FlowSchema, right: FlowSchema): number {
  const byPrecedence = left.spec.matchingPrecedence - right.spec.matchingPrecedence;
  return byPrecedence || ((left.metadata.name ?? '') < (right.metadata.name ?? '') ? -1 : 1);
}

function ruleTest({ subjects, resourceRules, nonResourceRules }: PolicyRulesWithSubjects): Test<RequestDigest> {
  const isSubject = any(subjects.map(subjectTest));
  const isResource = any((resourceRules ?? []).map(resourceTest));
  const isOther = any((nonResourceRules ?? []).map(nonResourceTest));
  return ({ info, user }) => isSubject(user) && (info.isResourceRequest ? isResource(info) : isOther(info));
}

function subjectTest({ kind, user, group, serviceAccount }: FlowcontrolV1Subject): Test<UserInfo> {
  if (kind === 'User' && user) return user.name === '*' ? always : ({ name }) => name === user.name;
  if (kind === 'Group' && group) return group.name === '*' ? always : ({ groups }) => groups.includes(group.name);
  if (kind === 'ServiceAccount' && serviceAccount) {
    const { namespace, name: account } = serviceAccount;
    const wanted = serviceAccountUserName(namespace, account === '*' ? '' : account);
    return account === '*' ? ({ name }) => name.startsWith(wanted) : ({ name }) => name === wanted;
  }
  return () => false;
}

/** A wildcard counts where it stands alone. */
function listed(list: readonly string[] | undefined): Test<string> {
  if (list?.length === 1) return list[0] === '*' ? always : value => value === list[0];
  const set = new Set(list);
  return value => set.has(value);
}

function resourceTest(rule: ResourcePolicyRule): Test<RequestInfo> {
  const isVerb = listed(rule.verbs);
  const isGroup = listed(rule.apiGroups);
  const isNamespace = listed(rule.namespaces);
  const isResource = listed(rule.resources);
  const inCluster = rule.clusterScope === true;
  return ({ verb, group, resource, subresource, namespace }) =>
    isVerb(verb) &&
    (isResource === always || isResource(subresource === '' ? resource : `${resource}/${subresource}`)) &&
    isGroup(group) &&
    (namespace === '' ? inCluster : isNamespace(namespace));
}

function nonResourceTest({ verbs, nonResourceURLs }: NonResourcePolicyRule): Test<RequestInfo> {
  const isVerb = listed(verbs);
  const isPath = any(nonResourceURLs.map(pathTest));
  return ({ verb, path }) => isVerb(verb) && isPath(path);
}

/** `*`, a path, or what is below it. */
function pathTest(url: string): Test<string> {
  if (url === '*') return always;
  const stem = url.endsWith('*') ? url.slice(0, -1) : url;
  const prefix = stem.endsWith('/') ? stem : `${stem}/`;
  return path => path === url || path.startsWith(prefix);
}
