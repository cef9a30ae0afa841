/** VolumeAttachments. Upstream: pkg/apis/storage/validation, pkg/registry/storage/volumeattachment/strategy.go. */
import {
  byteLength,
  type FieldError,
  FieldPath,
  forbiddenField,
  inclusiveRangeError,
  invalidValue,
  required,
  tooLong,
} from '#apimachinery';
import { volumeSourceDefaults } from '../../../core/v1/persistent-volume/rules.ts';
import { roundResources } from '../../../defaulting.ts';
import type { KindRules } from '../../../kind.ts';
import { keepAllButStatus } from '../../../strategies.ts';
import type { VolumeAttachment } from '../../../types.ts';
import { checkImmutable, checkObjectName, type Errors, maxInt32 } from '../../../validation/common.ts';
import { internalValue } from '../../../validation/internal-value.ts';
import { checkVolumeSpec } from '../../../validation/persistent-volumes.ts';
import { checkCSIDriverName } from '../../../validation/volume-sources.ts';

const path = FieldPath.of('spec');
const maxMetadataBytes = 256 * 1024;
const maxMessageBytes = 1024;

function checkSource(errors: Errors, at: FieldPath, source: VolumeAttachment['spec']['source']): void {
  const { persistentVolumeName: name, inlineVolumeSpec: inline } = source ?? {};
  const one = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (inline === undefined && name === undefined) errors.push(required(at, one));
  else if (inline !== undefined && name !== undefined) errors.push(forbiddenField(at, one));
  else if (name === '') {
    errors.push(required(at.child('persistentVolumeName'), 'must specify non empty persistentVolumeName'));
  } else if (inline) checkVolumeSpec(errors, at.child('inlineVolumeSpec'), inline, { volumeName: '', inline: true });
}

function checkStatus(errors: Errors, at: FieldPath, status: VolumeAttachment['status']): void {
  let size = 0;
  for (const [key, value] of Object.entries(status?.attachmentMetadata ?? {}))
    size += byteLength(key) + byteLength(value);
  if (size > maxMetadataBytes) errors.push(tooLong(at.child('attachmentMetadata'), maxMetadataBytes));
  for (const name of ['attachError', 'detachError'] as const) {
    const { message = '', errorCode = 0 } = status?.[name] ?? {};
    // Upstream names the larger limit here.
    if (byteLength(message) > maxMessageBytes) errors.push(tooLong(at.child(name, 'message'), maxMetadataBytes));
    if (errorCode < 0) {
      errors.push(invalidValue(at.child(name, 'errorCode'), errorCode, inclusiveRangeError(0, maxInt32)));
    }
  }
}

function validate(attachment: VolumeAttachment, old: VolumeAttachment | null): FieldError[] {
  const errors: Errors = [];
  const { spec, status } = attachment;
  checkCSIDriverName(errors, path.child('attacher'), spec.attacher);
  checkSource(errors, path.child('source'), spec.source);
  checkObjectName(errors, path.child('nodeName'), spec.nodeName ?? '');
  checkStatus(errors, FieldPath.of('status'), status);
  const volume = spec.source?.persistentVolumeName;
  if (volume !== undefined) checkObjectName(errors, FieldPath.of('spec.source.persistentVolumeName'), volume);
  const type = 'storage.VolumeAttachmentSpec';
  if (old) checkImmutable(errors, path, internalValue(type, spec), internalValue(type, old.spec));
  return errors;
}

export const volumeAttachmentRules: KindRules<VolumeAttachment> = {
  defaults({ spec }) {
    const inline = spec.source?.inlineVolumeSpec;
    if (!inline) return;
    roundResources(inline.capacity);
    volumeSourceDefaults(inline);
  },
  validate,
  metaOnUpdate: ['full'],
  validateStatus: validate,
  metaOnStatus: ['full'],
  prepareStatus: keepAllButStatus,
  allowUnconditionalUpdate: false,
};
