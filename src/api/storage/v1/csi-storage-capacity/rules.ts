/** CSIStorageCapacities. Upstream: pkg/apis/storage/validation, pkg/registry/storage/csistoragecapacity. */
import {
  type FieldError,
  FieldPath,
  invalidValue,
  parseQuantity,
  selectorHasInvalidLabelValue,
  semanticEqual,
  validateLabelSelector,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { CSIStorageCapacity } from '../../../types.ts';
import { checkObjectName, type Errors } from '../../../validation/common.ts';

export const csiStorageCapacityRules: KindRules<CSIStorageCapacity> = {
  validate(capacity, old): FieldError[] {
    const errors: Errors = [];
    const { nodeTopology, storageClassName = '', capacity: amount } = capacity;
    const fixed = 'field is immutable';
    if (old) {
      if (!semanticEqual(nodeTopology, old.nodeTopology)) {
        errors.push(invalidValue(FieldPath.of('nodeTopology'), nodeTopology ?? null, fixed));
      }
      if (storageClassName !== (old.storageClassName ?? '')) {
        errors.push(invalidValue(FieldPath.of('storageClassName'), storageClassName, fixed));
      }
      return errors;
    }
    const lenient = { allowInvalidLabelValueInSelector: selectorHasInvalidLabelValue(undefined) };
    errors.push(...validateLabelSelector(nodeTopology, FieldPath.of('nodeTopology'), lenient));
    checkObjectName(errors, FieldPath.of('storageClassName'), storageClassName);
    if (amount !== undefined && parseQuantity(amount).sign < 0) {
      errors.push(invalidValue(FieldPath.of('capacity'), amount, 'must be greater than or equal to 0'));
    }
    return errors;
  },
  allowUnconditionalUpdate: false,
};
