/** PriorityClasses. Upstream: pkg/apis/scheduling/{v1/defaults.go,validation}, pkg/registry/scheduling/priorityclass. */
import { type FieldError, FieldPath, forbiddenField } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { PriorityClass } from '../../../types.ts';
import { checkChoice, checkImmutable, type Errors } from '../../../validation/common.ts';

const system: Readonly<Record<string, number>> = {
  'system-node-critical': 2000001000,
  'system-cluster-critical': 2000000000,
};
const highest = 1000000000;

/** Why a class with a reserved name is not the system's own. */
function systemRefusal(name: string, value: number, isDefault: boolean): string | undefined {
  const known = system[name];
  if (known === undefined) return `${name} is not a known system priority class`;
  if (known !== value) return `value of ${name} PriorityClass must be ${known}`;
  return isDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}

function validate(priority: PriorityClass, old: PriorityClass | null): FieldError[] {
  const errors: Errors = [];
  const { value = 0, preemptionPolicy: policy, globalDefault = false } = priority;
  const { name = '' } = priority.metadata;
  const policyPath = FieldPath.of('preemptionPolicy');
  if (old) {
    if (value !== (old.value ?? 0))
      errors.push(forbiddenField(FieldPath.of('value'), 'may not be changed in an update.'));
    checkImmutable(errors, policyPath, policy, old.preemptionPolicy);
    return errors;
  }
  if (name.startsWith('system-')) {
    const refusal = systemRefusal(name, value, globalDefault);
    const text = `priority class names with 'system-' prefix are reserved for system use only. error: ${refusal}`;
    if (refusal) errors.push(forbiddenField(FieldPath.of('metadata', 'name'), text));
  } else if (value > highest) {
    const text = `maximum allowed value of a user defined priority is ${highest}`;
    errors.push(forbiddenField(FieldPath.of('value'), text));
  }
  if (policy !== undefined) checkChoice(errors, policyPath, policy, ['PreemptLowerPriority', 'Never']);
  return errors;
}

export const priorityClassRules: KindRules<PriorityClass> = {
  defaults(draft) {
    draft.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  validate,
  keeps: name => (Object.hasOwn(system, name) ? 'this is a system priority class and cannot be deleted' : undefined),
  generation: { changed: () => false },
  allowUnconditionalUpdate: true,
};
