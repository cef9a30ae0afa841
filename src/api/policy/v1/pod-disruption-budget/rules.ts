/** PodDisruptionBudgets. Upstream: pkg/apis/policy/validation, pkg/registry/policy/poddisruptionbudget/strategy.go. */
import {
  append,
  type FieldError,
  FieldPath,
  notSupported,
  selectorHasInvalidLabelValue,
  validateConditions,
  validateLabelSelector,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { PodDisruptionBudget } from '../../../types.ts';
import type { Errors } from '../../../validation/common.ts';
import { invalidInternal } from '../../../validation/internal-value.ts';
import { checkAtMostAll, checkIntOrPercent, statusCounts } from '../../../validation/workloads.ts';

const path = FieldPath.of('spec');

function validate({ spec = {} }: PodDisruptionBudget, old: PodDisruptionBudget | null): FieldError[] {
  const errors: Errors = [];
  if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
    const text = 'minAvailable and maxUnavailable cannot be both set';
    errors.push(invalidInternal(path, 'policy.PodDisruptionBudgetSpec', spec, text));
  }
  for (const name of ['minAvailable', 'maxUnavailable'] as const) {
    const value = spec[name];
    if (value === undefined) continue;
    checkIntOrPercent(errors, path.child(name), value);
    checkAtMostAll(errors, path.child(name), value);
  }
  const lenient = { allowInvalidLabelValueInSelector: selectorHasInvalidLabelValue(old?.spec?.selector) };
  append(errors, validateLabelSelector(spec.selector, path.child('selector'), lenient));
  const policy = spec.unhealthyPodEvictionPolicy;
  const policies = ['AlwaysAllow', 'IfHealthyBudget'];
  if (policy !== undefined && !policies.includes(policy)) {
    errors.push(notSupported(path.child('unhealthyPodEvictionPolicy'), policy, policies));
  }
  return errors;
}

export const podDisruptionBudgetRules: KindRules<PodDisruptionBudget> = {
  validate,
  validateStatus: ({ status }) => [
    ...validateConditions((status?.conditions ?? []) as never, FieldPath.of('status', 'conditions')),
    ...statusCounts(status, ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods']),
  ],
  metaOnStatus: [],
  generation: true,
  allowUnconditionalUpdate: false,
};
