/** Provisioners and their parameters. Upstream: pkg/apis/storage/validation/validation.go. */
import { byteLength, type FieldPath, invalidValue, required, tooLong } from '#apimachinery';
import { checkQualifiedName, type Errors, requireText, sortedKeys } from './common.ts';

export function checkProvisioner(errors: Errors, path: FieldPath, provisioner: string | undefined): void {
  if (requireText(errors, path, provisioner)) checkQualifiedName(errors, path, provisioner.toLowerCase());
}

export function checkParameters(
  errors: Errors,
  path: FieldPath,
  parameters: Readonly<Record<string, string>> = {},
  allowEmpty: boolean,
): void {
  const keys = sortedKeys(parameters);
  if (keys.length > 512) {
    errors.push(tooLong(path, 512));
    return;
  }
  let size = 0;
  for (const key of keys) {
    if (key === '') errors.push(invalidValue(path, key, 'field can not be empty.'));
    size += byteLength(key) + byteLength(parameters[key]!);
  }
  if (size > 256 * 1024) errors.push(tooLong(path, 256 * 1024));
  if (!allowEmpty && keys.length === 0) errors.push(required(path, 'must contain at least one key/value pair'));
}
