/** MutatingAdmissionPolicyBindings. Upstream: pkg/apis/admissionregistration, pkg/registry/admissionregistration. */
import { type FieldError, FieldPath, nameIsDNSSubdomain } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { MutatingAdmissionPolicyBinding } from '../../../types.ts';
import {
  checkMatchResources,
  checkMutableOperations,
  checkParamRef,
  matchResourcesDefaults,
} from '../../../validation/admission-rules.ts';
import { type Errors, refuseEach, requireText } from '../../../validation/common.ts';

const path = FieldPath.of('spec');

export const mutatingAdmissionPolicyBindingRules: KindRules<MutatingAdmissionPolicyBinding> = {
  defaults: ({ spec }) => matchResourcesDefaults(spec?.matchResources),
  validate({ spec = {} }): FieldError[] {
    const errors: Errors = [];
    if (requireText(errors, path.child('policyName'), spec.policyName)) {
      refuseEach(errors, path.child('policyName'), spec.policyName, nameIsDNSSubdomain(spec.policyName, false));
    }
    checkParamRef(errors, path.child('paramRef'), spec.paramRef);
    if (spec.matchResources) {
      checkMatchResources(errors, path.child('matchResources'), spec.matchResources);
      checkMutableOperations(errors, path.child('matchResources'), spec.matchResources);
    }
    return errors;
  },
  generation: true,
  allowUnconditionalUpdate: false,
};
