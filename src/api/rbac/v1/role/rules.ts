/** Roles. Upstream: pkg/registry/rbac/role/strategy.go. */
import { isPathSegmentName } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { Role } from '../../../types.ts';
import { policyRules } from '../../../validation/rbac.ts';

export const roleRules: KindRules<Role> = {
  validate: role => policyRules(role.rules, true),
  validateName: isPathSegmentName,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: true,
};
