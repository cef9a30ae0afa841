/** ResourceClaimTemplates. Upstream: pkg/apis/resource/validation/validation.go, pkg/registry/resource/resourceclaimtemplate. */
import { FieldPath } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { ResourceClaimTemplate } from '../../../types.ts';
import { checkImmutable, type Errors } from '../../../validation/common.ts';
import { checkAdminRequests, checkClaimSpec, claimDefaults } from '../../../validation/device-claims.ts';
import { internalValue } from '../../../validation/internal-value.ts';
import { checkTemplateMetadata } from '../../../validation/template-metadata.ts';

const type = 'resource.ResourceClaimTemplateSpec';

export const resourceClaimTemplateRules: KindRules<ResourceClaimTemplate> = {
  defaults({ spec }) {
    claimDefaults(spec?.spec);
  },
  validate(now, before, { namespaceLabels }) {
    const errors: Errors = [];
    const path = FieldPath.of('spec');
    if (!before) checkAdminRequests(errors, now.spec.spec, namespaceLabels);
    checkTemplateMetadata(errors, path.child('metadata'), now.spec.metadata);
    checkClaimSpec(errors, path.child('spec'), now.spec.spec);
    if (before) checkImmutable(errors, path, internalValue(type, now.spec), internalValue(type, before.spec));
    return errors;
  },
};
