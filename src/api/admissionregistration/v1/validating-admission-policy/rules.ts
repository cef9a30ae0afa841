/** ValidatingAdmissionPolicies. Upstream: pkg/apis/admissionregistration, pkg/registry/admissionregistration. */
import {
  append,
  byteLength,
  duplicate,
  type FieldError,
  FieldPath,
  invalidValue,
  notSupported,
  required,
  validateConditions,
} from '#apimachinery';
import { JsonPathError, parseJsonPath } from '../../../columns/json-path.ts';
import { resultTypes } from '../../../expressions/index.ts';
import type { KindRules } from '../../../kind.ts';
import { keepAllButStatus } from '../../../strategies.ts';
import type { AuditAnnotation, ValidatingAdmissionPolicy, Validation } from '../../../types.ts';
import {
  checkCompiled,
  checkPolicy,
  type PolicyExpressions,
  policyDefaults,
} from '../../../validation/admission-rules.ts';
import { checkQualifiedName, type Errors, requireText } from '../../../validation/common.ts';
import { internalList } from '../../../validation/internal-value.ts';

const path = FieldPath.of('spec');
const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];

function checkValidation(
  errors: Errors,
  at: FieldPath,
  validation: Validation,
  { compiler, params }: PolicyExpressions,
): void {
  const { expression = '', message = '', messageExpression = '', reason } = validation;
  if (expression.trim() === '') errors.push(required(at.child('expression'), 'expression is not specified'));
  else {
    const compiled = compiler.compile(expression, { params, authorizer: true }, resultTypes.condition);
    checkCompiled(errors, at.child('expression'), expression, compiled);
  }
  const empty = 'must be non-empty if specified';
  if (messageExpression.trim() !== '') {
    const compiled = compiler.compile(messageExpression, { params, authorizer: false }, resultTypes.message);
    checkCompiled(errors, at.child('messageExpression'), messageExpression, compiled);
  } else if (messageExpression !== '') {
    errors.push(invalidValue(at.child('messageExpression'), messageExpression, empty));
  }
  if (message && message.trim() === '') errors.push(invalidValue(at.child('message'), message, empty));
  else if (/[\n\r]/.test(message.trim())) {
    errors.push(invalidValue(at.child('message'), message, 'must not contain line breaks'));
  }
  if (reason !== undefined && !reasons.includes(reason)) errors.push(notSupported(at.child('reason'), reason, reasons));
}

function checkAnnotation(
  errors: Errors,
  at: FieldPath,
  annotation: AuditAnnotation,
  policyName: string,
  { compiler, params }: PolicyExpressions,
): void {
  const { key = '', valueExpression = '' } = annotation;
  if (policyName) checkQualifiedName(errors, at.child('key'), `${policyName}/${key}`);
  else errors.push(invalidValue(at.child('key'), key, 'requires metadata.name be non-empty'));
  const trimmed = valueExpression.trim();
  if (trimmed === '') errors.push(required(at.child('valueExpression'), 'valueExpression is not specified'));
  else if (byteLength(trimmed) > 5 * 1024) {
    errors.push(required(at.child('valueExpression'), 'must not exceed 5120 bytes in length'));
  } else {
    const compiled = compiler.compile(trimmed, { params, authorizer: true }, resultTypes.auditAnnotation);
    checkCompiled(errors, at.child('valueExpression'), valueExpression, compiled);
  }
}

function validate(policy: ValidatingAdmissionPolicy, old: ValidatingAdmissionPolicy | null): FieldError[] {
  const errors: Errors = [];
  const spec = policy.spec ?? {};
  const expressions = checkPolicy(errors, spec, old?.spec, (spec.variables?.length ?? 0) > 0);
  const { validations = [], auditAnnotations = [] } = spec;
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const text = 'validations or auditAnnotations must contain at least one item';
    errors.push(required(path.child('validations'), text), required(path.child('auditAnnotations'), text));
    return errors;
  }
  validations.forEach((validation, i) => {
    checkValidation(errors, path.child('validations').index(i), validation, expressions);
  });
  const at = path.child('auditAnnotations');
  if (auditAnnotations.length > 20) {
    const shown = internalList('admissionregistration.AuditAnnotation', auditAnnotations);
    errors.push(invalidValue(at, shown, 'must not have more than 20 auditAnnotations'));
  }
  const keys = new Set<string>();
  auditAnnotations.forEach((annotation, i) => {
    const { key = '' } = annotation;
    checkAnnotation(errors, at.index(i), annotation, policy.metadata.name ?? '', expressions);
    if (keys.has(key)) errors.push(duplicate(at.index(i).child('key'), key));
    keys.add(key);
  });
  return errors;
}

/** What type checking found, and conditions. */
function validateStatus({ status }: ValidatingAdmissionPolicy): FieldError[] {
  const errors: Errors = [];
  const at = FieldPath.of('status');
  status?.typeChecking?.expressionWarnings?.forEach(({ warning, fieldRef = '' }, i) => {
    const own = at.child('typeChecking', 'expressionWarnings').index(i);
    requireText(errors, own.child('warning'), warning);
    const text = fieldRef.trim();
    if (!requireText(errors, own.child('fieldRef'), text)) return;
    try {
      parseJsonPath(text);
    } catch (error) {
      if (!(error instanceof JsonPathError)) throw error;
      errors.push(invalidValue(own.child('fieldRef'), text, `invalid JSONPath: ${error.message}`));
    }
  });
  append(errors, validateConditions(status?.conditions ?? [], at.child('conditions')));
  return errors;
}

export const validatingAdmissionPolicyRules: KindRules<ValidatingAdmissionPolicy> = {
  defaults: policyDefaults,
  validate,
  validateStatus,
  prepareStatus: keepAllButStatus,
  metaOnStatus: [],
  generation: true,
  allowUnconditionalUpdate: false,
};
