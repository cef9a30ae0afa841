/**
 * What validating and mutating policies share: policies compiled once, their bindings, parameters, and which of them a
 * request is held against. Upstream: apiserver pkg/admission/plugin/policy/{generic,matching}.
 */
import type { MatchResources, NamedRuleWithOperations, ParamKind, ParamRef } from '#api/types';
import { type KubeObject, labelSelectorAsSelector, parseApiVersion } from '#apimachinery';
import { fromStorage, kindOf, type ServedResource, storageKey, storageRange } from '../../../scheme/resource.ts';
import type { AdmissionAttributes } from '../../chain.ts';
import type { Lookup } from '../../lookup.ts';
import { type FollowDeps, followed } from '../followed.ts';
import { equivalents, type Invocation, namespaceMatches, objectMatches, ruleMatches, selectorOf } from '../matching.ts';

/** What both kinds of policies have. */
export interface PolicyShape extends KubeObject {
  readonly spec?: {
    readonly paramKind?: ParamKind;
    readonly matchConstraints?: MatchResources;
    readonly failurePolicy?: string;
  };
}

export interface BindingShape extends KubeObject {
  readonly spec?: {
    readonly policyName?: string;
    readonly paramRef?: ParamRef;
    readonly matchResources?: MatchResources;
    readonly validationActions?: readonly string[];
  };
}

type Matcher = (attributes: AdmissionAttributes, object: KubeObject | null) => Promise<Invocation | undefined>;

export interface BoundPolicy<P extends PolicyShape, C> {
  readonly policy: P;
  readonly compiled: C;
  readonly matches: Matcher;
  readonly bindings: ReadonlyArray<{ readonly binding: BindingShape; readonly matches: Matcher }>;
}

export interface SourceDeps extends FollowDeps {
  readonly lookup: Lookup;
}

/** A policy or a binding that cannot be used as it is written; what it means is the failure policy's to say. */
export class PolicyMisconfigured extends Error {
  override readonly name = 'PolicyMisconfigured';
}

/** Policies that are bound, by name, ready to ask. `compile` is called when a policy has changed. */
export function boundPolicies<P extends PolicyShape, C>(
  deps: SourceDeps,
  resources: { readonly policies: string; readonly bindings: string },
  compile: (policy: P) => C,
): () => ReadonlyArray<BoundPolicy<P, C>> {
  let known = new Map<string, { compiled: C; matches: Matcher }>();
  const policies = followed(deps, resources.policies, objects => {
    const next: typeof known = new Map();
    const entries = byName(objects).map(object => {
      const policy = object as P;
      const key = `${object.metadata.uid}/${object.metadata.resourceVersion}`;
      const before = known.get(key);
      const made = before ?? { compiled: compile(policy), matches: matcherOf(deps, policy.spec?.matchConstraints) };
      next.set(key, made);
      return { policy, ...made };
    });
    known = next;
    return entries;
  });
  const bindings = followed(deps, resources.bindings, objects =>
    byName(objects).map(object => {
      const binding = object as BindingShape;
      return { binding, matches: matcherOf(deps, binding.spec?.matchResources) };
    }),
  );
  let last: { from: readonly [unknown, unknown]; bound: ReadonlyArray<BoundPolicy<P, C>> } | undefined;
  return () => {
    const [now, own] = [policies(), bindings()];
    if (last?.from[0] === now && last.from[1] === own) return last.bound;
    const bound = now
      .map(each => ({
        ...each,
        bindings: own.filter(({ binding }) => binding.spec?.policyName === each.policy.metadata.name),
      }))
      .filter(each => each.bindings.length > 0);
    last = { from: [now, own], bound };
    return bound;
  };
}

function byName(objects: readonly KubeObject[]): KubeObject[] {
  return [...objects].sort((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1));
}

