/** Files in volumes: modes and paths. Upstream: pkg/apis/core/validation (validateKeyToPath). */
import { type FieldPath, invalidValue } from '#apimachinery';
import type { KeyToPath } from '../types.ts';
import { checkLocalNonReservedPath, type Errors, requireText } from './common.ts';

const fileModeText = 'must be a number between 0 and 0777 (octal), both inclusive';
const maxFileMode = 0o777;

export function checkFileMode(errors: Errors, path: FieldPath, mode: number | undefined): void {
  if (mode !== undefined && (mode > maxFileMode || mode < 0)) errors.push(invalidValue(path, mode, fileModeText));
}

export function checkKeyToPath(errors: Errors, path: FieldPath, item: KeyToPath): void {
  requireText(errors, path.child('key'), item.key);
  requireText(errors, path.child('path'), item.path);
  checkLocalNonReservedPath(errors, path.child('path'), item.path ?? '');
  checkFileMode(errors, path.child('mode'), item.mode);
}
