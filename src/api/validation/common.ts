/**
 * The small words of validation: each pushes upstream's refusal onto `errors` when its claim does not hold.
 * Upstream: the helpers of pkg/apis/core/validation/validation.go and apimachinery pkg/api/validation.
 */
import {
  append,
  type FieldError,
  type FieldPath,
  invalidValue,
  isDNS1123Label,
  isDNS1123Subdomain,
  isQualifiedName,
  isValidPortName,
  isValidPortNum,
  nameIsDNSSubdomain,
  notSupported,
  required,
  validateImmutableField,
} from '#apimachinery';

export type Errors = FieldError[];

export const isNegativeText = 'must be greater than or equal to 0';
export const isNotPositiveText = 'must be greater than zero';

/** One refusal for each text that a name validator gave. */
export function refuseEach(errors: Errors, path: FieldPath, value: unknown, texts: readonly string[]): void {
  for (const text of texts) errors.push(invalidValue(path, value, text));
}

/** Refuses an absent or empty string. Answers whether it was there. */
export function requireText(errors: Errors, path: FieldPath, value: string | undefined, detail = ''): value is string {
  if (value) return true;
  errors.push(required(path, detail));
  return false;
}

export function checkDNSLabel(errors: Errors, path: FieldPath, value: string): void {
  refuseEach(errors, path, value, isDNS1123Label(value));
}

export function checkDNSSubdomain(errors: Errors, path: FieldPath, value: string): void {
  refuseEach(errors, path, value, isDNS1123Subdomain(value));
}

/** A name of an object whose names are DNS subdomains. */
export function checkObjectName(errors: Errors, path: FieldPath, value: string): void {
  refuseEach(errors, path, value, nameIsDNSSubdomain(value, false));
}

export function checkQualifiedName(errors: Errors, path: FieldPath, value: string): void {
  refuseEach(errors, path, value, isQualifiedName(value));
}

export function checkNonnegative(errors: Errors, path: FieldPath, value: number | undefined): void {
  if ((value ?? 0) < 0) errors.push(invalidValue(path, value, isNegativeText));
}

export function checkPositive(errors: Errors, path: FieldPath, value: number | undefined): void {
  if ((value ?? 0) <= 0) errors.push(invalidValue(path, value ?? 0, isNotPositiveText));
}

/** An enumeration whose absence counts as an unsupported empty value. */
export function checkSupported(
  errors: Errors,
  path: FieldPath,
  value: string | undefined,
  supported: readonly string[],
): void {
  if (!supported.includes(value ?? '')) errors.push(notSupported(path, value ?? '', supported));
}

/** An enumeration that must be there. */
export function checkChoice(
  errors: Errors,
  path: FieldPath,
  value: string | undefined,
  supported: readonly string[],
  detail = '',
): void {
  if (!value) errors.push(required(path, detail));
  else if (!supported.includes(value)) errors.push(notSupported(path, value, supported));
}

/** An enumeration behind a pointer: absent is missing, empty is unsupported. */
export function checkGiven(
  errors: Errors,
  path: FieldPath,
  value: string | undefined,
  supported: readonly string[],
): void {
  if (value === undefined) errors.push(required(path));
  else checkSupported(errors, path, value, supported);
}

/** A port number, or a port name. */
export function checkPortNumOrName(errors: Errors, path: FieldPath, port: number | string | undefined): void {
  const value = port ?? 0;
  refuseEach(errors, path, value, typeof value === 'number' ? isValidPortNum(value) : isValidPortName(value));
}

export function checkImmutable(errors: Errors, path: FieldPath, now: unknown, before: unknown): void {
  append(errors, validateImmutableField(now, before, path));
}

/** A relative path that does not climb. */
export function checkLocalDescendingPath(errors: Errors, path: FieldPath, target: string): void {
  if (target.startsWith('/')) errors.push(invalidValue(path, target, 'must be a relative path'));
  checkNoBacksteps(errors, path, target);
}

export function checkNoBacksteps(errors: Errors, path: FieldPath, target: string): void {
  if (target.split('/').includes('..')) errors.push(invalidValue(path, target, "must not contain '..'"));
}

/** A relative path whose first element does not begin with two dots either. */
export function checkLocalNonReservedPath(errors: Errors, path: FieldPath, target: string): void {
  checkLocalDescendingPath(errors, path, target);
  if (target.startsWith('..') && !target.startsWith('../')) {
    errors.push(invalidValue(path, target, "must not start with '..'"));
  }
}

/** Keys of a map in the order in which messages about them come. */
export function sortedKeys(map: Readonly<Record<string, unknown>> | undefined): string[] {
  return map === undefined ? [] : Object.keys(map).sort();
}

export const maxInt32: number = 2 ** 31 - 1;
