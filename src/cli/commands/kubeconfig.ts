/** `kobune kubeconfig`: prints a cluster's kubeconfig, or merges it into the user's. */
import { Command } from 'commander';
import { adminAccess, kubeconfigText, mergeKubeconfig, userKubeconfigPath } from '#cluster';
import { type ClusterOptions, existingCluster, nameOption, rootOption } from '../options.ts';

export function kubeconfigCommand(): Command {
  return new Command('kubeconfig')
    .description("print the cluster's kubeconfig")
    .addOption(nameOption())
    .addOption(rootOption())
    .option('--merge', "add the context to the user's kubeconfig and make it current")
    .addHelpText('after', '\nExamples:\n  kobune kubeconfig > kobune.yaml\n  kobune kubeconfig --merge')
    .action((options: ClusterOptions & { merge?: boolean }) => {
      const { dir, config } = existingCluster(options);
      const access = adminAccess(dir, config);
      if (!options.merge) {
        process.stdout.write(kubeconfigText(options.name, access));
        return;
      }
      const path = userKubeconfigPath();
      console.log(`Context "${mergeKubeconfig(path, options.name, access)}" is current in ${path}.`);
    });
}
