/** ClusterRoleBindings. Upstream: pkg/registry/rbac/clusterrolebinding/strategy.go. */
import { isPathSegmentName } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { ClusterRoleBinding } from '../../../types.ts';
import { bindingDefaults, roleBinding } from '../../../validation/rbac.ts';

export const clusterRoleBindingRules: KindRules<ClusterRoleBinding> = {
  defaults: bindingDefaults,
  validate: (binding, old) => roleBinding(binding, old, false),
  validateName: isPathSegmentName,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: true,
};
