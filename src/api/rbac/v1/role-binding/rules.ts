/** RoleBindings. Upstream: pkg/registry/rbac/rolebinding/strategy.go. */
import { isPathSegmentName } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { RoleBinding } from '../../../types.ts';
import { bindingDefaults, roleBinding, roleBindingChange } from '../../../validation/rbac.ts';

export const roleBindingRules: KindRules<RoleBinding> = {
  defaults: bindingDefaults,
  validate: binding => roleBinding(binding, true),
  validateChange: roleBindingChange,
  validateName: isPathSegmentName,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: true,
};
