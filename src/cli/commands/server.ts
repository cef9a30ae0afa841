/** `kobune server`: the server in the foreground; `up` runs this in the background. */
import { Command, InvalidArgumentError } from 'commander';
import { createLogger, type LogLevel, systemClock, UserError } from '#base';
import {
  checkMachine,
  ensureConfig,
  isDebugVerbosity,
  kubernetesVersion,
  listeningSettings,
  runServer,
  serverSettings,
  stateDir,
  thisMachine,
} from '#cluster';
import { addFlags, givenFlags } from '../flags.ts';
import { klogLine } from '../klog.ts';
import { type ClusterOptions, nameOption, rootOption } from '../options.ts';

/** Options that `up` passes on. */
export interface ServerFlags extends ClusterOptions {
  readonly apiOnly?: boolean;
  /** False with `--no-node`. */
  readonly node: boolean;
  readonly port?: number;
  readonly store?: 'sqlite' | 'memory';
  readonly serviceClusterIpRange?: string;
  readonly nodeName?: string;
  readonly logLevel: LogLevel;
}

/** The options of `server`, for `up` too. */
export function addServerOptions(command: Command): Command {
  const own = command
    .addOption(nameOption())
    .addOption(rootOption())
    .option('--port <port>', 'port of the API (kept for later starts)', parsePort)
    .option('--store <engine>', 'sqlite, or memory for a cluster that forgets (kept for later starts)', parseStore)
    .option('--service-cluster-ip-range <cidr>', 'addresses of Services (kept for later starts)')
    .option('--node-name <name>', 'name of the node (kept for later starts)')
    .option('--api-only', 'only the API with the namespace, service account and root CA controllers')
    .option('--no-node', 'control plane without a node on this machine')
    .option('--log-level <level>', 'debug, info, warn or error', 'info');
  return addFlags(own);
}

export function serverCommand(): Command {
  return addServerOptions(new Command('server'))
    .option('--version [raw]', 'say which version of Kubernetes this is, and end')
    .description('run the server in the foreground until it is interrupted')
    .addHelpText('after', '\nExamples:\n  kobune server\n  kobune server --api-only --store memory --port 7443')
    .allowExcessArguments()
    .action(async (flags: ServerFlags & { readonly version?: string | true }, command: Command) => {
      takesNoArguments(command.args);
      if (flags.version !== undefined) return sayVersion(flags.version);
      const dir = stateDir(flags.root, flags.name);
      if (flags.node && !flags.apiOnly) checkMachine(thisMachine());
      const settings = serverSettings(givenFlags(command));
      const config = ensureConfig(dir, { ...flags, ...listeningSettings(settings) });
      const logging = {
        clock: systemClock,
        level: settings.logging?.isDebug ? 'debug' : flags.logLevel,
        write: (line: string) =>
          process.stderr.write(`${settings.logging?.format === 'text' ? klogLine(line) : line}\n`),
      };
      const setVerbosity = (verbosity: number): void => {
        logging.level = isDebugVerbosity(verbosity) ? 'debug' : flags.logLevel;
      };
      await runServer({
        dir,
        config,
        logger: createLogger(logging),
        apiOnly: flags.apiOnly ?? false,
        node: flags.node,
        settings: { ...settings, apiServer: { ...settings.apiServer, setVerbosity } },
      });
    });
}

/** As kube-apiserver: scripts leave empty ones where they have nothing to say. */
function takesNoArguments(given: readonly string[]): void {
  const texts = given.map(each => JSON.stringify(each)).join(' ');
  if (given.some(each => each !== '')) throw new UserError(`"server" does not take any arguments, got [${texts}]`);
}

/** As kube-apiserver does; a version to report in place of the own one is not taken. */
function sayVersion(asked: string | true): void {
  if (asked === 'false') throw new UserError('--version=false asks for nothing.');
  if (asked !== true && asked !== 'true' && asked !== 'raw') {
    const why = `this server is ${kubernetesVersion} and reports no other version`;
    throw new UserError(`invalid argument ${JSON.stringify(asked)} for "--version" flag: ${why}`);
  }
  console.log(`Kubernetes ${kubernetesVersion}`);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new InvalidArgumentError('A port is 1 to 65535.');
  return port;
}

function parseStore(text: string): 'sqlite' | 'memory' {
  if (text !== 'sqlite' && text !== 'memory') throw new InvalidArgumentError('It is sqlite or memory.');
  return text;
}
