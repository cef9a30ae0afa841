/**
 * Validation of labels, annotations, owner references, finalizers, managed fields and the whole of ObjectMeta, on
 * create and on update, in upstream's order. Upstream: apimachinery pkg/api/validation/objectmeta.go,
 * pkg/apis/meta/v1/validation/validation.go.
 * Deviation: where upstream walks a Go map, in no order, errors come here in the order of the object.
 */
import {
  append,
  type FieldError,
  type FieldPath,
  forbiddenField,
  goQuote,
  invalidValue,
  required,
  tooLong,
} from '../field.ts';
import { byteLength } from '../input-error.ts';
import type { LabelSelector, LabelSelectorRequirement } from '../labels.ts';
import type { ManagedFieldsEntry, ObjectMeta, OwnerReference } from '../meta.ts';
import { isLabelKey, isLabelValue, type NameValidator, nameIsDNSLabel } from './names.ts';

/** Upstream's text for a field that may not change. */
const fieldImmutableText = 'field is immutable';
/** Keys and values of all annotations together, in bytes. */
export const maxAnnotationsBytes: number = 256 * 1024;

/** A label key anywhere it may stand. */
export function validateLabelName(name: string, path: FieldPath): FieldError[] {
  return isLabelKey(name).map(text => invalidValue(path, name, text));
}

export function validateLabels(labels: Readonly<Record<string, string>> | undefined, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    append(errors, validateLabelName(key, path));
    for (const text of isLabelValue(value)) errors.push(invalidValue(path, value, text));
  }
  return errors;
}

export function validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: FieldPath,
): FieldError[] {
  const errors: FieldError[] = [];
  let sizeBytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    sizeBytes += byteLength(key) + byteLength(value);
    for (const text of isLabelKey(key.toLowerCase())) errors.push(invalidValue(path, key, text));
  }
  if (sizeBytes > maxAnnotationsBytes) errors.push(tooLong(path, maxAnnotationsBytes));
  return errors;
}

export interface LabelSelectorOptions {
  /** An update of an object that has invalid values already. */
  readonly allowInvalidLabelValueInSelector?: boolean;
  /** Access reviews, which may hold operators of the future. */
  readonly allowUnknownOperatorInRequirement?: boolean;
}

/** The API object LabelSelector, absent being valid. */
export function validateLabelSelector(
  selector: LabelSelector | null | undefined,
  path: FieldPath,
  options: LabelSelectorOptions = {},
): FieldError[] {
  if (selector === null || selector === undefined) return [];
  const errors = validateLabels(selector.matchLabels, path.child('matchLabels'));
  selector.matchExpressions?.forEach((requirement, i) => {
    append(errors, validateLabelSelectorRequirement(requirement, path.child('matchExpressions').index(i), options));
  });
  return errors;
}

