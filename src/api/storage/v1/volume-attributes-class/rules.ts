/** VolumeAttributesClasses. Upstream: pkg/apis/storage/validation, pkg/registry/storage/volumeattributesclass. */
import { type FieldError, FieldPath, forbiddenField, semanticEqual } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { VolumeAttributesClass } from '../../../types.ts';
import type { Errors } from '../../../validation/common.ts';
import { checkParameters, checkProvisioner } from '../../../validation/storage-parameters.ts';

export const volumeAttributesClassRules: KindRules<VolumeAttributesClass> = {
  validate(attributes, old): FieldError[] {
    const errors: Errors = [];
    for (const name of ['driverName', 'parameters'] as const) {
      if (!old || semanticEqual(attributes[name], old[name])) continue;
      errors.push(forbiddenField(FieldPath.of(name), `updates to ${name} are forbidden.`));
    }
    checkProvisioner(errors, FieldPath.of('driverName'), attributes.driverName);
    checkParameters(errors, FieldPath.of('parameters'), attributes.parameters, false);
    return errors;
  },
  allowUnconditionalUpdate: true,
};
