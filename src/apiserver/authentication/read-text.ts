/** Files that flags name. */
import { readFileSync } from 'node:fs';
import { goFileError, UserError } from '#base';

/** Throws a UserError in Go's words. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UserError(goFileError(cause, path), { cause });
  }
}
