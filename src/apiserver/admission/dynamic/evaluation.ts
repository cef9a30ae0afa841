/**
 * Expressions run against one request: its variables, the budget that they share, and errors in upstream's words.
 * Upstream: apiserver pkg/admission/plugin/cel/{activation,composition,condition}.go.
 */
import type { CompiledExpression } from '#api/expressions';
import { type KubeObject, readAnyJson } from '#apimachinery';
import {
  authorizerValue,
  type CelAuthorizationDecision,
  type CelAuthorizationQuery,
  CelError,
  dynValue,
  MapValue,
  requestResourceValue,
  type Value,
} from '#apimachinery/cel';
import { serviceAccountUser, type UserInfo } from '../../authentication/user.ts';
import type { Authorizer } from '../../authorization/authorizer.ts';
import type { AdmissionAttributes } from '../chain.ts';
import type { Invocation } from './matching.ts';
import { objectJson, structOf, type VersionedObjects } from './versioned.ts';
import { operationOptions } from './webhooks/review.ts';

/** Upstream's RuntimeCELCostBudget, and that of match conditions. */
export const policyBudget = 10_000_000;
export const conditionsBudget = 2_500_000;

/** The expressions of a policy together cost more than they may. */
export class OutOfBudget extends Error {
  override readonly name = 'OutOfBudget';

  constructor(
    message = 'validation failed due to running out of cost budget, no further validation rules will be run',
  ) {
    super(message);
  }
}

/** An expression as it was written, and what compiling it gave. */
export interface Compiled {
  readonly text: string;
  readonly compiled: CompiledExpression;
}

export type Outcome =
  | { readonly value: Value; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: string };

/** What the expressions of several policies see of one request, made when first looked at. */
export class RequestValues {
  readonly #attributes: AdmissionAttributes;
  readonly #objects: VersionedObjects;
  readonly #invocation: Invocation;
  readonly #namespace: KubeObject | null;
  readonly #authorizer: Authorizer;
  readonly #known = new Map<string, Value>();

  constructor(
    objects: VersionedObjects,
    invocation: Invocation,
    { namespace, authorizer }: { readonly namespace: KubeObject | null; readonly authorizer: Authorizer },
  ) {
    this.#attributes = objects.attributes;
    this.#objects = objects;
    this.#invocation = invocation;
    this.#namespace = namespace;
    this.#authorizer = authorizer;
  }

  lookup(name: string): Value | undefined {
    let value = this.#known.get(name);
    if (value === undefined) {
      value = this.#make(name);
      if (value !== undefined) this.#known.set(name, value);
    }
    return value;
  }

