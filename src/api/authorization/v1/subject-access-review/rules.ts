/**
 * Access reviews: what is asked must be one thing. They are answered, never stored.
 * Upstream: pkg/apis/authorization/validation/validation.go.
 */
import {
  append,
  type FieldError,
  FieldPath,
  invalidValue,
  isLabelKey,
  type ObjectMeta,
  required,
  validateLabelSelectorRequirement,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type {
  FieldSelectorAttributes,
  LabelSelectorAttributes,
  LocalSubjectAccessReview,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SubjectAccessReview,
} from '../../../types.ts';
import type { Errors } from '../../../validation/common.ts';
import { internalValue } from '../../../validation/internal-value.ts';

const path = FieldPath.of('spec');

interface Asked {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: { readonly path?: string; readonly verb?: string };
}

function checkRaw(errors: Errors, at: FieldPath, raw: string, count: number): void {
  const text = 'may not specified at the same time as requirements';
  if (raw && count > 0) errors.push(invalidValue(at.child('rawSelector'), raw, text));
  if (!raw && count === 0) {
    errors.push(required(at.child('requirements'), `when ${at} is specified, requirements or rawSelector is required`));
  }
}

function checkFields(errors: Errors, at: FieldPath, selector: FieldSelectorAttributes): void {
  const { rawSelector = '', requirements = [] } = selector;
  checkRaw(errors, at, rawSelector, requirements.length);
  requirements.forEach(({ key = '', operator = '', values = [] }, i) => {
    const own = at.child('requirements').index(i);
    const valuesPath = own.child('values');
    if (operator === 'In' || operator === 'NotIn') {
      const text = "must be specified when `operator` is 'In' or 'NotIn'";
      if (values.length === 0) errors.push(required(valuesPath, text));
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      const text = "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
      if (values.length > 0) errors.push({ type: 'FieldValueForbidden', field: valuesPath.toString(), body: text });
    }
    if (key === '') errors.push(required(own.child('key'), 'must be specified'));
  });
}

function checkLabels(errors: Errors, at: FieldPath, selector: LabelSelectorAttributes): void {
  const { rawSelector = '', requirements = [] } = selector;
  checkRaw(errors, at, rawSelector, requirements.length);
  requirements.forEach((requirement, i) => {
    const lenient = { allowUnknownOperatorInRequirement: true };
    append(errors, validateLabelSelectorRequirement(requirement, at.child('requirements').index(i), lenient));
  });
}

function checkAsked(errors: Errors, spec: Asked): void {
  const { resourceAttributes: resource, nonResourceAttributes: url } = spec;
  const shown = internalValue('authorization.NonResourceAttributes', url);
  if (resource && url) {
    const text = 'cannot be specified in combination with resourceAttributes';
    errors.push(invalidValue(path.child('nonResourceAttributes'), shown, text));
  }
  if (!resource && !url) {
    const text = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    errors.push(invalidValue(path.child('resourceAttributes'), shown, text));
  }
}

function checkSelectors(errors: Errors, resource: ResourceAttributes | undefined): void {
  const at = FieldPath.of('spec.resourceAttributes');
  if (resource?.fieldSelector) checkFields(errors, at.child('fieldSelector'), resource.fieldSelector);
  if (resource?.labelSelector) checkLabels(errors, at.child('labelSelector'), resource.labelSelector);
}

function checkMeta(errors: Errors, metadata: ObjectMeta, allowed: readonly string[], text: string): void {
  const { managedFields: _, ...rest } = metadata ?? {};
  const entries = Object.entries(rest).filter(
    ([name, value]) => !allowed.includes(name) && value !== '' && value !== null,
  );
  if (entries.length > 0) errors.push(invalidValue(FieldPath.of('metadata'), rest, text));
}

function reviewErrors(review: SubjectAccessReview | LocalSubjectAccessReview): Errors {
  const errors: Errors = [];
  const spec = review.spec ?? {};
  checkAsked(errors, spec);
  if (!spec.user && !spec.groups?.length) {
    errors.push(invalidValue(path.child('user'), spec.user ?? '', 'at least one of user or group must be specified'));
  }
  checkSelectors(errors, spec.resourceAttributes);
  return errors;
}

export const subjectAccessReviewRules: KindRules<SubjectAccessReview> = {
  validate(review): FieldError[] {
    const errors = reviewErrors(review);
    checkMeta(errors, review.metadata, [], 'must be empty');
    return errors;
  },
};

export const selfSubjectAccessReviewRules: KindRules<SelfSubjectAccessReview> = {
  validate(review): FieldError[] {
    const errors: Errors = [];
    checkAsked(errors, review.spec ?? {});
    checkSelectors(errors, review.spec?.resourceAttributes);
    checkMeta(errors, review.metadata, [], 'must be empty');
    return errors;
  },
};

export const localSubjectAccessReviewRules: KindRules<LocalSubjectAccessReview> = {
  validate(review): FieldError[] {
    const errors = reviewErrors(review);
    checkMeta(errors, review.metadata, ['namespace'], 'must be empty except for namespace');
    const { resourceAttributes: resource, nonResourceAttributes: url } = review.spec ?? {};
    const namespace = resource?.namespace ?? '';
    if (resource && namespace !== (review.metadata.namespace ?? '')) {
      const at = FieldPath.of('spec.resourceAttributes.namespace');
      errors.push(invalidValue(at, namespace, 'must match metadata.namespace'));
    }
    if (url) {
      const shown = internalValue('authorization.NonResourceAttributes', url);
      const at = FieldPath.of('spec.nonResourceAttributes');
      errors.push(invalidValue(at, shown, 'disallowed on this kind of request'));
    }
    return errors;
  },
};

export { isLabelKey };
