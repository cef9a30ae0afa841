/**
 * What it takes to hold one resource under quotas, and what holds for all of them: scopes, matching, counting.
 * Upstream: apiserver pkg/quota/v1/interfaces.go and generic/evaluator.go.
 */
import { type KubeObject, LabelsSelector, newRequirement, Quantity } from '#apimachinery';
import type { ResourceQuota, ScopedResourceSelectorRequirement } from '../types.ts';
import type { Amounts } from './amounts.ts';

export type Scope = ScopedResourceSelectorRequirement;

/** A write that may change usage. */
export interface QuotaRequest {
  readonly operation: string;
  readonly subresource: string;
  readonly object: KubeObject;
  /** Null on create. */
  readonly old: KubeObject | null;
}

export interface QuotaEvaluator {
  readonly group: string;
  readonly resource: string;
  /** Whether such a request may change usage at all. */
  handles(request: QuotaRequest): boolean;
  /** Which of these resource names this evaluator measures. */
  matching(names: readonly string[]): string[];
  matchesScope(scope: Scope, object: KubeObject): boolean;
  /** What an object must say because a quota limits it; the complaint, or undefined. */
  constraints?(names: readonly string[], object: KubeObject): string | undefined;
  usage(object: KubeObject, nowMs: number): Amounts;
  /** Whether scopes that are limited by configuration need a quota that covers them. */
  readonly scoped: boolean;
}

export const one: Quantity = Quantity.of(1);

/** `count/pods`, `count/deployments.apps`. */
export function countName(group: string, resource: string): string {
  return group === '' ? `count/${resource}` : `count/${resource}.${group}`;
}

export function scopesOf(quota: ResourceQuota): Scope[] {
  const plain = (quota.spec?.scopes ?? []).map(scopeName => ({ scopeName, operator: 'Exists' }) as Scope);
  return [...plain, ...(quota.spec?.scopeSelector?.matchExpressions ?? [])];
}

/** Whether the quota is about the object: it limits something that the object uses, and all its scopes hold. */
export function quotaMatches(evaluator: QuotaEvaluator, quota: ResourceQuota, object: KubeObject): boolean {
  if (evaluator.matching(Object.keys(quota.status?.hard ?? {})).length === 0) return false;
  return scopesOf(quota).every(scope => evaluator.matchesScope(scope, object));
}

const operators: Readonly<Record<string, 'in' | 'notin' | 'exists' | '!'>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

/** Whether a scope with an operator and values takes a name; undefined: the object has none. */
export function scopeTakes(scope: Scope, name: string | undefined): boolean {
  const operator = operators[scope.operator];
  if (!operator) return false;
  const selector = new LabelsSelector([newRequirement(scope.scopeName, operator, scope.values ?? [])]);
  return selector.matches(name === undefined ? {} : { [scope.scopeName]: name });
}
