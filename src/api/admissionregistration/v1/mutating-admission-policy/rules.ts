/** MutatingAdmissionPolicies. Upstream: pkg/apis/admissionregistration, pkg/registry/admissionregistration. */
import { type FieldError, FieldPath, invalidValue, required } from '#apimachinery';
import { resultTypes } from '../../../expressions/index.ts';
import type { KindRules } from '../../../kind.ts';
import type { MutatingAdmissionPolicy, Mutation } from '../../../types.ts';
import {
  checkCompiled,
  checkMutableOperations,
  checkPolicy,
  type PolicyExpressions,
  policyDefaults,
} from '../../../validation/admission-rules.ts';
import { checkChoice, type Errors } from '../../../validation/common.ts';

const path = FieldPath.of('spec');
const fields = { JSONPatch: 'jsonPatch', ApplyConfiguration: 'applyConfiguration' } as const;

function checkMutation(
  errors: Errors,
  at: FieldPath,
  mutation: Mutation,
  { compiler, params }: PolicyExpressions,
): void {
  const { patchType } = mutation;
  if (patchType !== 'JSONPatch' && patchType !== 'ApplyConfiguration') {
    checkChoice(errors, at.child('patchType'), patchType, ['ApplyConfiguration', 'JSONPatch']);
    return;
  }
  const name = fields[patchType];
  const other = patchType === 'JSONPatch' ? 'applyConfiguration' : 'jsonPatch';
  const own = mutation[name];
  if (!own) errors.push(required(at.child(name), `must be specified when patchType is ${patchType}`));
  else {
    const text = own.expression?.trim() ?? '';
    const where = at.child(name, 'expression');
    const variables = { params, authorizer: true, patchTypes: true };
    if (text === '') errors.push(required(where));
    else checkCompiled(errors, where, text, compiler.compile(text, variables, resultTypes[name]));
  }
  if (mutation[other]) {
    const text = `must not be specified when patchType is ${patchType}`;
    errors.push(invalidValue(at.child(other), `{${other}}`, text));
  }
}

function validate(policy: MutatingAdmissionPolicy, old: MutatingAdmissionPolicy | null): FieldError[] {
  const errors: Errors = [];
  const spec = policy.spec ?? {};
  const expressions = checkPolicy(errors, spec, old?.spec, true, checkMutableOperations);
  const { mutations = [] } = spec;
  if (mutations.length === 0)
    errors.push(required(path.child('mutations'), 'mutations must contain at least one item'));
  mutations.forEach((mutation, i) => {
    checkMutation(errors, path.child('mutations').index(i), mutation, expressions);
  });
  checkChoice(errors, path.child('reinvocationPolicy'), spec.reinvocationPolicy, ['IfNeeded', 'Never']);
  return errors;
}

export const mutatingAdmissionPolicyRules: KindRules<MutatingAdmissionPolicy> = {
  defaults: policyDefaults,
  validate,
  generation: true,
  allowUnconditionalUpdate: false,
};
