/**
 * The ways in which impersonation may be allowed. A constrained mode needs two rights: `impersonate:MODE` on who is
 * impersonated, and `impersonate-on:MODE:VERB` on what the request does; it never gives system:masters. The legacy mode
 * needs `impersonate` alone. Upstream: apiserver pkg/endpoints/filters/impersonation/mode.go.
 */
import { aggregateText, FieldPath, isDNS1123Subdomain, isDomainPrefixedPath } from '#apimachinery';
import type { Clock } from '#base';
import {
  anonymousName,
  authenticatedGroup,
  mastersGroup,
  serviceAccountGroups,
  splitServiceAccountName,
  type UserInfo,
  unauthenticatedGroup,
} from '../../authentication/user.ts';
import { type AuthorizationAttributes, type Authorizer, forbiddenError } from '../../authorization/authorizer.ts';
import { attributesKey, ImpersonationCache, usersKey } from './cache.ts';

export interface Impersonated {
  readonly user: UserInfo;
  /** The verb that allowed it, for audit; empty for the legacy mode. */
  readonly constraint: string;
}

export interface Mode {
  /** Undefined: the mode is not for this user. Throws 403. */
  check(wanted: UserInfo, attributes: AuthorizationAttributes): Promise<Impersonated | undefined>;
}

/** In the order in which they are asked. */
export function allModes(authorizer: Authorizer, clock: Clock): readonly Mode[] {
  const isOther = ({ name }: UserInfo): boolean =>
    nodeNameOf(name) === undefined && splitServiceAccountName(name) === undefined;
  return [
    new AssociatedNodeMode(authorizer, clock),
    new ConstrainedMode('arbitrary-node', authorizer, clock, wanted => {
      return hasNameAlone(wanted) && nodeNameOf(wanted.name) !== undefined;
    }),
    new ConstrainedMode('serviceaccount', authorizer, clock, wanted => {
      return hasNameAlone(wanted) && splitServiceAccountName(wanted.name) !== undefined;
    }),
    new ConstrainedMode('user-info', authorizer, clock, isOther),
    { check: (wanted, { user }) => new Rights(authorizer, 'impersonate', false).check(wanted, user) },
  ];
}

const nodePrefix = 'system:node:';
const nodeNameKey = 'authentication.kubernetes.io/node-name';

function nodeNameOf(userName: string): string | undefined {
  if (!userName.startsWith(nodePrefix)) return undefined;
  const name = userName.slice(nodePrefix.length);
  return isDNS1123Subdomain(name).length === 0 ? name : undefined;
}

const hasNameAlone = ({ uid, groups, extra }: UserInfo): boolean =>
  uid === '' && groups.length === 0 && Object.keys(extra).length === 0;

/** Throws 403 unless it is allowed. */
async function allow(authorizer: Authorizer, attributes: AuthorizationAttributes): Promise<void> {
  const { decision, reason, error } = await authorizer.authorize(attributes);
  if (decision === 'allow') return;
  throw forbiddenError(attributes, error === undefined ? reason : reason === '' ? error : `${error}: ${reason}`);
}

class ConstrainedMode implements Mode {
  readonly #name: string;
  readonly #authorizer: Authorizer;
  readonly #isFor: (wanted: UserInfo, requester: UserInfo) => boolean;
  readonly #rights: Rights;
  /** By everything that was asked: whom, by whom, and for what. */
  readonly #whole: ImpersonationCache;
  /** By whom and by whom alone, which comes again with other requests. */
  readonly #users: ImpersonationCache;

  constructor(
    name: string,
    authorizer: Authorizer,
    clock: Clock,
    isFor: (wanted: UserInfo, requester: UserInfo) => boolean,
  ) {
    this.#name = name;
    this.#authorizer = authorizer;
    this.#isFor = isFor;
    this.#rights = new Rights(authorizer, `impersonate:${name}`, true);
    this.#whole = new ImpersonationCache(clock);
    this.#users = new ImpersonationCache(clock);
  }

