/**
 * ResourceClaims and their templates. Upstream: pkg/apis/resource/v1/defaults.go, pkg/registry/resource.
 * Deviation: of validation only the unchanging spec is checked; requests, constraints and status are not.
 */
import { type Draft, FieldPath } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import { dropStatus, keepSpec, keepStatus } from '../../../strategies.ts';
import type { ResourceClaim, ResourceClaimTemplate } from '../../../types.ts';
import { checkImmutable, type Errors } from '../../../validation/common.ts';

function countDefaults(request: { allocationMode?: string; count?: number }): void {
  request.allocationMode ||= 'ExactCount';
  if (request.allocationMode === 'ExactCount') request.count ||= 1;
}

function specDefaults(spec: Draft<ResourceClaim>['spec'] | undefined): void {
  for (const request of spec?.devices?.requests ?? []) {
    if (request.exactly) countDefaults(request.exactly);
    for (const sub of request.firstAvailable ?? []) countDefaults(sub);
  }
}

export const resourceClaimRules: KindRules<ResourceClaim> = {
  defaults({ spec }) {
    specDefaults(spec);
  },
  prepareCreate: dropStatus,
  prepareUpdate: keepStatus,
  prepareStatus: keepSpec,
  validate(now, before) {
    const errors: Errors = [];
    if (before) checkImmutable(errors, FieldPath.of('spec'), now.spec, before.spec);
    return errors;
  },
};

export const resourceClaimTemplateRules: KindRules<ResourceClaimTemplate> = {
  defaults({ spec }) {
    specDefaults(spec?.spec);
  },
  validate(now, before) {
    const errors: Errors = [];
    if (before) checkImmutable(errors, FieldPath.of('spec'), now.spec, before.spec);
    return errors;
  },
};
