/**
 * Turns what low-level runtimes say about a command that cannot run into the words that users of containerd and runc
 * know, because tools and people search for them. Upstream: opencontainers/runc libcontainer/standard_init_linux.go.
 */

/** `text`: the runtime's own message; `command`: the first word of what should run, when it is known. */
export function explainRuntimeError(text: string, command: string): string {
  const cleaned = text.replace(/^error\s*:?\s*/i, '').trim();
  const prefix = 'failed to create containerd task: failed to create shim task: OCI runtime create failed: ';
  return `${prefix}${explainCommandError(cleaned, command)}: unknown`;
}

/** The same for an exec, which containerd names by its id. */
export function explainExecError(text: string, command: string, execId: string): string {
  const cleaned = text.trim();
  const prefix = `failed to exec in container: failed to start exec ${JSON.stringify(execId)}: `;
  return `${prefix}OCI runtime exec failed: exec failed: ${explainCommandError(cleaned, command)}: unknown`;
}

function explainCommandError(text: string, command: string): string {
  if (/unable to start container process: /.test(text)) return text.replace(/^.*?(?=unable to start)/s, '');
  const notFound = /executable file [`'"]?([^`'"]+)[`'"]? not found in \$PATH/.exec(text);
  const name = notFound?.[1] ?? command;
  const unable = (why: string): string => `unable to start container process: exec: ${JSON.stringify(name)}: ${why}`;
  const missing = notFound !== null || /open executable: No such file/.test(text);
  if (missing)
    return unable(
      name.includes('/') ? `stat ${name}: no such file or directory` : 'executable file not found in $PATH',
    );
  if (/open executable: (Permission denied|Operation not permitted)/.test(text)) return unable('permission denied');
  return text;
}
