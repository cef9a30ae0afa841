/** The command line: one file a command under commands/, registered in one list. */
import { Command, CommanderError } from 'commander';
import { UserError } from '#base';
import { version } from '#cluster';
import { certsCommand } from './commands/certs.ts';
import { downCommand } from './commands/down.ts';
import { imageCommand } from './commands/image.ts';
import { kubeconfigCommand } from './commands/kubeconfig.ts';
import { logsCommand } from './commands/logs.ts';
import { serverCommand } from './commands/server.ts';
import { statusCommand } from './commands/status.ts';
import { upCommand } from './commands/up.ts';
import { versionCommand } from './commands/version.ts';

const program = new Command('kobune')
  .description("Kubernetes' own API, controllers, scheduler, node agent and container engine in one program.")
  .version(version)
  .enablePositionalOptions()
  .showHelpAfterError('Try: kobune --help')
  .addHelpText(
    'after',
    `
Examples:
  kobune up                         start a cluster in the background, add its context to your kubeconfig
  kubectl get nodes                 … and use it
  kobune up --name two              a second one beside it
  kobune status                     what runs, where, since when
  kobune image build-from-host      an image made of this host's Node, without any registry
  kobune down                       stop the server; containers go on, data stays
  kobune down --delete              stop and remove everything
  kobune server --api-only          just the API, in the foreground, on any operating system

State is kept in /var/lib/kobune/<name> (root) or ~/.local/share/kobune/<name>; KOBUNE_ROOT changes that.`,
  );

for (const add of [
  upCommand,
  downCommand,
  statusCommand,
  logsCommand,
  kubeconfigCommand,
  serverCommand,
  imageCommand,
  certsCommand,
  versionCommand,
]) {
  program.addCommand(add().exitOverride());
}
program.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else {
    const known = error instanceof UserError ? error : explainSystemError(error);
    if (!known) throw error;
    console.error(known.remedy ? `${known.message} ${known.remedy}` : known.message);
    process.exit(1);
  }
}

/** What the system refused, as a sentence; undefined for what is no such refusal. */
function explainSystemError(error: unknown): UserError | undefined {
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (path === undefined || syscall === undefined) return undefined;
  const reasons: Readonly<Record<string, readonly [reason: string, remedy: string]>> = {
    EACCES: ['this user may not', 'Run as the user who made it (sudo), or choose another directory with KOBUNE_ROOT.'],
    EPERM: ['this user may not', 'Run as the user who made it (sudo), or choose another directory with KOBUNE_ROOT.'],
    EROFS: ['the file system is read-only', 'Choose another directory with KOBUNE_ROOT.'],
    ENOSPC: ['the disk is full', 'Free some space, then try again.'],
    ENOTDIR: ['a part of the path is a file', 'Choose another directory with KOBUNE_ROOT.'],
    ENOENT: ['it does not exist', ''],
    EISDIR: ['it is a directory', ''],
  };
  const [reason, remedy] = reasons[code ?? ''] ?? [];
  if (reason === undefined) return undefined;
  return new UserError(`Cannot ${syscall} ${path}: ${reason}.`, { ...(remedy && { remedy }), cause: error });
}
