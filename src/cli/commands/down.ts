/** `kobune down`: stops a cluster's server; with `--delete` removes everything that the cluster is. */
import { Command } from 'commander';
import { removeCluster, removeFromKubeconfig, stopServer, userKubeconfigPath } from '#cluster';
import { type ClusterOptions, existingDirectory, nameOption, rootOption } from '../options.ts';

export function downCommand(): Command {
  return new Command('down')
    .description('stop the server; containers go on and are adopted by the next start')
    .addOption(nameOption())
    .addOption(rootOption())
    .option('--delete', 'also stop all containers, remove networks, data and the kubeconfig context')
    .addHelpText('after', '\nExamples:\n  kobune down\n  kobune down --delete')
    .action(async (options: ClusterOptions & { delete?: boolean }) => {
      const dir = existingDirectory(options);
      const wasRunning = await stopServer(dir);
      console.log(
        wasRunning ? `Stopped the server of "${options.name}".` : `No server of "${options.name}" was running.`,
      );
      if (!options.delete) return;
      await removeCluster(dir);
      removeFromKubeconfig(userKubeconfigPath(), options.name);
      console.log(`Removed the cluster "${options.name}" and its context.`);
    });
}
