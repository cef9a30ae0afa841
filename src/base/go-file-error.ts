/** Why a file cannot be used, in the words of Go's os package, which upstream's messages end with. */

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  ENOTDIR: 'not a directory',
};

/** `error` as Node throws it of `path`; `call` is what Go would have asked the kernel. */
export function goFileError(error: unknown, path: string, call: 'open' | 'stat' = 'open'): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code === 'EISDIR') return `read ${path}: is a directory`;
  const reason = reasons[code];
  return reason === undefined ? message : `${call} ${path}: ${reason}`;
}
