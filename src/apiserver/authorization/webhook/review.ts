/**
 * A question to a webhook as the spec of a SubjectAccessReview. Upstream: apiserver
 * plugin/pkg/authorizer/webhook/webhook.go.
 */
import { parseFieldSelector, parseLabelSelector } from '#apimachinery';
import type { AuthorizationAttributes } from '../authorizer.ts';

export interface SelectorRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

interface Selector {
  readonly requirements: readonly SelectorRequirement[];
}

export interface ResourceAttributes {
  readonly namespace?: string;
  readonly verb?: string;
  readonly group?: string;
  readonly version?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly name?: string;
  readonly fieldSelector?: Selector;
  readonly labelSelector?: Selector;
}

/** In the form of authorization.k8s.io/v1; what is empty is absent. */
export interface ReviewSpec {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: { readonly path?: string; readonly verb?: string };
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
  readonly uid?: string;
}

export interface ReviewStatus {
  readonly allowed: boolean;
  readonly denied: boolean;
  readonly reason: string;
}

const text = <K extends string>(key: K, value: string): { readonly [P in K]?: string } =>
  (value === '' ? {} : { [key]: value }) as { readonly [P in K]?: string };

export function reviewSpec(attributes: AuthorizationAttributes): ReviewSpec {
  const { user, verb, path } = attributes;
  return {
    ...(attributes.isResourceRequest
      ? { resourceAttributes: resourceAttributes(attributes) }
      : { nonResourceAttributes: { ...text('path', path), ...text('verb', verb) } }),
    ...text('user', user.name),
    ...(user.groups.length > 0 && { groups: user.groups }),
    ...(Object.keys(user.extra).length > 0 && { extra: user.extra }),
    ...text('uid', user.uid),
  };
}

function resourceAttributes(attributes: AuthorizationAttributes): ResourceAttributes {
  const fields = fieldRequirements(attributes.fieldSelector);
  const labels = labelRequirements(attributes.labelSelector);
  return {
    ...text('namespace', attributes.namespace),
    ...text('verb', attributes.verb),
    ...text('group', attributes.group),
    ...text('version', attributes.version),
    ...text('resource', attributes.resource),
    ...text('subresource', attributes.subresource),
    ...text('name', attributes.name),
    ...(fields.length > 0 && { fieldSelector: { requirements: fields } }),
    ...(labels.length > 0 && { labelSelector: { requirements: labels } }),
  };
}

/** A selector that does not parse narrows nothing: the question is then the broader one. */
function fieldRequirements(selector: string): SelectorRequirement[] {
  try {
    return parseFieldSelector(selector).requirements.map(({ field, operator, value }) => ({
      key: field,
      operator: operator === '=' ? 'In' : 'NotIn',
      values: [value],
    }));
  } catch {
    return [];
  }
}

const labelOperators: Readonly<Record<string, string>> = {
  '=': 'In',
  '==': 'In',
  in: 'In',
  '!=': 'NotIn',
  notin: 'NotIn',
  exists: 'Exists',
  '!': 'DoesNotExist',
};

/** Comparisons of numbers have no form in a review, and leaving them out asks for more, not less. */
function labelRequirements(selector: string): SelectorRequirement[] {
  try {
    return parseLabelSelector(selector).requirements.flatMap(({ key, operator, values }) => {
      const told = labelOperators[operator];
      return told === undefined ? [] : [{ key, operator: told, ...(values.length > 0 && { values }) }];
    });
  } catch {
    return [];
  }
}

/** The review to send. v1beta1 calls the groups `group`. */
export function reviewObject(spec: ReviewSpec, version: 'v1' | 'v1beta1'): object {
  const { groups, ...rest } = spec;
  return {
    kind: 'SubjectAccessReview',
    apiVersion: `authorization.k8s.io/${version}`,
    metadata: {},
    spec: version === 'v1' || groups === undefined ? spec : { ...rest, group: groups },
    status: { allowed: false },
  };
}
