/** Removing a cluster: containers, networks, sockets and data, and only what is ours. */
import { silentLogger } from '#base';
import { readUsedConfig } from './config.ts';
import { removeStateDir, type StateDir } from './state-dir.ts';

/** Takes everything of a stopped cluster away. A cluster that never ran containers has only its directory. */
export async function removeCluster(dir: StateDir): Promise<void> {
  const config = readUsedConfig(dir);
  if (config) {
    const { removeNode } = await import('./node.ts');
    await removeNode({ dir, config, logger: silentLogger });
  }
  removeStateDir(dir);
}
