/** RoleBindings. Upstream: pkg/registry/rbac/rolebinding/strategy.go. */
import { isPathSegmentName } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { RoleBinding } from '../../../types.ts';
import { bindingDefaults, roleBinding } from '../../../validation/rbac.ts';

export const roleBindingRules: KindRules<RoleBinding> = {
  defaults: bindingDefaults,
  validate: (binding, old) => roleBinding(binding, old, true),
  validateName: isPathSegmentName,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: true,
};
