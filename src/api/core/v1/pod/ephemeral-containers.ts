/**
 * Writes to a Pod's `/ephemeralcontainers`, which adds containers and does nothing else. Upstream:
 * pkg/registry/core/pod/strategy.go, pkg/apis/core/validation (ValidatePodEphemeralContainersUpdate).
 */
import { type Draft, FieldPath, forbiddenField, goQuote } from '#apimachinery';
import type { SubresourceRules } from '../../../kind.ts';
import { keepField, keepMetadata } from '../../../strategies.ts';
import type { Pod, PodSpec } from '../../../types.ts';
import type { Errors } from '../../../validation/common.ts';
import { internalEqual, internalText } from '../../../validation/internal-value.ts';
import { mirrorAnnotation } from '../../../validation/pod-templates.ts';
import { checkAnnotationUpdates, checkPod } from '../../../validation/pods.ts';
import { unifiedDiff } from '../../../validation/unified-diff.ts';
import { dropDisabledPodFields } from './prepare.ts';

const type = 'core.EphemeralContainer';
const path = FieldPath.of('spec', 'ephemeralContainers');

function checkKept(errors: Errors, now: PodSpec, old: PodSpec): void {
  const byName = new Map((now.ephemeralContainers ?? []).map(container => [container.name, container]));
  for (const before of old.ephemeralContainers ?? []) {
    const subject = `existing ephemeral containers ${goQuote(before.name ?? '')}`;
    const container = byName.get(before.name);
    if (!container) errors.push(forbiddenField(path, `${subject} may not be removed\n`));
    else if (!internalEqual(type, before, container)) {
      const diff = unifiedDiff(internalText(type, before), internalText(type, container));
      errors.push(forbiddenField(path, `${subject} may not be changed\n${diff}`));
    }
  }
}

export const podEphemeralContainers: SubresourceRules<Pod> = {
  metaOnUpdate: ['change', 'full'],
  prepare(draft, old) {
    const { ephemeralContainers } = draft.spec;
    draft.spec = structuredClone(old.spec) as Draft<PodSpec>;
    if (ephemeralContainers) draft.spec.ephemeralContainers = ephemeralContainers;
    else delete draft.spec.ephemeralContainers;
    keepField(draft, old, 'status');
    keepMetadata(draft, old);
    dropDisabledPodFields(draft.spec, old.spec);
  },
  validate(pod, old, context) {
    const errors: Errors = [];
    checkPod(errors, pod, old, context);
    checkAnnotationUpdates(errors, pod, old);
    if (old.metadata.annotations?.[mirrorAnnotation] !== undefined) {
      const text = 'static pods do not support ephemeral containers';
      return [{ ...forbiddenField(FieldPath.root, text), field: '[]' }];
    }
    checkKept(errors, pod.spec, old.spec);
    return errors;
  },
};
