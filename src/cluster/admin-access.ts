/** The administrator's way into a cluster that was started before. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '#base';
import { bundleFile } from './authority-files.ts';
import type { ClusterConfig } from './config.ts';
import { localHost } from './host-address.ts';
import type { Access } from './kubeconfig.ts';
import type { StateDir } from './state-dir.ts';

/** Absent where nothing newer than it has run yet. */
const bundle = bundleFile('ca');

/** How to reach the cluster as its administrator. Throws a UserError before the first start made the keys. */
export function adminAccess(dir: StateDir, config: ClusterConfig): Access {
  const file = (name: string): string => {
    const path = join(dir.pki, name);
    if (!existsSync(path)) {
      throw new UserError(`The cluster "${dir.name}" was never started.`, {
        remedy: `Start it: kobune up --name ${dir.name}`,
      });
    }
    return readFileSync(path, 'utf8');
  };
  return {
    url: `https://${localHost(config.apiAddress)}:${config.apiPort}`,
    caPem: file(existsSync(join(dir.pki, bundle)) ? bundle : 'ca.crt'),
    certPem: file('admin.crt'),
    keyPem: file('admin.key'),
  };
}
