/**
 * Validation of the options that come with a request: create, update, patch, delete, table.
 * Upstream: apimachinery pkg/apis/meta/v1/validation/validation.go.
 */
import { append, type FieldError, FieldPath, forbiddenField, invalidValue, notSupported, required } from '../field.ts';
import { validateFieldManager } from './object-meta.ts';

export interface WriteOptions {
  readonly dryRun?: readonly string[];
  readonly fieldManager?: string;
  readonly fieldValidation?: string;
}

export interface PatchOptions extends WriteOptions {
  readonly force?: boolean;
}

export interface DeleteOptions {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly gracePeriodSeconds?: number;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly orphanDependents?: boolean;
  readonly propagationPolicy?: string;
  readonly dryRun?: readonly string[];
  readonly ignoreStoreReadErrorWithClusterBreakingPotential?: boolean;
}

function validateDryRun(path: FieldPath, dryRun: readonly string[] | undefined): FieldError[] {
  return (dryRun ?? []).every(value => value === 'All') ? [] : [notSupported(path, dryRun, ['All'])];
}

function validateFieldValidation(path: FieldPath, value: string): FieldError[] {
  const allowed = ['', 'Ignore', 'Strict', 'Warn'];
  return allowed.includes(value) ? [] : [notSupported(path, value, allowed)];
}

/** Options of create and update, which are validated alike. */
export function validateWriteOptions(options: WriteOptions): FieldError[] {
  return [
    ...validateFieldManager(options.fieldManager ?? '', FieldPath.of('fieldManager')),
    ...validateDryRun(FieldPath.of('dryRun'), options.dryRun),
    ...validateFieldValidation(FieldPath.of('fieldValidation'), options.fieldValidation ?? ''),
  ];
}

/** Options of a patch; `apply` when it is a server-side apply. */
export function validatePatchOptions(options: PatchOptions, apply: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (apply && !options.fieldManager) {
    errors.push(required(FieldPath.of('fieldManager'), 'is required for apply patch'));
  }
  if (!apply && options.force !== undefined) {
    errors.push(forbiddenField(FieldPath.of('force'), 'may not be specified for non-apply patch'));
  }
  return [...errors, ...validateWriteOptions(options)];
}

export function validateDeleteOptions(options: DeleteOptions): FieldError[] {
  const { propagationPolicy: policy } = options;
  const path = FieldPath.of('propagationPolicy');
  const errors: FieldError[] = [];
  if (options.orphanDependents !== undefined && policy !== undefined) {
    errors.push(invalidValue(path, policy, 'orphanDependents and deletionPropagation cannot be both set'));
  }
  const policies = ['Foreground', 'Background', 'Orphan'];
  if (policy !== undefined && !policies.includes(policy)) {
    errors.push(notSupported(path, policy, [...policies, 'nil']));
  }
  append(errors, validateDryRun(FieldPath.of('dryRun'), options.dryRun));
  return [...errors, ...validateIgnoreStoreReadError(options)];
}

function validateIgnoreStoreReadError(options: DeleteOptions): FieldError[] {
  if (!options.ignoreStoreReadErrorWithClusterBreakingPotential) return [];
  const path = FieldPath.of('ignoreStoreReadErrorWithClusterBreakingPotential');
  const set: readonly [string, boolean][] = [
    ['dryRun', (options.dryRun?.length ?? 0) > 0],
    ['propagationPolicy', options.propagationPolicy !== undefined],
    ['orphanDependents', options.orphanDependents !== undefined],
    ['gracePeriodSeconds', options.gracePeriodSeconds !== undefined],
    ['preconditions', options.preconditions !== undefined],
  ];
  return set.filter(([, on]) => on).map(([name]) => invalidValue(path, true, `cannot be set together with .${name}`));
}

/** The `includeObject` parameter of a table request. */
export function validateTableOptions(includeObject: string): FieldError[] {
  if (['', 'None', 'Metadata', 'Object'].includes(includeObject)) return [];
  const text = "must be 'Metadata', 'Object', 'None', or empty";
  return [invalidValue(FieldPath.of('includeObject'), includeObject, text)];
}
