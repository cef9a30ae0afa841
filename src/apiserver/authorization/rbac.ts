/**
 * Role-based access control: an index of who is bound to which rules, made anew when a role or binding changes.
 * Upstream: pkg/registry/rbac/validation/rule.go, plugin/pkg/auth/authorizer/rbac.
 */
import type { KubeObject } from '#apimachinery';
import { splitServiceAccountName, type UserInfo } from '../authentication/user.ts';
import {
  type AuthorizationAttributes,
  type Authorizer,
  aggregated,
  type PolicyRule,
  type RuleResolver,
  type UserRules,
} from './authorizer.ts';

export type { PolicyRule } from './authorizer.ts';

export interface RoleRef {
  readonly apiGroup: string;
  readonly kind: string;
  readonly name: string;
}

export interface Subject {
  readonly kind: string;
  readonly apiGroup?: string;
  readonly name: string;
  readonly namespace?: string;
}

/** Everything there is of roles and bindings, as the caches have it now. */
export interface RbacObjects {
  /** Rises whenever anything of the rest may have changed. */
  readonly generation: number;
  roles(): readonly KubeObject[];
  clusterRoles(): readonly KubeObject[];
  roleBindings(): readonly KubeObject[];
  clusterRoleBindings(): readonly KubeObject[];
}

/** One subject of a binding. */
interface Binding {
  readonly subject: Subject;
  /** Which of the binding's subjects it is. */
  readonly position: number;
  readonly roleRef: RoleRef;
  readonly name: string;
  /** Empty for cluster role bindings. */
  readonly namespace: string;
  readonly rules: readonly PolicyRule[] | undefined;
}

interface Index {
  readonly generation: number;
  readonly byUser: Map<string, Binding[]>;
  readonly byGroup: Map<string, Binding[]>;
}

const serviceAccountKey = (namespace: string, name: string): string => `system:serviceaccount:${namespace}:${name}`;

export class Rbac implements Authorizer, RuleResolver {
  readonly #objects: RbacObjects;
  #index: Index | undefined;

  constructor(objects: RbacObjects) {
    this.#objects = objects;
  }

  authorize(attributes: AuthorizationAttributes): { decision: 'allow' | 'noOpinion'; reason: string } {
    const problems: string[] = [];
    for (const binding of this.#bindings(attributes.user, attributes.namespace)) {
      if (!binding.rules) problems.push(missingRole(binding));
      else if (binding.rules.some(rule => ruleAllows(rule, attributes))) {
        return { decision: 'allow', reason: allowedBy(binding) };
      }
    }
    const problem = aggregated(problems);
    return { decision: 'noOpinion', reason: problem === undefined ? '' : `RBAC: ${problem}` };
  }

  /**
   * All rules that `user` has in `namespace` (empty: at the cluster scope), and what was wrong with some. `resources`:
   * roles that are not there are told of by their resources rather than their kinds.
   */
  rulesFor(user: UserInfo, namespace: string, askedFor?: string): UserRules {
    const rules: PolicyRule[] = [];
    const errors: string[] = [];
    for (const binding of this.#bindings(user, namespace)) {
      if (binding.rules) rules.push(...binding.rules);
      else errors.push(missingRole(binding, askedFor));
    }
    return { rules, incomplete: false, errors };
  }

  /** The rules of a role; undefined when there is none of that name. */
  rulesOf(roleRef: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    const roles = roleRef.kind === 'ClusterRole' ? this.#objects.clusterRoles() : this.#objects.roles();
    const found = roles.find(
      ({ metadata }) =>
        metadata.name === roleRef.name && (roleRef.kind === 'ClusterRole' || metadata.namespace === namespace),
    );
    return found && ((found['rules'] ?? []) as PolicyRule[]);
  }

