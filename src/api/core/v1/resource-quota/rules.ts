/** ResourceQuotas. Upstream: pkg/apis/core/validation (ValidateResourceQuota), pkg/registry/core/resourcequota. */
import { type FieldError, FieldPath, invalidValue, required } from '#apimachinery';
import { roundResources } from '../../../defaulting.ts';
import type { KindRules } from '../../../kind.ts';
import type { ResourceQuota, ResourceQuotaSpec, ScopedResourceSelectorRequirement } from '../../../types.ts';
import { type Errors, sortedKeys } from '../../../validation/common.ts';
import { internalValue } from '../../../validation/internal-value.ts';
import {
  checkQuantityValue,
  checkQuotaResourceName,
  isStandardQuotaResource,
  type ResourceList,
} from '../../../validation/resources.ts';

const spec = FieldPath.of('spec');
const existing = ['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating', 'CrossNamespacePodAffinity'];
const scopes = [...existing, 'PriorityClass', 'VolumeAttributesClass'];
const compute = ['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'];
const conflicting = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
];

function fits(scope: string, resource: string): boolean {
  if (scope === 'BestEffort') return resource === 'pods';
  if (scope === 'VolumeAttributesClass') return ['persistentvolumeclaims', 'requests.storage'].includes(resource);
  return !scopes.includes(scope) || resource === 'pods' || compute.includes(resource);
}

function checkAmounts(errors: Errors, path: FieldPath, amounts: ResourceList | undefined): void {
  for (const name of sortedKeys(amounts)) {
    checkQuotaResourceName(errors, path.key(name), name);
    checkQuantityValue(errors, path.key(name), name, amounts![name]!);
  }
}

function misfits(own: ResourceQuotaSpec, scope: string): string[] {
  return sortedKeys(own.hard).filter(name => isStandardQuotaResource(name) && !fits(scope, name));
}

function checkConflicts(errors: Errors, path: FieldPath, used: readonly string[], own: ResourceQuotaSpec): void {
  for (const pair of conflicting) {
    if (pair.every(scope => used.includes(scope))) {
      errors.push(invalidValue(path, own.scopes ?? null, 'conflicting scopes'));
    }
  }
}

function checkScopes(errors: Errors, own: ResourceQuotaSpec): void {
  const path = spec.child('scopes');
  const used = own.scopes ?? [];
  for (const scope of used) {
    if (!scopes.includes(scope)) errors.push(invalidValue(path, used, 'unsupported scope'));
    for (const _ of misfits(own, scope)) {
      errors.push(invalidValue(path, used, 'unsupported scope applied to resource'));
    }
  }
  checkConflicts(errors, path, used, own);
}

const existsOnly =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";

function checkRequirement(errors: Errors, path: FieldPath, requirement: ScopedResourceSelectorRequirement): void {
  const { scopeName = '', operator = '', values = [] } = requirement;
  if (existing.includes(scopeName) && operator !== 'Exists') {
    errors.push(invalidValue(path.child('operator'), operator, existsOnly));
  }
  const at = path.child('values');
  if (operator === 'In' || operator === 'NotIn') {
    const text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
    if (values.length === 0) errors.push(required(at, text));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    const text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
    if (values.length > 0) errors.push(invalidValue(at, values, text));
  } else errors.push(invalidValue(path.child('operator'), operator, 'not a valid selector operator'));
}

function checkScopeSelector(errors: Errors, own: ResourceQuotaSpec): void {
  const requirements = own.scopeSelector?.matchExpressions ?? [];
  const path = spec.child('scopeSelector', 'matchExpressions');
  for (const requirement of requirements) {
    const { scopeName = '' } = requirement;
    if (!scopes.includes(scopeName)) {
      errors.push(invalidValue(path.child('scopeName'), scopeName, 'unsupported scope'));
    }
    for (const _ of misfits(own, scopeName)) {
      const shown = internalValue('core.ScopeSelector', own.scopeSelector);
      errors.push(invalidValue(path, shown, 'unsupported scope applied to resource'));
    }
    checkRequirement(errors, path, requirement);
  }
  checkConflicts(
    errors,
    path,
    requirements.map(each => each.scopeName),
    own,
  );
}

function validate(quota: ResourceQuota, old: ResourceQuota | null): FieldError[] {
  const errors: Errors = [];
  const own = quota.spec ?? {};
  checkAmounts(errors, spec.child('hard'), own.hard);
  checkScopes(errors, own);
  checkScopeSelector(errors, own);
  if (old) {
    const now = new Set(own.scopes ?? []);
    const before = new Set(old.spec?.scopes ?? []);
    if (now.size !== before.size || [...now].some(scope => !before.has(scope))) {
      errors.push(invalidValue(spec.child('scopes'), own.scopes ?? null, 'field is immutable'));
    }
  }
  return errors;
}

export const resourceQuotaRules: KindRules<ResourceQuota> = {
  defaults({ spec: own, status }) {
    roundResources(own?.hard);
    roundResources(status?.hard);
    roundResources(status?.used);
  },
  validate,
  validateStatus({ status }) {
    const errors: Errors = [];
    checkAmounts(errors, FieldPath.of('status', 'hard'), status?.hard);
    checkAmounts(errors, FieldPath.of('status', 'used'), status?.used);
    return errors;
  },
  allowUnconditionalUpdate: true,
};
