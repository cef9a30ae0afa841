/** CSIStorageCapacities. Upstream: pkg/apis/storage/validation, pkg/registry/storage/csistoragecapacity. */
import {
  append,
  type FieldError,
  FieldPath,
  invalidValue,
  parseQuantity,
  selectorHasInvalidLabelValue,
  validateLabelSelector,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { CSIStorageCapacity } from '../../../types.ts';
import { checkImmutable, checkObjectName, type Errors } from '../../../validation/common.ts';
import { shownSelector } from '../../../validation/internal-value.ts';

export const csiStorageCapacityRules: KindRules<CSIStorageCapacity> = {
  validate(capacity, old): FieldError[] {
    const errors: Errors = [];
    const { nodeTopology, storageClassName = '', capacity: amount } = capacity;
    const lenient = { allowInvalidLabelValueInSelector: selectorHasInvalidLabelValue(old?.nodeTopology) };
    append(errors, validateLabelSelector(nodeTopology, FieldPath.of('nodeTopology'), lenient));
    checkObjectName(errors, FieldPath.of('storageClassName'), storageClassName);
    if (amount !== undefined && parseQuantity(amount).sign < 0) {
      errors.push(invalidValue(FieldPath.of('capacity'), amount, 'must be greater than or equal to 0'));
    }
    if (old) {
      const topology = FieldPath.of('nodeTopology');
      checkImmutable(errors, topology, shownSelector(nodeTopology), shownSelector(old.nodeTopology));
      checkImmutable(errors, FieldPath.of('storageClassName'), storageClassName, old.storageClassName ?? '');
    }
    return errors;
  },
  allowUnconditionalUpdate: false,
};
