/** Metadata of what is made from a template: labels and annotations only. Upstream: ValidateTemplateObjectMeta. */
import {
  append,
  type FieldPath,
  forbiddenField,
  type ObjectMeta,
  validateAnnotations,
  validateLabels,
} from '#apimachinery';
import type { Errors } from './common.ts';

/** In the order in which Go has them, by what refusals call them. */
const others: readonly (readonly [keyof ObjectMeta, string])[] = [
  ...(['name', 'generateName', 'namespace', 'selfLink'] as const).map(name => [name, name] as const),
  ['uid', 'uID'],
  ...(['resourceVersion', 'generation', 'creationTimestamp', 'deletionTimestamp'] as const).map(
    name => [name, name] as const,
  ),
  ...(['deletionGracePeriodSeconds', 'ownerReferences', 'finalizers', 'managedFields'] as const).map(
    name => [name, name] as const,
  ),
];

export function checkTemplateMetadata(errors: Errors, path: FieldPath, metadata: ObjectMeta | undefined): void {
  append(errors, validateAnnotations(metadata?.annotations, path.child('annotations')));
  append(errors, validateLabels(metadata?.labels, path.child('labels')));
  for (const [name, shown] of others) {
    const value = metadata?.[name];
    // A grace period is a pointer in Go: zero is one.
    const isNone = name !== 'deletionGracePeriodSeconds' && (value === '' || value === 0);
    if (value === undefined || value === null || isNone) continue;
    errors.push(forbiddenField(path.child(shown), 'cannot be set'));
  }
}
