/** VolumeAttachments. Upstream: pkg/apis/storage/validation, pkg/registry/storage/volumeattachment/strategy.go. */
import { byteLength, type FieldError, FieldPath, forbiddenField, required, tooLong } from '#apimachinery';
import { roundResources } from '../../../defaulting.ts';
import type { KindRules } from '../../../kind.ts';
import type { VolumeAttachment } from '../../../types.ts';
import { checkImmutable, checkObjectName, type Errors } from '../../../validation/common.ts';
import { internalValue } from '../../../validation/internal-value.ts';
import { checkVolumeSpec } from '../../../validation/persistent-volumes.ts';
import { checkCSIDriverName } from '../../../validation/volume-sources.ts';

const path = FieldPath.of('spec');

function checkSource(errors: Errors, at: FieldPath, source: VolumeAttachment['spec']['source']): void {
  const { persistentVolumeName: name, inlineVolumeSpec: inline } = source ?? {};
  const one = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (inline === undefined && name === undefined) errors.push(required(at, one));
  else if (inline !== undefined && name !== undefined) errors.push(forbiddenField(at, one));
  else if (name === '') {
    errors.push(required(at.child('persistentVolumeName'), 'must specify non empty persistentVolumeName'));
  } else if (inline) checkVolumeSpec(errors, at.child('inlineVolumeSpec'), inline, { volumeName: '', inline: true });
}

function validate(attachment: VolumeAttachment, old: VolumeAttachment | null): FieldError[] {
  const errors: Errors = [];
  const { spec, status } = attachment;
  checkCSIDriverName(errors, path.child('attacher'), spec.attacher);
  checkSource(errors, path.child('source'), spec.source);
  checkObjectName(errors, path.child('nodeName'), spec.nodeName ?? '');
  for (const name of ['attachError', 'detachError'] as const) {
    if (byteLength(status?.[name]?.message ?? '') > 1024) {
      errors.push(tooLong(FieldPath.of('status', name, 'message'), 256 * 1024));
    }
  }
  const volume = spec.source?.persistentVolumeName;
  if (!old && volume !== undefined) checkObjectName(errors, FieldPath.of('spec.source.persistentVolumeName'), volume);
  const type = 'storage.VolumeAttachmentSpec';
  if (old) checkImmutable(errors, path, internalValue(type, spec), internalValue(type, old.spec));
  return errors;
}

export const volumeAttachmentRules: KindRules<VolumeAttachment> = {
  defaults({ spec }) {
    const inline = spec.source?.inlineVolumeSpec;
    if (!inline) return;
    roundResources(inline.capacity);
    if (inline.hostPath) inline.hostPath.type ??= '';
  },
  validate,
  allowUnconditionalUpdate: false,
};
