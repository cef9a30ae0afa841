/** `kobune server`: the server in the foreground; `up` runs this in the background. */
import { Command, InvalidArgumentError } from 'commander';
import { createLogger, type LogLevel, systemClock } from '#base';
import {
  type ApiServerFlags,
  apiServerSettings,
  checkMachine,
  ensureConfig,
  runServer,
  stateDir,
  thisMachine,
} from '#cluster';
import { type ClusterOptions, nameOption, rootOption } from '../options.ts';

/** Options that `up` passes on. */
export interface ServerFlags extends ClusterOptions, ApiServerFlags {
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
  return command
    .addOption(nameOption())
    .addOption(rootOption())
    .option('--port <port>', 'port of the API (kept for later starts)', parsePort)
    .option('--store <engine>', 'sqlite, or memory for a cluster that forgets (kept for later starts)', parseStore)
    .option('--service-cluster-ip-range <cidr>', 'addresses of Services (kept for later starts)')
    .option('--node-name <name>', 'name of the node (kept for later starts)')
    .option('--api-only', 'only the API with the namespace, service account and root CA controllers')
    .option('--no-node', 'control plane without a node on this machine')
    .option(
      '--enable-admission-plugins <names>',
      'admission plugins that are off by default (default: NodeRestriction)',
    )
    .option('--disable-admission-plugins <names>', 'admission plugins that are on by default')
    .option('--admission-control-config-file <path>', 'an AdmissionConfiguration')
    .option('--log-level <level>', 'debug, info, warn or error', 'info');
}

export function serverCommand(): Command {
  return addServerOptions(new Command('server'))
    .description('run the server in the foreground until it is interrupted')
    .addHelpText('after', '\nExamples:\n  kobune server\n  kobune server --api-only --store memory --port 7443')
    .action(async (flags: ServerFlags) => {
      const dir = stateDir(flags.root, flags.name);
      if (flags.node && !flags.apiOnly) checkMachine(thisMachine());
      const apiServer = apiServerSettings(flags);
      const config = ensureConfig(dir, flags);
      const logger = createLogger({
        clock: systemClock,
        level: flags.logLevel,
        write: line => process.stderr.write(`${line}\n`),
      });
      await runServer({ dir, config, logger, apiOnly: flags.apiOnly ?? false, node: flags.node, apiServer });
    });
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
