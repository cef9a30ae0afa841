/**
 * Domain names, prefixed paths and keys, conditions: validators that answer field errors.
 * Upstream: apimachinery pkg/util/validation/validation.go, pkg/apis/meta/v1/validation/validation.go (conditions).
 */

import { duplicate, type FieldError, type FieldPath, invalidValue, notSupported, required, tooLong } from '../field.ts';
import { byteLength } from '../input-error.ts';
import { isDNS1123Label, isDNS1123Subdomain, isLabelKey, regexError } from './names.ts';

/** A domain of at least three segments (finalizers of old, conversion names). */
export function isFullyQualifiedName(path: FieldPath, name: string): FieldError[] {
  if (name === '') return [required(path)];
  const errors = isDNS1123Subdomain(name);
  if (errors.length > 0) return [invalidValue(path, name, errors.join(','))];
  if (name.split('.').length >= 3) return [];
  return [invalidValue(path, name, 'should be a domain with at least three segments separated by dots')];
}

/** A domain of at least two segments, a trailing dot allowed. */
export function isFullyQualifiedDomainName(path: FieldPath, given: string): FieldError[] {
  if (given === '') return [required(path)];
  const name = given.endsWith('.') ? given.slice(0, -1) : given;
  const errors = isDNS1123Subdomain(name);
  if (errors.length > 0) return [invalidValue(path, name, errors.join(','))];
  const labels = name.split('.');
  if (labels.length < 2) {
    return [invalidValue(path, name, 'should be a domain with at least two segments separated by dots')];
  }
  for (const label of labels) {
    const found = isDNS1123Label(label);
    if (found.length > 0) return [invalidValue(path, label, found.join(','))];
  }
  return [];
}

const httpPath = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const httpPathRegex = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/;

/** A name such as `acme.io/foo`, whose tail is an HTTP path. */
export function isDomainPrefixedPath(path: FieldPath, value: string): FieldError[] {
  if (value === '') return [required(path)];
  const slash = value.indexOf('/');
  const host = value.slice(0, Math.max(slash, 0));
  const tail = value.slice(slash + 1);
  if (host === '' || tail === '') {
    return [invalidValue(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  }
  const errors = isDNS1123Subdomain(host).map(text => invalidValue(path, host, text));
  if (!httpPathRegex.test(tail)) errors.push(invalidValue(path, tail, regexError('Invalid path', httpPath)));
  return errors;
}

/** A name such as `acme.io/foo`, whose tail is a label key. */
export function isDomainPrefixedKey(path: FieldPath, value: string): FieldError[] {
  if (value === '') return [required(path)];
  const errors = isLabelKey(value).map(text => invalidValue(path, value, text));
  if (errors.length > 0) return errors;
  return value.includes('/')
    ? []
    : [invalidValue(path, value, 'must be a domain-prefixed key (such as "acme.io/foo")')];
}

/** The API type Condition of meta/v1. */
export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
  readonly reason: string;
  readonly message: string;
}

const reasonRegex = '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?';
const reasonText =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'";

/** Conditions of the meta/v1 type, unique by type. */
export function validateConditions(conditions: readonly Condition[], path: FieldPath): FieldError[] {
  const seen = new Set<string>();
  return conditions.flatMap((condition, i) => {
    const again = seen.has(condition.type) ? [duplicate(path.index(i).child('type'), condition.type)] : [];
    seen.add(condition.type);
    return [...again, ...validateCondition(condition, path.index(i))];
  });
}

function validateCondition(condition: Condition, path: FieldPath): FieldError[] {
  const { type = '', status = '', observedGeneration = 0, lastTransitionTime, reason = '', message = '' } = condition;
  const errors = isLabelKey(type).map(text => invalidValue(path.child('type'), type, text));
  const statuses = ['False', 'True', 'Unknown'];
  if (!statuses.includes(status)) errors.push(notSupported(path.child('status'), status, statuses));
  if (observedGeneration < 0) {
    const text = 'must be greater than or equal to zero';
    errors.push(invalidValue(path.child('observedGeneration'), observedGeneration, text));
  }
  if (!lastTransitionTime) errors.push(required(path.child('lastTransitionTime')));
  if (reason === '') errors.push(required(path.child('reason')));
  else {
    if (!/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/.test(reason)) {
      const examples = ['my_name', 'MY_NAME', 'MyName', 'ReasonA,ReasonB', 'ReasonA:ReasonB'];
      errors.push(invalidValue(path.child('reason'), reason, regexError(reasonText, reasonRegex, ...examples)));
    }
    if (byteLength(reason) > 1024) errors.push(tooLong(path.child('reason'), 1024));
  }
  if (byteLength(message) > 32 * 1024) errors.push(tooLong(path.child('message'), 32 * 1024));
  return errors;
}