/** The match of a policy or binding; absent, everything matches as it was sent. */
function matcherOf({ scheme, lookup }: SourceDeps, match: MatchResources | undefined): Matcher {
  if (!match) return async ({ requested: resource, kind }) => ({ resource, kind });
  const { resourceRules = [], excludeResourceRules = [], matchPolicy } = match;
  const namespaceSelector = selectorOf(match.namespaceSelector);
  const objectSelector = selectorOf(match.objectSelector);
  const ruled = (rules: readonly NamedRuleWithOperations[], attributes: AdmissionAttributes) => {
    const { requested, kind, ownKind, name } = attributes;
    const holds = (rule: NamedRuleWithOperations, resource: ServedResource): boolean =>
      ruleMatches(rule, attributes, resource) && (!rule.resourceNames?.length || rule.resourceNames.includes(name));
    if (rules.some(rule => holds(rule, requested))) return { resource: requested, kind };
    if (matchPolicy !== 'Equivalent') return undefined;
    for (const rule of rules) {
      for (const resource of equivalents(scheme, attributes)) {
        if (holds(rule, resource)) return { resource, kind: ownKind ? kindOf(resource) : kind };
      }
    }
    return undefined;
  };
  return async (attributes, object) => {
    const { requested: resource, kind, old } = attributes;
    const found = resourceRules.length === 0 ? { resource, kind } : ruled(resourceRules, attributes);
    if (!found || ruled(excludeResourceRules, attributes)) return undefined;
    if (!objectMatches(objectSelector, object, old)) return undefined;
    return (await namespaceMatches(namespaceSelector, attributes, object, lookup)) ? found : undefined;
  };
}

/** What a binding hands to a policy, one run each; `[null]` where there is nothing. Throws a PolicyMisconfigured. */
export async function collectParams(
  { scheme, caches }: SourceDeps,
  paramKind: ParamKind | undefined,
  paramRef: ParamRef | undefined,
  namespace: string,
): Promise<ReadonlyArray<KubeObject | null>> {
  const wrong = (why: string): never => {
    throw new PolicyMisconfigured(why);
  };
  if (!paramKind) return [null];
  const resource = paramResource(scheme, paramKind);
  if (!paramRef) return [null];
  const own = paramRef.namespace ?? '';
  if (own !== '' && !resource.namespaced) {
    wrong('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
  }
  const within = resource.namespaced ? own || namespace : '';
  if (resource.namespaced && within === '') {
    wrong('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources');
  }
  const cache = caches.of(resource);
  await cache.fresh();
  let found: KubeObject[] = [];
  if (paramRef.name) {
    if (paramRef.selector) wrong('paramRef.name and paramRef.selector are mutually exclusive');
    const item = cache.get(storageKey(resource.storage, within, paramRef.name));
    found = item ? [item.object] : [];
  } else if (paramRef.selector) {
    const selector = labelSelectorAsSelector(paramRef.selector);
    const { items } = cache.list({ prefix: storageRange(resource.storage, within) });
    found = items.map(item => item.object).filter(object => selector.matches(object.metadata.labels));
  } else wrong('one of name or selector must be provided');
  if (found.length === 0 && paramRef.parameterNotFoundAction === 'Deny') {
    wrong('no params found for policy binding with `Deny` parameterNotFoundAction');
  }
  return found.map(object => fromStorage(resource, object));
}

/** Throws a PolicyMisconfigured when nothing serves the kind. */
export function paramResource(scheme: SourceDeps['scheme'], paramKind: ParamKind): ServedResource {
  const { group, version } = parseApiVersion(paramKind.apiVersion ?? '');
  const resource = scheme.ofKind({ group, version, kind: paramKind.kind ?? '' });
  if (resource) return resource;
  throw new PolicyMisconfigured(
    `failed to find resource referenced by paramKind: '${group === '' ? '' : `${group}/`}${version}, Kind=${paramKind.kind}'`,
  );
}

/** The namespace of a request, for expressions; null for what is in none and for namespaces themselves. */
export async function requestNamespace(
  lookup: Lookup,
  { namespace, kind }: AdmissionAttributes,
): Promise<KubeObject | null> {
  const isNamespace = kind.group === '' && kind.kind === 'Namespace';
  if (namespace === '' || isNamespace) return null;
  return (await lookup.get('', 'namespaces', '', namespace)) ?? null;
}
