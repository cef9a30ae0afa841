/** Ports that somebody else has: found before anything is made, or explained when a part of the server meets one. */
import { createServer } from 'node:net';
import { UserError } from '#base';
import type { ClusterConfig } from './config.ts';
import type { StateDir } from './state-dir.ts';

/** Resolves when one can listen there; rejects with the system's error otherwise. */
export function checkPortFree(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve()));
  });
}

/** A UserError for the system's "address in use" of any part of the server; every other error as it is. */
export function explainPortInUse(
  error: unknown,
  { dir, config }: { readonly dir: StateDir; readonly config: ClusterConfig },
): unknown {
  const { code, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if (code !== 'EADDRINUSE') return error;
  const message = `Port ${port} on ${address} is in use.`;
  const name = dir.name === 'default' ? '' : ` --name ${dir.name}`;
  if (port === config.apiPort) {
    return new UserError(message, { remedy: `Choose another: kobune up --port PORT${name}`, cause: error });
  }
  const remedy =
    port === config.kubeletPort
      ? `Choose another kubeletPort in ${dir.config}`
      : 'Another program listens on every address of this machine; let it listen on its own alone';
  return new UserError(message, { remedy, cause: error });
}
