/** ValidatingAdmissionPolicyBindings. Upstream: pkg/apis/admissionregistration, pkg/registry/admissionregistration. */
import {
  duplicate,
  type FieldError,
  FieldPath,
  invalidValue,
  nameIsDNSSubdomain,
  notSupported,
  required,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { ValidatingAdmissionPolicyBinding } from '../../../types.ts';
import { checkMatchResources, checkParamRef, matchResourcesDefaults } from '../../../validation/admission-rules.ts';
import { type Errors, refuseEach, requireText } from '../../../validation/common.ts';

const path = FieldPath.of('spec');
const supported = ['Audit', 'Deny', 'Warn'];
const both =
  'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';

function checkActions(errors: Errors, at: FieldPath, actions: readonly string[]): void {
  actions.forEach((action, i) => {
    if (!supported.includes(action)) errors.push(notSupported(at.index(i), action, supported));
    if (actions.indexOf(action) < i) errors.push(duplicate(at.index(i), action));
  });
  if (actions.includes('Deny') && actions.includes('Warn')) errors.push(invalidValue(at, actions, both));
  if (actions.length === 0) errors.push(required(at, 'at least one validation action is required'));
}

function validate({ spec }: ValidatingAdmissionPolicyBinding): FieldError[] {
  const errors: Errors = [];
  if (requireText(errors, path.child('policyName'), spec.policyName)) {
    refuseEach(errors, path.child('policyName'), spec.policyName, nameIsDNSSubdomain(spec.policyName, false));
  }
  checkParamRef(errors, path.child('paramRef'), spec.paramRef);
  if (spec.matchResources) checkMatchResources(errors, path.child('matchResources'), spec.matchResources);
  checkActions(errors, path.child('validationActions'), spec.validationActions ?? []);
  return errors;
}

export const validatingAdmissionPolicyBindingRules: KindRules<ValidatingAdmissionPolicyBinding> = {
  defaults: ({ spec }) => matchResourcesDefaults(spec?.matchResources),
  validate,
  generation: true,
  allowUnconditionalUpdate: false,
};
