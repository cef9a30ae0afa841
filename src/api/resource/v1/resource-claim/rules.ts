/** ResourceClaims. Upstream: pkg/apis/resource/validation/validation.go, pkg/registry/resource/resourceclaim/strategy.go. */
import { FieldPath } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import { dropStatus, keepStatus } from '../../../strategies.ts';
import type { ResourceClaim } from '../../../types.ts';
import { checkImmutable, type Errors } from '../../../validation/common.ts';
import {
  checkAdminRequests,
  checkClaimSpec,
  claimDefaults,
  tolerationDefaults,
} from '../../../validation/device-claims.ts';
import { internalValue } from '../../../validation/internal-value.ts';
import { prepareClaimStatus, validateClaimStatus } from './status.ts';

const type = 'resource.ResourceClaimSpec';

export const resourceClaimRules: KindRules<ResourceClaim> = {
  defaults({ spec, status }) {
    claimDefaults(spec);
    for (const result of status?.allocation?.devices?.results ?? []) tolerationDefaults(result.tolerations);
  },
  prepareCreate: dropStatus,
  prepareUpdate: keepStatus,
  validate(now, before, { namespaceLabels }) {
    const errors: Errors = [];
    const path = FieldPath.of('spec');
    if (before) checkImmutable(errors, path, internalValue(type, now.spec), internalValue(type, before.spec));
    else {
      checkAdminRequests(errors, now.spec, namespaceLabels);
      checkClaimSpec(errors, path, now.spec);
    }
    return errors;
  },
  prepareStatus: prepareClaimStatus,
  validateStatus: validateClaimStatus,
};
