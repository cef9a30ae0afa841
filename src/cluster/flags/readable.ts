/** Files that flags name, looked at before anything is started. */
import { readFileSync } from 'node:fs';
import { goFileError, UserError } from '#base';

/** Throws a UserError in Go's words for a file that cannot be read. */
export function readable(path: string): void {
  try {
    readFileSync(path);
  } catch (cause) {
    throw new UserError(goFileError(cause, path), { cause });
  }
}
