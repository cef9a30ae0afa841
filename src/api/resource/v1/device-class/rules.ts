/** DeviceClasses. Upstream: pkg/apis/resource/validation/validation.go, pkg/registry/resource/deviceclass/strategy.go. */
import { FieldPath, invalidValue, nameIsLongName, semanticEqual } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { DeviceClass } from '../../../types.ts';
import type { Errors } from '../../../validation/common.ts';
import { checkDeviceConfiguration, checkList, checkSelectors } from '../../../validation/devices.ts';
import { isExtendedResource } from '../../../validation/resources.ts';

export const deviceClassRules: KindRules<DeviceClass> = {
  generation: true,
  validateName: nameIsLongName,
  validate({ spec }, before) {
    const errors: Errors = [];
    const path = FieldPath.of('spec');
    // What stands there unchanged may be larger than what is written now.
    const stored = before !== null && semanticEqual(spec.config, before.spec.config);
    checkSelectors(errors, path.child('selectors'), spec.selectors);
    checkList(errors, path.child('config'), spec.config, 32, (config, at) => {
      checkDeviceConfiguration(errors, at, config, stored);
    });
    const name = spec.extendedResourceName;
    if (name !== undefined && !isExtendedResource(name)) {
      errors.push(invalidValue(path.child('extendedResourceName'), name, 'must be a valid extended resource name'));
    }
    return errors;
  },
};
