/** `kobune status`: the clusters of this machine and whether they answer. */
import { Command } from 'commander';
import { clusterNames, clusterStatus, stateDir } from '#cluster';
import { type ClusterOptions, rootOption } from '../options.ts';

export function statusCommand(): Command {
  return new Command('status')
    .description('show the clusters of this machine')
    .addOption(rootOption())
    .option('--name <name>', 'only this one')
    .option('-o, --output <format>', 'text or json', 'text')
    .addHelpText('after', '\nExamples:\n  kobune status\n  kobune status --name two -o json')
    .action(async (options: Partial<ClusterOptions> & { root: string; output: string }) => {
      const names = options.name === undefined ? clusterNames(options.root) : [options.name];
      const all = await Promise.all(names.map(name => clusterStatus(stateDir(options.root, name))));
      if (options.output === 'json') {
        console.log(JSON.stringify(all, null, 2));
      } else if (all.length === 0) {
        console.log(`No clusters under ${options.root}. Make one: kobune up`);
      } else {
        for (const status of all) {
          console.log(`${status.name}: ${status.state}`);
          for (const [label, value] of status.details) console.log(`  ${label.padEnd(12)} ${value}`);
        }
      }
      if (options.name !== undefined && all[0]?.state !== 'ready') process.exitCode = 1;
    });
}
