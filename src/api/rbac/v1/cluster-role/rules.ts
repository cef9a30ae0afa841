/** ClusterRoles. Upstream: pkg/apis/rbac/validation, pkg/registry/rbac/clusterrole/strategy.go. */
import {
  append,
  FieldPath,
  invalidValue,
  isPathSegmentName,
  required,
  selectorHasInvalidLabelValue,
  validateLabelSelector,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { ClusterRole } from '../../../types.ts';
import { policyRules } from '../../../validation/rbac.ts';
import { parseSelector } from '../../../validation/workloads.ts';

const path = FieldPath.of('aggregationRule', 'clusterRoleSelectors');

export const clusterRoleRules: KindRules<ClusterRole> = {
  validate(role, old) {
    const errors = policyRules(role.rules, false);
    if (!role.aggregationRule) return errors;
    const { clusterRoleSelectors: selectors = [] } = role.aggregationRule;
    const before = old?.aggregationRule?.clusterRoleSelectors ?? [];
    const lenient = { allowInvalidLabelValueInSelector: before.some(selectorHasInvalidLabelValue) };
    if (selectors.length === 0) {
      const text = 'at least one clusterRoleSelector required if aggregationRule is non-nil';
      errors.push(required(path, text));
    }
    selectors.forEach((selector, i) => {
      append(errors, validateLabelSelector(selector, path.index(i), lenient));
      if (!parseSelector(selector)) errors.push(invalidValue(path.index(i), null, 'invalid label selector.'));
    });
    return errors;
  },
  validateName: isPathSegmentName,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: true,
};
