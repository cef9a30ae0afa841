/** RuntimeClasses. Upstream: pkg/apis/node/validation, pkg/registry/node/runtimeclass/strategy.go. */
import { append, duplicate, type FieldError, FieldPath, nameIsDNSLabel, validateLabels } from '#apimachinery';
import { roundResources } from '../../../defaulting.ts';
import type { KindRules } from '../../../kind.ts';
import type { RuntimeClass, Toleration } from '../../../types.ts';
import { checkImmutable, type Errors, refuseEach, requireText } from '../../../validation/common.ts';
import { internalValue } from '../../../validation/internal-value.ts';
import { checkContainerResources } from '../../../validation/resources.ts';
import { checkTolerations } from '../../../validation/scheduling.ts';

const handlerPath = FieldPath.of('handler');

function checkUnique(errors: Errors, path: FieldPath, tolerations: readonly Toleration[]): void {
  const seen = new Set<string>();
  tolerations.forEach((toleration, i) => {
    const { key, operator, value, effect } = toleration;
    const identity = JSON.stringify([key, operator, value, effect]);
    if (seen.has(identity)) errors.push(duplicate(path.index(i), internalValue('core.Toleration', toleration)));
    seen.add(identity);
  });
}

function validate(runtime: RuntimeClass, old: RuntimeClass | null): FieldError[] {
  const errors: Errors = [];
  const { handler = '', overhead, scheduling } = runtime;
  if (requireText(errors, handlerPath, handler))
    refuseEach(errors, handlerPath, handler, nameIsDNSLabel(handler, false));
  if (overhead) checkContainerResources(errors, FieldPath.of('overhead'), { limits: overhead.podFixed ?? {} });
  if (scheduling) {
    const at = FieldPath.of('scheduling');
    append(errors, validateLabels(scheduling.nodeSelector, at.child('nodeSelector')));
    checkTolerations(errors, at.child('tolerations'), scheduling.tolerations);
    checkUnique(errors, at.child('tolerations'), scheduling.tolerations ?? []);
  }
  if (old) checkImmutable(errors, handlerPath, handler, old.handler ?? '');
  return errors;
}

export const runtimeClassRules: KindRules<RuntimeClass> = {
  defaults: ({ overhead }) => roundResources(overhead?.podFixed),
  validate,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
};
