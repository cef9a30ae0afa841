/** Options that several commands share. */
import { existsSync } from 'node:fs';
import { Option } from 'commander';
import { UserError } from '#base';
import { type ClusterConfig, defaultRoot, readConfig, type StateDir, stateDir } from '#cluster';

/** `--name`, and `--root` for the directory that holds all clusters. */
export interface ClusterOptions {
  readonly name: string;
  readonly root: string;
}

export function nameOption(): Option {
  return new Option('--name <name>', 'which cluster').default('default');
}

export function rootOption(): Option {
  return new Option('--root <dir>', 'directory that holds the state of all clusters').default(defaultRoot());
}

function absent(options: ClusterOptions): UserError {
  return new UserError(`There is no cluster "${options.name}" under ${options.root}.`, {
    remedy: `Make it: kobune up${options.name === 'default' ? '' : ` --name ${options.name}`}`,
  });
}

/** Paths of a cluster that must exist; its settings may be damaged. */
export function existingDirectory(options: ClusterOptions): StateDir {
  const dir = stateDir(options.root, options.name);
  if (!existsSync(dir.config)) throw absent(options);
  return dir;
}

/** Paths and settings of a cluster that must exist. */
export function existingCluster(options: ClusterOptions): { dir: StateDir; config: ClusterConfig } {
  const dir = stateDir(options.root, options.name);
  const config = readConfig(dir);
  if (!config) throw absent(options);
  return { dir, config };
}