  /** Cluster role bindings first, then those of the namespace; each once, with the first subject that matches. */
  *#bindings(user: UserInfo, namespace: string): Generator<Binding> {
    const index = this.#current();
    const found = new Map<string, Binding>();
    const add = (bindings: readonly Binding[] | undefined): void => {
      for (const binding of bindings ?? []) {
        if (binding.namespace !== '' && binding.namespace !== namespace) continue;
        const key = `${binding.namespace}/${binding.name}`;
        const other = found.get(key);
        if (!other || binding.position < other.position) found.set(key, binding);
      }
    };
    add(index.byUser.get(user.name));
    for (const group of user.groups) add(index.byGroup.get(group));
    for (const binding of found.values()) if (binding.namespace === '') yield binding;
    for (const binding of found.values()) if (binding.namespace !== '') yield binding;
  }

  #current(): Index {
    const { generation } = this.#objects;
    if (this.#index?.generation === generation) return this.#index;
    const byUser = new Map<string, Binding[]>();
    const byGroup = new Map<string, Binding[]>();
    const clusterRules = new Map(this.#objects.clusterRoles().map(role => [role.metadata.name!, rulesIn(role)]));
    const rules = new Map(
      this.#objects.roles().map(role => [`${role.metadata.namespace}/${role.metadata.name}`, rulesIn(role)]),
    );
    for (const object of [...this.#objects.clusterRoleBindings(), ...this.#objects.roleBindings()]) {
      const { name = '', namespace = '' } = object.metadata;
      const roleRef = (object['roleRef'] ?? { apiGroup: '', kind: '', name: '' }) as RoleRef;
      const own =
        roleRef.kind === 'ClusterRole' ? clusterRules.get(roleRef.name) : rules.get(`${namespace}/${roleRef.name}`);
      for (const [position, subject] of ((object['subjects'] ?? []) as Subject[]).entries()) {
        const binding: Binding = { subject, position, roleRef, name, namespace, rules: own };
        if (subject.kind === 'Group') push(byGroup, subject.name, binding);
        else if (subject.kind === 'User') push(byUser, subject.name, binding);
        else if (subject.kind === 'ServiceAccount') {
          const of = subject.namespace || namespace;
          if (of !== '') push(byUser, serviceAccountKey(of, subject.name), binding);
        }
      }
    }
    this.#index = { generation, byUser, byGroup };
    return this.#index;
  }
}

function rulesIn(role: KubeObject): readonly PolicyRule[] {
  return (role['rules'] ?? []) as PolicyRule[];
}

function push(map: Map<string, Binding[]>, key: string, binding: Binding): void {
  const list = map.get(key);
  if (list) list.push(binding);
  else map.set(key, [binding]);
}

/** Upstream's stores call what is not there after the resource of the request in which they looked for it. */
function missingRole({ roleRef }: Binding, askedFor?: string): string {
  const resource = askedFor ?? (roleRef.kind === 'ClusterRole' ? 'clusterrole' : 'role');
  return `${resource}.rbac.authorization.k8s.io ${JSON.stringify(roleRef.name)} not found`;
}

function subjectText({ kind, name, namespace }: Subject, inNamespace: string): string {
  if (kind === 'ServiceAccount') return `${kind} ${JSON.stringify(`${name}/${namespace || inNamespace}`)}`;
  return `${kind} ${JSON.stringify(name)}`;
}

function allowedBy({ subject, roleRef, name, namespace }: Binding): string {
  const what = namespace === '' ? 'ClusterRoleBinding' : 'RoleBinding';
  const binding = namespace === '' ? name : `${name}/${namespace}`;
  const to = subjectText(subject, namespace);
  return `RBAC: allowed by ${what} ${JSON.stringify(binding)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${to}`;
}

/** Upstream: RuleAllows. */
export function ruleAllows(rule: PolicyRule, attributes: AuthorizationAttributes): boolean {
  if (!includes(rule.verbs ?? [], attributes.verb)) return false;
  if (!attributes.isResourceRequest) return pathMatches(rule.nonResourceURLs ?? [], attributes.path);
  const { resource, subresource } = attributes;
  if (!includes(rule.apiGroups ?? [], attributes.group)) return false;
  if (!resourceMatches(rule.resources ?? [], resource, subresource)) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || names.includes(attributes.name);
}

function includes(list: readonly string[], value: string): boolean {
  return list.includes('*') || list.includes(value);
}

function resourceMatches(resources: readonly string[], resource: string, subresource: string): boolean {
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  return resources.some(
    each => each === '*' || each === combined || (subresource !== '' && each === `*/${subresource}`),
  );
}

function pathMatches(urls: readonly string[], path: string): boolean {
  return urls.some(url => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))));
}

export { splitServiceAccountName };
