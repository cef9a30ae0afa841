/** `kobune up`: starts the server in the background, waits until it is ready, merges the kubeconfig context. */
import { Command } from 'commander';
import {
  adminAccess,
  checkKubeconfig,
  mergeKubeconfig,
  serverArguments,
  startInBackground,
  stateDir,
  userKubeconfigPath,
} from '#cluster';
import { givenFlags } from '../flags.ts';
import { addServerOptions, type ServerFlags } from './server.ts';

export function upCommand(): Command {
  return addServerOptions(new Command('up'))
    .description('start a cluster in the background and add its context to your kubeconfig')
    .option('--no-kubeconfig', "leave the user's kubeconfig alone")
    .addHelpText('after', '\nExamples:\n  kobune up\n  kobune up --name two\n  kobune up --api-only --store memory')
    .action(async (flags: ServerFlags & { kubeconfig: boolean }, command: Command) => {
      const dir = stateDir(flags.root, flags.name);
      if (flags.kubeconfig) checkKubeconfig(userKubeconfigPath());
      const begin = performance.now();
      const given = givenFlags(command);
      const { config, alreadyRunning } = await startInBackground(dir, flags, given, process.argv[1]!);
      const hasGiven = serverArguments(given).length > 0;
      const access = adminAccess(dir, config);
      const took = ((performance.now() - begin) / 1000).toFixed(2);
      console.log(
        alreadyRunning
          ? `Cluster "${flags.name}" runs already at ${access.url}.${hasGiven ? ' Flags given now count when it starts next.' : ''}`
          : `Cluster "${flags.name}" is ready at ${access.url} (${took} s).`,
      );
      if (!flags.kubeconfig) return;
      const path = userKubeconfigPath();
      console.log(
        `Context "${mergeKubeconfig(path, flags.name, access)}" is current in ${path}. Try: kubectl get nodes`,
      );
    });
}
