/** Specs of PersistentVolumeClaims. Upstream: pkg/apis/core/validation (ValidatePersistentVolumeClaimSpec). */
import {
  append,
  type FieldPath,
  forbiddenField,
  invalidValue,
  isDNS1123Subdomain,
  nameIsDNSLabel,
  notSupported,
  parseQuantity,
  required,
  validateLabelSelector,
} from '#apimachinery';
import type { PersistentVolumeClaimSpec } from '../types.ts';
import { checkObjectName, type Errors, refuseEach, requireText } from './common.ts';
import { checkPositiveQuantity, checkQuantityValue } from './resources.ts';

export const accessModes: readonly string[] = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

export interface ClaimOptions {
  readonly allowInvalidSelectorValues?: boolean;
  readonly allowInvalidAPIGroup?: boolean;
}

/** Access modes, in claims and volumes. */
export function checkAccessModes(errors: Errors, path: FieldPath, modes: readonly string[]): void {
  for (const mode of modes) if (!accessModes.includes(mode)) errors.push(notSupported(path, mode, accessModes));
  const others = modes.some(mode => mode !== 'ReadWriteOncePod' && accessModes.includes(mode));
  if (modes.includes('ReadWriteOncePod') && others) {
    errors.push(forbiddenField(path, 'may not use ReadWriteOncePod with other access modes'));
  }
}

interface DataSource {
  readonly apiGroup?: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

function checkDataSource(errors: Errors, path: FieldPath, source: DataSource, options: ClaimOptions): void {
  const { apiGroup: group = '', kind = '' } = source;
  requireText(errors, path.child('name'), source.name);
  requireText(errors, path.child('kind'), kind);
  if (!group && kind !== 'PersistentVolumeClaim') {
    const text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
    errors.push(invalidValue(path, kind, text));
  }
  if (group && !options.allowInvalidAPIGroup) {
    refuseEach(errors, path.child('apiGroup'), group, isDNS1123Subdomain(group));
  }
  if (source.namespace) {
    refuseEach(errors, path.child('namespace'), source.namespace, nameIsDNSLabel(source.namespace, false));
  }
}

function sameSource(a: DataSource, b: DataSource): boolean {
  return a.apiGroup === b.apiGroup && (a.kind ?? '') === (b.kind ?? '') && (a.name ?? '') === (b.name ?? '');
}

function checkSize(errors: Errors, path: FieldPath, size: string | undefined): void {
  const at = path.child('resources').key('storage');
  if (size === undefined) errors.push(required(at));
  else if (parseQuantity(size).sign <= 0) checkPositiveQuantity(errors, at, size);
  else checkQuantityValue(errors, at, 'storage', size);
}

export function checkClaimSpec(
  errors: Errors,
  path: FieldPath,
  spec: PersistentVolumeClaimSpec,
  options: ClaimOptions,
): void {
  const modes = spec.accessModes ?? [];
  if (modes.length === 0) errors.push(required(path.child('accessModes'), 'at least 1 access mode is required'));
  const lenient = { allowInvalidLabelValueInSelector: options.allowInvalidSelectorValues ?? false };
  append(errors, validateLabelSelector(spec.selector, path.child('selector'), lenient));
  checkAccessModes(errors, path.child('accessModes'), modes);
  checkSize(errors, path, spec.resources?.requests?.['storage']);
  if (spec.storageClassName) checkObjectName(errors, path.child('storageClassName'), spec.storageClassName);
  const mode = spec.volumeMode;
  const volumeModes = ['Block', 'Filesystem'];
  if (mode !== undefined && !volumeModes.includes(mode)) {
    errors.push(notSupported(path.child('volumeMode'), mode, volumeModes));
  }
  const { dataSource, dataSourceRef: reference } = spec;
  if (dataSource) checkDataSource(errors, path.child('dataSource'), dataSource, options);
  if (reference) checkDataSource(errors, path.child('dataSourceRef'), reference, options);
  if (dataSource && reference) {
    // Upstream prints the path itself as the value.
    if (reference.namespace) {
      errors.push(invalidValue(path, {}, 'may not be specified when dataSourceRef.namespace is specified'));
    } else if (!sameSource(dataSource, reference)) errors.push(invalidValue(path, {}, 'must match dataSourceRef'));
  }
  const attributes = spec.volumeAttributesClassName;
  if (attributes) checkObjectName(errors, path.child('volumeAttributesClassName'), attributes);
}
