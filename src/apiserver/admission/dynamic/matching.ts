/**
 * Which requests a webhook or a policy is about: rules by resource and operation, in equivalent versions too, and
 * selectors of namespaces and objects. Upstream: apiserver pkg/admission/plugin/webhook/{predicates,generic/webhook.go}.
 */
import type { LabelSelector, RuleWithOperations } from '#api/types';
import { type KubeObject, type LabelsSelector, labelSelectorAsSelector, notFound } from '#apimachinery';
import { kindOf, type ServedResource } from '../../scheme/resource.ts';
import type { Scheme } from '../../scheme/scheme.ts';
import type { AdmissionAttributes } from '../chain.ts';
import type { Lookup } from '../lookup.ts';
import { admissionGroup } from './followed.ts';

/** What is called with: the request's own version, or an equivalent one that a rule names. */
export interface Invocation {
  /** Its group, version and name go with the request. */
  readonly resource: ServedResource;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
}

export interface Criteria {
  readonly rules: readonly RuleWithOperations[];
  readonly exact: boolean;
  readonly namespaceSelector: LabelsSelector;
  readonly objectSelector: LabelsSelector;
}

/** An absent selector is one that takes everything: upstream's defaults make it an empty one. */
export function selectorOf(selector: LabelSelector | undefined): LabelsSelector {
  return labelSelectorAsSelector(selector ?? {});
}

const exemptKinds = new Set([
  'ValidatingWebhookConfiguration',
  'MutatingWebhookConfiguration',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionPolicyBinding',
]);

/** Whatever configures admission is not itself held back by it, so that it can be mended. */
export function isExempt({ kind }: AdmissionAttributes): boolean {
  return kind.group === admissionGroup && exemptKinds.has(kind.kind);
}

/** Reviews, which are asked all the time, and policies are not held against policies; webhooks' configurations are. */
export function isExemptFromPolicies({ kind, resource }: AdmissionAttributes): boolean {
  if (kind.group === admissionGroup) return exemptKinds.has(kind.kind) && !kind.kind.endsWith('WebhookConfiguration');
  const { group, resource: name } = resource;
  return (group === 'authentication.k8s.io' || group === 'authorization.k8s.io') && name.endsWith('reviews');
}

const takes = (items: readonly string[] | undefined, wanted: string): boolean =>
  items?.some(item => item === '*' || item === wanted) ?? false;

function inScope(scope: string | undefined, resource: ServedResource, namespace: string): boolean {
  const isNamespaces = resource.group === '' && resource.version === 'v1' && resource.resource === 'namespaces';
  const cluster = isNamespaces || namespace === '';
  return scope === undefined || scope === '*' || (scope === 'Cluster' ? cluster : scope === 'Namespaced' && !cluster);
}

/** Whether a rule is about the request, were it for `resource`. */
export function ruleMatches(
  rule: RuleWithOperations,
  attributes: AdmissionAttributes,
  resource: ServedResource,
): boolean {
  const { operation, subresource, namespace } = attributes;
  return (
    takes(rule.operations, operation) &&
    takes(rule.apiGroups, resource.group) &&
    takes(rule.apiVersions, resource.version) &&
    inScope(rule.scope, resource, namespace) &&
    (rule.resources ?? []).some(each => {
      const at = each.indexOf('/');
      const name = at < 0 ? each : each.slice(0, at);
      const sub = at < 0 ? '' : each.slice(at + 1);
      return (name === '*' || name === resource.resource) && (sub === '*' || sub === subresource);
    })
  );
}

/** All versions of what a request is for, in all groups that serve it. */
export function* equivalents(scheme: Scheme, attributes: AdmissionAttributes): Generator<ServedResource> {
  const { requested, subresource } = attributes;
  for (const each of scheme.all()) {
    if (each === requested || each.storage.storagePrefix !== requested.storage.storagePrefix) continue;
    if (subresource === '' || each.subresources.some(({ name }) => name === subresource)) yield each;
  }
}

/** The invocation that the rules ask for; undefined when they are about something else. */
function matchedRule(
  { rules, exact }: Pick<Criteria, 'rules' | 'exact'>,
  attributes: AdmissionAttributes,
  scheme: Scheme,
): Invocation | undefined {
  const { requested, kind, ownKind } = attributes;
  if (rules.some(rule => ruleMatches(rule, attributes, requested))) return { resource: requested, kind };
  if (exact) return undefined;
  for (const rule of rules) {
    for (const resource of equivalents(scheme, attributes)) {
      if (ruleMatches(rule, attributes, resource)) return { resource, kind: ownKind ? kindOf(resource) : kind };
    }
  }
  return undefined;
}

function labelsMatch(selector: LabelsSelector, object: KubeObject | null): boolean {
  return object?.metadata !== undefined && selector.matches(object.metadata.labels);
}

/** By the labels of the new object or of the old one. */
export function objectMatches(selector: LabelsSelector, object: KubeObject | null, old: KubeObject | null): boolean {
  return selector.isEmpty || labelsMatch(selector, object) || labelsMatch(selector, old);
}

/** Throws 404 when there is no such namespace. What is in none passes; a namespace goes by its own labels. */
export async function namespaceMatches(
  selector: LabelsSelector,
  attributes: AdmissionAttributes,
  object: KubeObject | null,
  lookup: Lookup,
): Promise<boolean> {
  const { namespace, resource, operation, subresource } = attributes;
  const isNamespaces = resource.resource === 'namespaces';
  if ((namespace === '' && !isNamespaces) || selector.isEmpty) return true;
  if (isNamespaces && subresource === '' && (operation === 'CREATE' || operation === 'UPDATE')) {
    return selector.matches(object?.metadata.labels);
  }
  const found = await lookup.get('', 'namespaces', '', namespace);
  if (!found) throw notFound({ group: '', resource: 'namespaces' }, namespace);
  return selector.matches(found.metadata.labels);
}

/** The whole question, selectors first as upstream asks it: rules are cheaper, so here they go first and tell the same. */
export async function invocationOf(
  criteria: Criteria,
  attributes: AdmissionAttributes,
  object: KubeObject | null,
  { scheme, lookup }: { readonly scheme: Scheme; readonly lookup: Lookup },
): Promise<Invocation | undefined> {
  const invocation = matchedRule(criteria, attributes, scheme);
  if (!invocation) return undefined;
  if (!objectMatches(criteria.objectSelector, object, attributes.old)) return undefined;
  if (!(await namespaceMatches(criteria.namespaceSelector, attributes, object, lookup))) return undefined;
  return invocation;
}
