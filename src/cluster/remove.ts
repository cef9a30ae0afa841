/** Removing a cluster: containers, networks, sockets and data, and only what is ours. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '#base';
import type { ClusterConfig } from './config.ts';
import { removeStateDir, type StateDir } from './state-dir.ts';

/** Takes everything of a stopped cluster away. A cluster that never ran containers has only its directory. */
export async function removeCluster(dir: StateDir, config: ClusterConfig): Promise<void> {
  if (existsSync(join(dir.node, 'network'))) {
    const { removeNode } = await import('./node.ts');
    await removeNode({ dir, config, logger: silentLogger });
  }
  removeStateDir(dir);
}
