/** `kobune version`: our version and the level of the API. */
import { Command } from 'commander';
import { kubernetesVersion, version } from '#cluster';

export function versionCommand(): Command {
  return new Command('version')
    .description('print the version of Kobune and of the API that it serves')
    .addHelpText('after', '\nExample:\n  kobune version')
    .action(() => {
      console.log(`kobune ${version} (Kubernetes ${kubernetesVersion}, Node ${process.version})`);
    });
}