  /**
   * `shown`: under whom the answer is kept, where that is not who is wanted. That the mode is for them has to be asked
   * before anything is looked up: keys do not tell it.
   */
  async check(
    wanted: UserInfo,
    attributes: AuthorizationAttributes,
    shown: { readonly wanted: UserInfo; readonly requester: UserInfo } = { wanted, requester: attributes.user },
  ): Promise<Impersonated | undefined> {
    if (!this.#isFor(wanted, attributes.user)) return undefined;
    const asked = { ...attributes, user: shown.requester };
    const key = attributesKey(shown.wanted, asked);
    const known = this.#whole.get(key);
    if (known) return known;
    await allow(this.#authorizer, { ...asked, verb: `impersonate-on:${this.#name}:${attributes.verb}` });
    const users = usersKey(shown.wanted, shown.requester);
    let found = this.#users.get(users);
    if (!found) {
      found = await this.#rights.check(wanted, shown.requester);
      this.#users.set(users, found);
    }
    this.#whole.set(key, found);
    return found;
  }
}

/**
 * A ServiceAccount whose token is bound to a node acts as that node. What is asked and kept does not tell which node, so
 * that an agent with a pod on every node has its rights looked up once: the right has to be for all of them.
 */
class AssociatedNodeMode implements Mode {
  readonly #mode: ConstrainedMode;

  constructor(authorizer: Authorizer, clock: Clock) {
    const anyNode: Authorizer = {
      authorize: attributes =>
        authorizer.authorize(
          attributes.verb === 'impersonate:associated-node' ? { ...attributes, name: '*' } : attributes,
        ),
    };
    this.#mode = new ConstrainedMode('associated-node', anyNode, clock, (wanted, requester) => {
      const node = nodeNameOf(wanted.name);
      if (node === undefined || !hasNameAlone(wanted) || !splitServiceAccountName(requester.name)) return false;
      const bound = requester.extra[nodeNameKey] ?? [];
      return bound.length === 1 && bound[0] === node;
    });
  }

  async check(wanted: UserInfo, attributes: AuthorizationAttributes): Promise<Impersonated | undefined> {
    const { user } = attributes;
    const keys = Object.keys(user.extra).toSorted();
    const requester = { ...user, extra: { 'authentication.kubernetes.io/associated-node-keys': keys } };
    const shown = { wanted: { name: `${nodePrefix}*`, uid: '', groups: [], extra: {} }, requester };
    const found = await this.#mode.check(wanted, attributes, shown);
    // What was kept may have been for another node.
    return found && { ...found, user: { ...found.user, name: wanted.name } };
  }
}

/** So many checks of one sort are worth asking first whether everything is allowed. */
const many = 4;

/** The rights on who is impersonated: each part that is set needs its own. */
class Rights {
  readonly #authorizer: Authorizer;
  readonly #verb: string;
  readonly #isConstrained: boolean;

  constructor(authorizer: Authorizer, verb: string, isConstrained: boolean) {
    this.#authorizer = authorizer;
    this.#verb = verb;
    this.#isConstrained = isConstrained;
  }

  /** Throws 403. */
  async check(wanted: UserInfo, requester: UserInfo): Promise<Impersonated> {
    const groups = await this.#name(wanted, requester);
    if (wanted.uid !== '') {
      await allow(this.#authorizer, this.#question(requester, 'authentication.k8s.io', 'uids', wanted.uid));
    }
    await this.#groups(wanted.groups, requester);
    await this.#extra(wanted.extra, requester);
    const user = { ...wanted, groups: withStanding(wanted.name, groups) };
    return { user, constraint: this.#isConstrained ? this.#verb : '' };
  }

  #question(user: UserInfo, group: string, resource: string, name: string): AuthorizationAttributes {
    return {
      user,
      verb: this.#verb,
      isResourceRequest: true,
      path: '',
      group,
      version: 'v1',
      namespace: '',
      resource,
      subresource: '',
      name,
      fieldSelector: '',
      labelSelector: '',
    };
  }

  /** Users and groups are of the core group to the legacy mode, which is older than the other. */
  get #nameGroup(): string {
    return this.#isConstrained ? 'authentication.k8s.io' : '';
  }

