/**
 * Nobody grants more than they hold: roles and bindings are refused when their rules go beyond those of whoever writes
 * them. Upstream: pkg/registry/rbac/{escalation_check.go,role,rolebinding}/policybased, validation/rule.go.
 */
import { badRequest, forbidden, type KubeObject, notFound, semanticEqual } from '#apimachinery';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission/chain.ts';
import type { UserInfo } from '../authentication/user.ts';
import { type Authorizer, aggregated } from './authorizer.ts';
import type { PolicyRule, Rbac, RoleRef } from './rbac.ts';

const group = 'rbac.authorization.k8s.io';
const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/** One right a rule: one verb on one resource or path. */
function* breakdown(rule: PolicyRule): Generator<PolicyRule> {
  for (const verb of rule.verbs ?? []) {
    for (const url of rule.nonResourceURLs ?? []) yield { verbs: [verb], nonResourceURLs: [url] };
    for (const apiGroup of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const base = { verbs: [verb], apiGroups: [apiGroup], resources: [resource] };
        const names = rule.resourceNames ?? [];
        if (names.length === 0) yield base;
        for (const name of names) yield { ...base, resourceNames: [name] };
      }
    }
  }
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes('*') || list.includes(value));

function coversResource(owned: readonly string[] | undefined, resource: string): boolean {
  if (has(owned, resource)) return true;
  const [, subresource] = resource.split('/');
  return subresource !== undefined && (owned?.includes(`*/${subresource}`) ?? false);
}

function coversUrl(owned: readonly string[] | undefined, url: string): boolean {
  return (owned ?? []).some(each => {
    if (each === '*' || each === url) return true;
    return each.endsWith('*') && url.startsWith(each.slice(0, -1));
  });
}

/** Whether `owner` has the single right `right`. */
function covers(owner: PolicyRule, right: PolicyRule): boolean {
  if (!has(owner.verbs, right.verbs[0]!)) return false;
  const [url] = right.nonResourceURLs ?? [];
  if (url !== undefined) return coversUrl(owner.nonResourceURLs, url);
  if (!has(owner.apiGroups, right.apiGroups![0]!)) return false;
  if (!coversResource(owner.resources, right.resources![0]!)) return false;
  const names = owner.resourceNames ?? [];
  if (names.length === 0) return true;
  return right.resourceNames !== undefined && names.includes(right.resourceNames[0]!);
}

const quoted = (list: readonly string[]): string => `[${list.map(each => JSON.stringify(each)).join(' ')}]`;

function ruleText(rule: PolicyRule): string {
  const parts: string[] = [];
  const add = (name: string, list: readonly string[] | undefined): void => {
    if (list?.length) parts.push(`${name}:${quoted(list)}`);
  };
  add('APIGroups', rule.apiGroups);
  add('Resources', rule.resources);
  add('NonResourceURLs', rule.nonResourceURLs);
  add('ResourceNames', rule.resourceNames);
  add('Verbs', rule.verbs);
  return `{${parts.join(', ')}}`;
}

/** Rights on the same resource become one rule with all their verbs. */
function compact(rights: readonly PolicyRule[]): PolicyRule[] {
  const merged = new Map<string, PolicyRule & { verbs: string[] }>();
  const out: PolicyRule[] = [];
  for (const right of rights) {
    if (right.nonResourceURLs) {
      out.push(right);
      continue;
    }
    const key = JSON.stringify([right.apiGroups, right.resources, right.resourceNames]);
    const standing = merged.get(key);
    if (standing) standing.verbs.push(...right.verbs);
    else {
      const fresh = { ...right, verbs: [...right.verbs] };
      merged.set(key, fresh);
      out.push(fresh);
    }
  }
  return out;
}

/** Each single right of `wanted` that `owned` does not give. Upstream: validation.Covers. */
export function missingRights(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(rule => [...breakdown(rule)]).filter(right => !owned.some(rule => covers(rule, right)));
}

/** Why `user` may not grant `rules` in a namespace by an object of a resource; undefined when they may. */
export function escalation(
  rbac: Rbac,
  user: UserInfo,
  { namespace, resource }: { readonly namespace: string; readonly resource: string },
  rules: readonly PolicyRule[],
): string | undefined {
  const { rules: owned, errors } = rbac.rulesFor(user, namespace, resource);
  const unresolved = aggregated(errors);
  const missing = missingRights(owned, rules);
  if (missing.length === 0) return undefined;
  const texts = [...new Set(compact(missing).map(ruleText))].sort();
  const who = `user ${JSON.stringify(user.name)} (groups=${quoted(user.groups)})`;
  return `${who} is attempting to grant RBAC permissions not currently held:\n${texts.join('\n')}${
    unresolved === undefined ? '' : `; resolution errors: [${unresolved}]`
  }`;
}

/** Only what the garbage collector needs to change: owners and finalizers. */
export function onlyCollectorFields(now: KubeObject, old: KubeObject): boolean {
  const bare = ({ metadata, ...rest }: KubeObject): object => {
    const { ownerReferences: _o, finalizers: _f, managedFields: _m, labels = {}, annotations = {}, ...meta } = metadata;
    return { ...rest, metadata: { ...meta, labels, annotations } };
  };
  return semanticEqual(bare(now), bare(old));
}

/** Asked last of all that change an object, as upstream's policy-based storage. */
export function rbacEscalation(rbac: Rbac, authorizer: Authorizer): AdmissionPlugin {
  const authorized = async (attributes: AdmissionAttributes, verb: string, resource: string, name: string) => {
    const { decision } = await authorizer.authorize({
      user: attributes.user,
      verb,
      isResourceRequest: true,
      path: '',
      group,
      version: '*',
      namespace: attributes.namespace,
      resource,
      subresource: '',
      name,
      fieldSelector: '',
      labelSelector: '',
    });
    return decision === 'allow';
  };
  return {
    name: 'RBACEscalation',
    handles: ({ resource, operation, subresource }) =>
      resource.group === group && subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
    async admit(attributes, draft) {
      const { user, namespace, old, resource } = attributes;
      if (user.groups.includes('system:masters')) return;
      const object = draft as unknown as KubeObject;
      if (old && onlyCollectorFields(object, old)) return;
      const name = object.metadata.name ?? '';
      const about = { group, resource: resource.resource };
      const where = { namespace, resource: resource.resource };
      const refuse = (why: string): never => {
        throw forbidden(about, name, why);
      };
      if (!resource.resource.endsWith('bindings')) {
        if (await authorized(attributes, 'escalate', resource.resource, attributes.pathName ?? '')) return;
        const problem = escalation(rbac, user, where, (object['rules'] ?? []) as PolicyRule[]);
        if (problem) refuse(problem);
        if (!object['aggregationRule'] && !old?.['aggregationRule']) return;
        if (escalation(rbac, user, { ...where, namespace: '' }, everything)) {
          refuse('must have cluster-admin privileges to use the aggregationRule');
        }
        return;
      }
      const roleRef = (object['roleRef'] ?? { apiGroup: '', kind: '', name: '' }) as RoleRef;
      const roles = roleRef.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
      if (await authorized(attributes, 'bind', roles, roleRef.name)) return;
      // Upstream's store of roles refuses to look where there is no namespace.
      if (roles === 'roles' && namespace === '') throw badRequest('Namespace parameter required.');
      const rules = rbac.rulesOf(roleRef, namespace);
      if (!rules) throw notFound(about, roleRef.name);
      const problem = escalation(rbac, user, where, rules);
      if (problem) refuse(problem);
    },
  };
}
