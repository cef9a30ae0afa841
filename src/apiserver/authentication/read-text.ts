/** Files that flags name, and why they cannot be read in the words of Go's os package. */
import { readFileSync } from 'node:fs';
import { UserError } from '#base';

const reasons: Readonly<Record<string, (path: string) => string>> = {
  ENOENT: path => `open ${path}: no such file or directory`,
  EACCES: path => `open ${path}: permission denied`,
  EISDIR: path => `read ${path}: is a directory`,
};

/** Throws a UserError. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    throw new UserError(reasons[code]?.(path) ?? message, { cause });
  }
}
