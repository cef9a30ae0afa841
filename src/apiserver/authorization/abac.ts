/**
 * Attribute-based access control: a file with a policy a line, read when the server starts. Upstream:
 * pkg/auth/authorizer/abac/abac.go, pkg/apis/abac/{v0,v1beta1}.
 */
import { readFileSync } from 'node:fs';
import { goFileError, UserError } from '#base';
import { authenticatedGroup, type UserInfo } from '../authentication/user.ts';
import type {
  AuthorizationAttributes,
  Authorizer,
  Decision,
  PolicyRule,
  RuleResolver,
  UserRules,
} from './authorizer.ts';

interface Policy {
  readonly user: string;
  readonly group: string;
  readonly readonly: boolean;
  readonly apiGroup: string;
  readonly resource: string;
  readonly namespace: string;
  readonly nonResourcePath: string;
}

const readVerbs = ['get', 'list', 'watch'];

/** Throws a UserError for a file that cannot be read, with the line. */
export function readAbacPolicy(path: string): Abac {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UserError(goFileError(cause, path), { cause });
  }
  const policies: Policy[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    try {
      policies.push(readPolicy(trimmed));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new UserError(`error reading policy file ${path}, line ${index + 1}: ${line}: ${why}`, { cause });
    }
  }
  return new Abac(policies);
}

type Told = Readonly<Record<string, unknown>>;

function readPolicy(line: string): Policy {
  const told = JSON.parse(line) as unknown;
  if (typeof told !== 'object' || told === null || Array.isArray(told)) throw new Error('a policy is a JSON object');
  const { apiVersion, kind, spec } = told as Told;
  if (!apiVersion || !kind) return unversioned(told as Told);
  if (apiVersion !== 'abac.authorization.kubernetes.io/v1beta1' || kind !== 'Policy') {
    throw new Error(`no kind "${kind}" is registered for version "${apiVersion}"`);
  }
  const policy = policyOf((spec ?? {}) as Told);
  return policy.user === '*' || policy.group === '*' ? { ...policy, user: '', group: authenticatedGroup } : policy;
}

function policyOf(told: Told): Policy {
  const text = (name: keyof Policy): string => {
    const value = told[name] ?? '';
    if (typeof value !== 'string') throw new Error(`${name} is a string`);
    return value;
  };
  const { readonly = false } = told;
  if (typeof readonly !== 'boolean') throw new Error('readonly is true or false');
  return {
    user: text('user'),
    group: text('group'),
    readonly,
    apiGroup: text('apiGroup'),
    resource: text('resource'),
    namespace: text('namespace'),
    nonResourcePath: text('nonResourcePath'),
  };
}

/** What is left out matches everything, and everybody who is authenticated. */
function unversioned(told: Told): Policy {
  const { user, group, readonly, namespace, resource } = policyOf(told);
  const everybody = (user === '' && group === '') || user === '*' || group === '*';
  return {
    user: everybody ? '' : user,
    group: everybody ? authenticatedGroup : group,
    readonly,
    apiGroup: '*',
    resource: resource || '*',
    namespace: namespace || '*',
    nonResourcePath: namespace === '' && resource === '' ? '*' : '',
  };
}

export class Abac implements Authorizer, RuleResolver {
  readonly #policies: readonly Policy[];

  constructor(policies: readonly Policy[]) {
    this.#policies = policies;
  }

  authorize(attributes: AuthorizationAttributes): Decision {
    const isRead = readVerbs.includes(attributes.verb);
    const allows = (policy: Policy): boolean =>
      isAbout(policy, attributes.user) && (isRead || !policy.readonly) && covers(policy, attributes);
    return this.#policies.some(allows)
      ? { decision: 'allow', reason: '' }
      : { decision: 'noOpinion', reason: 'No policy matched.' };
  }

  rulesFor(user: UserInfo, namespace: string): UserRules {
    const rules = this.#policies
      .filter(policy => isAbout(policy, user) && (policy.namespace === '*' || policy.namespace === namespace))
      .flatMap(({ readonly, apiGroup, resource, nonResourcePath }): PolicyRule[] => {
        const verbs = readonly ? readVerbs : ['*'];
        return [
          ...(resource === '' ? [] : [{ verbs, apiGroups: [apiGroup], resources: [resource] }]),
          ...(nonResourcePath === '' ? [] : [{ verbs, nonResourceURLs: [nonResourcePath] }]),
        ];
      });
    return { rules, incomplete: false, errors: [] };
  }
}

/** Both, where both are named; a policy that names neither is about nobody. */
function isAbout({ user, group }: Policy, { name, groups }: UserInfo): boolean {
  if (user === '' && group === '') return false;
  return (user === '' || user === name) && (group === '' || groups.includes(group));
}

function covers(policy: Policy, attributes: AuthorizationAttributes): boolean {
  if (!attributes.isResourceRequest) return coversPath(policy.nonResourcePath, attributes.path);
  const fits = (wanted: string, value: string): boolean => wanted === '*' || wanted === value;
  return (
    fits(policy.namespace, attributes.namespace) &&
    fits(policy.resource, attributes.resource) &&
    fits(policy.apiGroup, attributes.group)
  );
}

function coversPath(wanted: string, path: string): boolean {
  return wanted === '*' || wanted === path || (wanted.endsWith('*') && path.startsWith(wanted.replace(/\*+$/, '')));
}