  /** The groups that go with the name: nodes and ServiceAccounts have theirs. */
  async #name({ name, groups }: UserInfo, requester: UserInfo): Promise<readonly string[]> {
    let question = this.#question(requester, this.#nameGroup, 'users', name);
    let own = groups;
    const node = this.#isConstrained ? nodeNameOf(name) : undefined;
    const account = splitServiceAccountName(name);
    if (node !== undefined) {
      question = { ...question, resource: 'nodes', name: node };
      own = ['system:nodes'];
    } else if (account) {
      question = { ...question, resource: 'serviceaccounts', namespace: account.namespace, name: account.name };
      if (groups.length === 0) own = serviceAccountGroups(account.namespace);
    }
    await allow(this.#authorizer, question);
    return own;
  }

  async #groups(groups: readonly string[], requester: UserInfo): Promise<void> {
    if (groups.length === 0) return;
    const question = (name: string): AuthorizationAttributes =>
      this.#question(requester, this.#nameGroup, 'groups', name);
    if (this.#isConstrained) {
      if (groups.includes('')) {
        throw forbiddenError(question(''), 'impersonating the empty string group is not allowed');
      }
      if (groups.includes(mastersGroup)) {
        throw forbiddenError(question(mastersGroup), 'impersonating the system:masters group is not allowed');
      }
      if (groups.length >= many && (await this.#isAllowed(question('*')))) return;
    }
    for (const group of groups) await allow(this.#authorizer, question(group));
  }

  async #extra(extra: UserInfo['extra'], requester: UserInfo): Promise<void> {
    const entries = Object.entries(extra);
    if (entries.length === 0) return;
    const question = this.#question(requester, 'authentication.k8s.io', 'userextras', '');
    if (this.#isConstrained) {
      const problem = extraProblem(entries);
      if (problem !== undefined) throw forbiddenError(question, problem);
      const isLarge = entries.length >= many || entries.flatMap(([, values]) => values).length >= many;
      if (isLarge && (await this.#isAllowed({ ...question, subresource: '*', name: '*' }))) return;
    }
    for (const [subresource, values] of entries) {
      for (const name of values) await allow(this.#authorizer, { ...question, subresource, name });
    }
  }

  async #isAllowed(question: AuthorizationAttributes): Promise<boolean> {
    return (await this.#authorizer.authorize(question)).decision === 'allow';
  }
}

function extraProblem(entries: ReadonlyArray<readonly [key: string, values: readonly string[]]>): string | undefined {
  for (const [key, values] of entries) {
    if (key === '') return 'impersonating the empty string key in extra is not allowed';
    const wrong = isDomainPrefixedPath(FieldPath.of('extra', 'key'), key);
    if (wrong.length > 0) return `impersonating an invalid key in extra is not allowed: ${aggregateText(wrong)}`;
    if (key !== key.toLowerCase()) {
      return `impersonating a non-lowercase key in extra is not allowed: ${JSON.stringify(key)}`;
    }
    if (values.length === 0) return 'impersonating empty values in extra is not allowed';
    if (values.includes('')) return 'impersonating the empty string value in extra is not allowed';
  }
  return undefined;
}

/** Everybody is either authenticated or not, whatever groups were asked for. */
function withStanding(name: string, groups: readonly string[]): readonly string[] {
  const standing = name === anonymousName ? unauthenticatedGroup : authenticatedGroup;
  if (groups.includes(standing) || groups.includes(unauthenticatedGroup)) return groups;
  return [...groups, standing];
}
