/** ControllerRevisions. Upstream: pkg/apis/apps/validation, pkg/registry/apps/controllerrevision/strategy.go. */
import { type FieldError, FieldPath, required } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { ControllerRevision } from '../../../types.ts';
import { checkImmutable, checkNonnegative, type Errors } from '../../../validation/common.ts';

const dataPath = FieldPath.of('data');

export const controllerRevisionRules: KindRules<ControllerRevision> = {
  validate(revision, old): FieldError[] {
    const errors: Errors = [];
    const data: unknown = revision.data;
    checkNonnegative(errors, FieldPath.of('revision'), Number(revision.revision ?? 0));
    if (old) checkImmutable(errors, dataPath, data, old.data);
    else if (data === undefined || data === null) errors.push(required(dataPath, 'data is mandatory'));
    else if (typeof data !== 'object' || Array.isArray(data)) {
      errors.push(required(dataPath, 'data must be a valid JSON object'));
    }
    return errors;
  },
  allowUnconditionalUpdate: true,
};