  #make(name: string): Value | undefined {
    const { object, old } = this.#objects.in(this.#invocation);
    switch (name) {
      case 'object':
        return this.#plain(object);
      case 'oldObject':
        return this.#plain(old);
      case 'request':
        return dynValue(requestOf(this.#attributes, this.#invocation));
      case 'namespaceObject':
        return this.#namespace ? dynValue(namespaceShown(this.#namespace)) : null;
      case 'authorizer':
        return authorizerValue(query => decide(this.#authorizer, this.#attributes.user, query));
      case 'authorizer.requestResource': {
        const { requested, subresource, namespace, name: objectName } = this.#attributes;
        const { group, resource } = requested;
        const asked = { group, resource, subresource, namespace, name: objectName };
        return requestResourceValue(this.lookup('authorizer')!, asked);
      }
      default:
        return undefined;
    }
  }

  /** As Go would have it: with the fields that it always writes. */
  #plain(object: KubeObject | null): Value {
    if (!object) return null;
    const struct = structOf(this.#attributes, this.#invocation);
    return dynValue(struct ? readAnyJson(objectJson(object, struct)) : object);
  }
}

function requestOf(attributes: AdmissionAttributes, { resource, kind }: Invocation): object {
  const { requested, user, subresource } = attributes;
  return {
    kind: { group: kind.group, version: kind.version, kind: kind.kind },
    resource: { group: resource.group, version: resource.version, resource: resource.resource },
    ...(subresource !== '' && { subResource: subresource }),
    requestKind: attributes.kind,
    requestResource: { group: requested.group, version: requested.version, resource: requested.resource },
    ...(subresource !== '' && { requestSubResource: subresource }),
    ...(attributes.name !== '' && { name: attributes.name }),
    ...(attributes.namespace !== '' && { namespace: attributes.namespace }),
    operation: attributes.operation,
    userInfo: {
      ...(user.name !== '' && { username: user.name }),
      ...(user.uid !== '' && { uid: user.uid }),
      ...(user.groups.length > 0 && { groups: user.groups }),
      ...(Object.keys(user.extra).length > 0 && { extra: user.extra }),
    },
    dryRun: attributes.dryRun,
    options: operationOptions(attributes),
  };
}

function namespaceShown({ metadata, ...rest }: KubeObject): object {
  const { managedFields: _m, ownerReferences: _o, ...shown } = metadata;
  return { ...rest, metadata: shown };
}

async function decide(
  authorizer: Authorizer,
  requester: UserInfo,
  { serviceAccount, verb, path, resource }: CelAuthorizationQuery,
): Promise<CelAuthorizationDecision> {
  const user = serviceAccount ? serviceAccountUser(serviceAccount.namespace, serviceAccount.name) : requester;
  try {
    const { decision, reason } = await authorizer.authorize({
      user,
      verb,
      isResourceRequest: resource !== undefined,
      path: path ?? '',
      group: resource?.group ?? '',
      version: resource ? '*' : '',
      namespace: resource?.namespace ?? '',
      resource: resource?.resource ?? '',
      subresource: resource?.subresource ?? '',
      name: resource?.name ?? '',
      fieldSelector: resource?.fieldSelector ?? '',
      labelSelector: resource?.labelSelector ?? '',
    });
    return { allowed: decision === 'allow', reason };
  } catch (error) {
    return { allowed: false, reason: '', error: error instanceof Error ? error.message : String(error) };
  }
}

/** Variables that are computed when an expression asks for them, once. */
class LazyVariables extends MapValue {
  readonly #compute: (name: string) => Value | undefined;
  readonly #names: readonly string[];

  constructor(names: readonly string[], compute: (name: string) => Value | undefined) {
    super();
    this.#names = names;
    this.#compute = compute;
  }

  get size(): number {
    return this.#names.length;
  }

  find(key: Value): Value | undefined {
    return typeof key === 'string' ? this.#compute(key) : undefined;
  }

  keys(): Iterable<Value> {
    return this.#names;
  }
}

/** The expressions of one policy on one request, with one set of parameters. */
export class PolicyRun {
  readonly #values: RequestValues;
  readonly #params: Value;
  readonly #compiled: ReadonlyMap<string, Compiled>;
  readonly #computed = new Map<string, Value>();
  readonly #variables: LazyVariables;
  #budget: number;
  #lazyCost = 0;

  constructor(
    values: RequestValues,
    {
      params,
      variables,
      budget,
    }: {
      readonly params: KubeObject | null;
      readonly variables: ReadonlyMap<string, Compiled>;
      readonly budget: number;
    },
  ) {
    this.#values = values;
    this.#params = params ? dynValue(params) : null;
    this.#compiled = variables;
    this.#budget = budget;
    this.#variables = new LazyVariables([...variables.keys()], name => this.#variable(name));
  }

  readonly #lookup = (name: string): Value | undefined => {
    if (name === 'params') return this.#params;
    return name === 'variables' ? this.#variables : this.#values.lookup(name);
  };

  /** Throws OutOfBudget. */
  async evaluate({ text, compiled }: Compiled): Promise<Outcome> {
    if (compiled.program === undefined) return { error: `compilation error: ${compiled.error}` };
    const { value, error, cost } = await compiled.program.evaluateAsync(this.#lookup);
    this.#budget -= cost + this.#lazyCost;
    this.#lazyCost = 0;
    if (this.#budget < 0) throw new OutOfBudget();
    if (error !== undefined) return { error: `expression '${text}' resulted in error: ${error}` };
    return { value };
  }

  #variable(name: string): Value | undefined {
    const known = this.#computed.get(name);
    if (known !== undefined) return known;
    const compiled = this.#compiled.get(name)?.compiled;
    if (!compiled) return undefined;
    const shown = JSON.stringify(name);
    let value: Value;
    if (compiled.program === undefined) {
      value = new CelError(`composited variable ${shown} fails to compile: ${compiled.error}`);
    } else {
      const outcome = compiled.program.evaluate(this.#lookup);
      this.#lazyCost += outcome.cost;
      value =
        outcome.error === undefined
          ? outcome.value
          : new CelError(`composited variable ${shown} fails to evaluate: ${outcome.error}`);
    }
    this.#computed.set(name, value);
    return value;
  }
}