export function validateLabelSelectorRequirement(
  { key = '', operator = '', values = [] }: LabelSelectorRequirement,
  path: FieldPath,
  options: LabelSelectorOptions = {},
): FieldError[] {
  const errors: FieldError[] = [];
  const at = path.child('values');
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) errors.push(required(at, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) {
      errors.push(forbiddenField(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    }
  } else if (!options.allowUnknownOperatorInRequirement) {
    errors.push(invalidValue(path.child('operator'), operator, 'not a valid selector operator'));
  }
  append(errors, validateLabelName(key, path.child('key')));
  if (!options.allowInvalidLabelValueInSelector) {
    values.forEach((value, i) => {
      for (const text of isLabelValue(value)) errors.push(invalidValue(at.index(i), value, text));
    });
  }
  return errors;
}

/** True when a match expression holds a value that no label can have; see {@link LabelSelectorOptions}. */
export function selectorHasInvalidLabelValue(selector: LabelSelector | null | undefined): boolean {
  const expressions = selector?.matchExpressions ?? [];
  return expressions.some(({ values = [] }) => values.some(value => isLabelValue(value).length > 0));
}

/** As Go prints it: with the fields that it never leaves out. */
function wholeReference({ apiVersion = '', kind = '', name = '', uid = '', ...rest }: OwnerReference): object {
  return { apiVersion, kind, name, uid, ...rest };
}

function validateOwnerReference(owner: OwnerReference, path: FieldPath): FieldError[] {
  const { apiVersion = '', kind = '', name = '', uid = '' } = owner;
  const errors: FieldError[] = [];
  const slash = apiVersion.indexOf('/');
  const version = apiVersion.includes('/', slash + 1) && slash >= 0 ? '' : apiVersion.slice(slash + 1);
  if (version === '') errors.push(invalidValue(path.child('apiVersion'), apiVersion, 'version must not be empty'));
  if (kind === '') errors.push(invalidValue(path.child('kind'), kind, 'must not be empty'));
  if (name === '') errors.push(invalidValue(path.child('name'), name, 'must not be empty'));
  if (uid === '') errors.push(invalidValue(path.child('uid'), uid, 'must not be empty'));
  if (apiVersion === 'v1' && kind === 'Event') {
    errors.push(invalidValue(path, wholeReference(owner), '/v1, Kind=Event is disallowed from being an owner'));
  }
  return errors;
}

function validateOwnerReferences(owners: readonly OwnerReference[] | undefined, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  let first = '';
  for (const owner of owners ?? []) {
    append(errors, validateOwnerReference(owner, path));
    if (!owner.controller) continue;
    const name = `${owner.kind ?? ''}/${owner.name ?? ''}`;
    if (first === '') first = name;
    else {
      const text = `Only one reference can have Controller set to true. Found "true" in references for ${first} and ${name}`;
      errors.push(invalidValue(path, owners?.map(wholeReference), text));
    }
  }
  return errors;
}

export function validateFinalizerName(name: string, path: FieldPath): FieldError[] {
  return isLabelKey(name).map(text => invalidValue(path, name, text));
}

function validateFinalizers(finalizers: readonly string[] | undefined, path: FieldPath): FieldError[] {
  const errors = (finalizers ?? []).flatMap(name => validateFinalizerName(name, path));
  if (finalizers?.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.push(invalidValue(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'));
  }
  return errors;
}

function validateNoNewFinalizers(now: readonly string[], before: readonly string[], path: FieldPath): FieldError[] {
  const extra = [...new Set(now)].filter(name => !before.includes(name)).sort();
  if (extra.length === 0) return [];
  const list = `[]string{${extra.map(goQuote).join(', ')}}`;
  const text = `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`;
  return [forbiddenField(path, text)];
}

const standardFinalizers = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

/** Finalizers without a domain must be Kubernetes's own. Upstream: validateKubeFinalizerName of the core group. */
export function validateKubeFinalizers(finalizers: readonly string[] | undefined, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  finalizers?.forEach((name, i) => {
    if (name.includes('/') || standardFinalizers.has(name)) return;
    errors.push(
      invalidValue(path.index(i), name, 'name is neither a standard finalizer name nor is it fully qualified'),
    );
  });
  return errors;
}

/** A manager's name: length and printable characters. */
export function validateFieldManager(manager: string, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  if (byteLength(manager) > 128) errors.push(tooLong(path, 128));
  if (/^[ -~]*$/.test(manager)) return errors;
  let offset = 0;
  for (const char of manager) {
    if (char !== ' ' && /[^\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(char)) {
      const code = char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
      errors.push(invalidValue(path, manager, `invalid character U+${code} (at position ${offset})`));
    }
    offset += Buffer.byteLength(char);
  }
  return errors;
}

function validateManagedFields(entries: readonly ManagedFieldsEntry[] | undefined, path: FieldPath): FieldError[] {
  return (entries ?? []).flatMap((entry, i) => {
    const at = path.index(i);
    const { operation, fieldsType = '', manager = '', subresource = '' } = entry;
    const errors: FieldError[] = [];
    if (operation !== 'Apply' && operation !== 'Update') {
      errors.push(invalidValue(at.child('operation'), operation ?? '', 'must be `Apply` or `Update`'));
    }
    if ((fieldsType as string) !== '' && fieldsType !== 'FieldsV1') {
      errors.push(invalidValue(at.child('fieldsType'), fieldsType, 'must be `FieldsV1`'));
    }
    append(errors, validateFieldManager(manager, at.child('manager')));
    if (byteLength(subresource) > 256) errors.push(tooLong(at.child('subresource'), 256));
    return errors;
  });
}

/** Deep equality of JSON values, absent and null and empty containers alike, as upstream's semantic equality. */
export function semanticEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const emptyA = isEmptyValue(a);
  const emptyB = isEmptyValue(b);
  if (emptyA || emptyB) return emptyA && emptyB;
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((value, i) => semanticEqual(value, b[i]));
  }
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  for (const key in left) {
    if (!semanticEqual(left[key], Object.hasOwn(right, key) ? right[key] : undefined)) return false;
  }
  for (const key in right) if (!Object.hasOwn(left, key) && !isEmptyValue(right[key])) return false;
  return true;
}

const isEmptyValue = (value: unknown): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0);

/** Refuses a change of a value that was set for good. */
export function validateImmutableField(now: unknown, before: unknown, path: FieldPath): FieldError[] {
  return semanticEqual(now, before) ? [] : [invalidValue(path, now, fieldImmutableText)];
}

/** ObjectMeta of a new object, after a name was generated. */
export function validateObjectMeta(
  meta: ObjectMeta,
  namespaced: boolean,
  validateName: NameValidator,
  path: FieldPath,
): FieldError[] {
  const errors: FieldError[] = [];
  const { name = '', generateName = '', namespace = '', generation = 0 } = meta;
  if (generateName !== '') {
    for (const text of validateName(generateName, true)) {
      errors.push(invalidValue(path.child('generateName'), generateName, text));
    }
  }
  if (name === '') errors.push(required(path.child('name'), 'name or generateName is required'));
  else for (const text of validateName(name, false)) errors.push(invalidValue(path.child('name'), name, text));
  if (namespaced) {
    if (namespace === '') errors.push(required(path.child('namespace')));
    for (const text of namespace === '' ? [] : nameIsDNSLabel(namespace, false)) {
      errors.push(invalidValue(path.child('namespace'), namespace, text));
    }
  } else if (namespace !== '') {
    errors.push(forbiddenField(path.child('namespace'), 'not allowed on this type'));
  }
  if (generation < 0) {
    errors.push(invalidValue(path.child('generation'), generation, 'must be greater than or equal to 0'));
  }
  append(errors, validateLabels(meta.labels, path.child('labels')));
  append(errors, validateAnnotations(meta.annotations, path.child('annotations')));
  append(errors, validateOwnerReferences(meta.ownerReferences, path.child('ownerReferences')));
  append(errors, validateFinalizers(meta.finalizers, path.child('finalizers')));
  append(errors, validateManagedFields(meta.managedFields, path.child('managedFields')));
  return errors;
}

/** ObjectMeta of an object that replaces `before`. */
export function validateObjectMetaUpdate(now: ObjectMeta, before: ObjectMeta, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  if (before.deletionTimestamp) {
    const at = path.child('finalizers');
    append(errors, validateNoNewFinalizers(now.finalizers ?? [], before.finalizers ?? [], at));
  }
  if (!now.resourceVersion) {
    errors.push(
      invalidValue(path.child('resourceVersion'), now.resourceVersion ?? '', 'must be specified for an update'),
    );
  }
  if ((now.generation ?? 0) < (before.generation ?? 0)) {
    errors.push(invalidValue(path.child('generation'), now.generation ?? 0, 'must not be decremented'));
  }
  for (const key of ['name', 'namespace', 'uid'] as const) {
    append(errors, validateImmutableField(now[key] ?? '', before[key] ?? '', path.child(key)));
  }
  for (const key of ['creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const) {
    append(errors, validateImmutableField(now[key], before[key], path.child(key)));
  }
  append(errors, validateLabels(now.labels, path.child('labels')));
  append(errors, validateAnnotations(now.annotations, path.child('annotations')));
  append(errors, validateOwnerReferences(now.ownerReferences, path.child('ownerReferences')));
  append(errors, validateManagedFields(now.managedFields, path.child('managedFields')));
  return errors;
}
