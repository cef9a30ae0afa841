/**
 * The `authorizer` variable: checks of what somebody may do, which the caller decides. Decisions may be promises; an
 * evaluation that meets one is given up and run again once it is known (see Program.evaluateAsync). Upstream:
 * k8s.io/apiserver pkg/cel/library/authz.go.
 */
import { nameIsDNSLabel, nameIsDNSSubdomain } from '../../validation/names.ts';
import { fn, type Library, method } from '../check/declarations.ts';
import { structType, type Type, types } from '../check/types.ts';
import { CelError, ObjectValue, type Value } from '../values/value.ts';

const { bool, string } = types;
export const authorizerType: Type = structType('kubernetes.authorization.Authorizer');
export const resourceCheckType: Type = structType('kubernetes.authorization.ResourceCheck');
const pathCheckType = structType('kubernetes.authorization.PathCheck');
const groupCheckType = structType('kubernetes.authorization.GroupCheck');
const decisionType = structType('kubernetes.authorization.Decision');

/** What is asked. */
export interface CelAuthorizationQuery {
  /** Set where an expression asks for a service account rather than for whoever sent the request. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string };
  readonly verb: string;
  /** Of requests that are not for a resource. */
  readonly path?: string;
  readonly resource?: {
    readonly group: string;
    readonly resource: string;
    readonly subresource: string;
    readonly namespace: string;
    readonly name: string;
    /** As written, not parsed; empty for none. */
    readonly fieldSelector: string;
    readonly labelSelector: string;
  };
}

export interface CelAuthorizationDecision {
  readonly allowed: boolean;
  readonly reason: string;
  /** Undefined if the decision was made without a fault. */
  readonly error?: string;
}

/** Decides. The same query is asked once an evaluation. */
export type CelAuthorizer = (
  query: CelAuthorizationQuery,
) => CelAuthorizationDecision | Promise<CelAuthorizationDecision>;

/** Ends an evaluation until a decision is known. */
export class PendingDecision extends Error {
  readonly settled: Promise<void>;

  constructor(settled: Promise<void>) {
    super('decision pending');
    this.settled = settled;
  }
}

/** Asks, and remembers the answers. */
class Decider {
  readonly #authorizer: CelAuthorizer;
  readonly #known = new Map<string, CelAuthorizationDecision>();

  constructor(authorizer: CelAuthorizer) {
    this.#authorizer = authorizer;
  }

  /** Throws a PendingDecision. */
  decide(query: CelAuthorizationQuery): CelAuthorizationDecision {
    const key = JSON.stringify(query);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const answer = this.#authorizer(query);
    if (!(answer instanceof Promise)) {
      this.#known.set(key, answer);
      return answer;
    }
    throw new PendingDecision(
      answer.then(decision => {
        this.#known.set(key, decision);
      }),
    );
  }
}

/** One step of a check: everything said so far. */
class Check extends ObjectValue {
  readonly type: Type;
  readonly decider: Decider;
  readonly query: Partial<CelAuthorizationQuery>;

  constructor(type: Type, decider: Decider, query: Partial<CelAuthorizationQuery>) {
    super();
    this.type = type;
    this.decider = decider;
    this.query = query;
  }

  with(type: Type, more: Partial<CelAuthorizationQuery>): Check {
    return new Check(type, this.decider, { ...this.query, ...more });
  }

  /** The same check with one word of its resource set. */
  refine(type: Type, more: Partial<NonNullable<CelAuthorizationQuery['resource']>>): Check {
    const before = this.query.resource ?? emptyResource;
    return this.with(type, { resource: { ...before, ...more } });
  }

  equals(other: ObjectValue): boolean {
    return other === this;
  }
}

const emptyResource = {
  group: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  fieldSelector: '',
  labelSelector: '',
};

class Decision extends ObjectValue {
  readonly type: Type = decisionType;
  readonly decision: CelAuthorizationDecision;

  constructor(decision: CelAuthorizationDecision) {
    super();
    this.decision = decision;
  }

  equals(other: ObjectValue): boolean {
    return other === this;
  }
}

/** The value of the variable `authorizer`. Make one an evaluation: it remembers what was decided. */
export function authorizerValue(authorizer: CelAuthorizer): Value {
  return new Check(authorizerType, new Decider(authorizer), {});
}

/** The value of `authorizer.requestResource`. */
export function requestResourceValue(
  authorizer: Value,
  resource: Omit<NonNullable<CelAuthorizationQuery['resource']>, 'fieldSelector' | 'labelSelector'>,
): Value {
  return (authorizer as Check).refine(resourceCheckType, resource);
}

function serviceAccount(authorizer: Check, namespace: string, name: string): Value {
  if (nameIsDNSSubdomain(name, false).length > 0) return new CelError('Invalid service account name');
  if (nameIsDNSLabel(namespace, false).length > 0) return new CelError('Invalid service account namespace');
  return authorizer.with(authorizerType, { serviceAccount: { namespace, name } });
}

const notEmpty = (what: string, text: string, make: () => Value): Value =>
  text.trim() === '' ? new CelError(`${what} must not be empty`) : make();

const decide = (check: Check, verb: string): Value =>
  new Decision(check.decider.decide({ ...check.query, verb } as CelAuthorizationQuery));

/** A method that sets one word of a resource check. */
const word = (
  name: 'subresource' | 'namespace' | 'name' | 'fieldSelector' | 'labelSelector',
  id = `resourcecheck_${name}`,
) =>
  fn(
    name,
    method(id, [resourceCheckType, string], resourceCheckType, (check: Check, text: string) =>
      check.refine(resourceCheckType, { [name]: text }),
    ),
  );

export const authorizerLibrary: Library = [
  fn(
    'path',
    method('authorizer_path', [authorizerType, string], pathCheckType, (check: Check, path: string) =>
      notEmpty('path', path, () => check.with(pathCheckType, { path })),
    ),
  ),
  fn(
    'group',
    method('authorizer_group', [authorizerType, string], groupCheckType, (check: Check, group: string) =>
      check.refine(groupCheckType, { group }),
    ),
  ),
  fn(
    'serviceAccount',
    method('authorizer_serviceaccount', [authorizerType, string, string], authorizerType, serviceAccount),
  ),
  fn(
    'resource',
    method('groupcheck_resource', [groupCheckType, string], resourceCheckType, (check: Check, resource: string) =>
      notEmpty('resource', resource, () => check.refine(resourceCheckType, { resource })),
    ),
  ),
  word('subresource'),
  word('namespace'),
  word('name'),
  word('fieldSelector', 'authorizer_fieldselector'),
  word('labelSelector', 'authorizer_labelselector'),
  fn(
    'check',
    method('pathcheck_check', [pathCheckType, string], decisionType, decide),
    method('resourcecheck_check', [resourceCheckType, string], decisionType, decide),
  ),
  fn(
    'errored',
    method('decision_errored', [decisionType], bool, ({ decision }: Decision) => decision.error !== undefined),
  ),
  fn(
    'error',
    method('decision_error', [decisionType], string, ({ decision }: Decision) => decision.error ?? ''),
  ),
  fn(
    'allowed',
    method('decision_allowed', [decisionType], bool, ({ decision }: Decision) => decision.allowed),
  ),
  fn(
    'reason',
    method('decision_reason', [decisionType], string, ({ decision }: Decision) => decision.reason),
  ),
];
