/** Conditions of flow schemas and priority levels. Upstream: pkg/apis/flowcontrol/validation/validation.go. */
import { duplicate, type FieldError, FieldPath, required } from '#apimachinery';

/** Every condition has a type of its own. */
export function checkConditionTypes(conditions: readonly { readonly type?: string }[] = []): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  conditions.forEach(({ type = '' }, i) => {
    const at = FieldPath.of('status', 'conditions').index(i).child('type');
    if (seen.has(type)) errors.push(duplicate(at, type));
    if (type === '') errors.push(required(at));
    seen.add(type);
  });
  return errors;
}
