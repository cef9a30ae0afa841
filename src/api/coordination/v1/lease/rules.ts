/** Leases. Upstream: pkg/apis/coordination/validation, pkg/registry/coordination/lease/strategy.go. */
import type { Draft } from '#apimachinery';
import { type FieldError, FieldPath, invalidValue } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { Lease } from '../../../types.ts';
import type { Errors } from '../../../validation/common.ts';

const path = FieldPath.of('spec');

/** Coordinated leader election is off. */
function dropDisabled({ spec }: Draft<Lease>): void {
  delete spec?.strategy;
  delete spec?.preferredHolder;
}

export const leaseRules: KindRules<Lease> = {
  prepareCreate: dropDisabled,
  prepareUpdate: dropDisabled,
  validate({ spec }): FieldError[] {
    const errors: Errors = [];
    const { leaseDurationSeconds: seconds, leaseTransitions: transitions } = spec ?? {};
    if (seconds !== undefined && seconds <= 0) {
      errors.push(invalidValue(path.child('leaseDurationSeconds'), seconds, 'must be greater than 0'));
    }
    if (transitions !== undefined && transitions < 0) {
      errors.push(invalidValue(path.child('leaseTransitions'), transitions, 'must be greater than or equal to 0'));
    }
    return errors;
  },
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
};
