/** The kubelet's HTTPS server. Upstream: pkg/kubelet/server/server.go. */
import type { Client } from '#client';
import type { KubeletConfig, KubeletDeps } from '../config.ts';
import type { Machine } from '../node/machine.ts';
import type { PodAgent } from '../pods/pod-agent.ts';

export interface KubeletServer extends AsyncDisposable {
  readonly port: number;
}

export async function startServer(
  _deps: KubeletDeps,
  config: KubeletConfig,
  _parts: { readonly client: Client; readonly agent: PodAgent; readonly machine: Machine },
): Promise<KubeletServer> {
  return { port: config.port, [Symbol.asyncDispose]: async () => {} };
}
