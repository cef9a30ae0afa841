/** ClusterRoleBindings. Upstream: pkg/registry/rbac/clusterrolebinding/strategy.go. */
import { isPathSegmentName } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { ClusterRoleBinding } from '../../../types.ts';
import { bindingDefaults, roleBinding, roleBindingChange } from '../../../validation/rbac.ts';

export const clusterRoleBindingRules: KindRules<ClusterRoleBinding> = {
  defaults: bindingDefaults,
  validate: binding => roleBinding(binding, false),
  validateChange: roleBindingChange,
  validateName: isPathSegmentName,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: true,
};
