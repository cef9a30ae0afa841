/**
 * Where the kubelet of a node listens, and how this server shows itself there. Upstream: pkg/kubelet/client,
 * pkg/util/node/node.go GetPreferredNodeAddress.
 */
import type { Node } from '#api/types';
import { notFound, StatusError } from '#apimachinery';
import type { Lookup } from '../admission/lookup.ts';
import type { ServerResponse } from '../http/message.ts';
import { authorityOf, type Backend, ForwardError, forward } from '../proxy/forward.ts';
import type { Scope } from './scope.ts';

/** How the API server shows itself to kubelets. */
export interface KubeletClient {
  readonly certPem: string;
  readonly keyPem: string;
  /** Checks the kubelets' certificates; absent: they are not checked, as upstream's default. */
  readonly caPem?: string;
}

export interface ConnectDeps {
  readonly lookup: Lookup;
  readonly kubeletClient: KubeletClient | undefined;
  /** Types of addresses, in order. */
  readonly preferredAddresses: readonly string[];
  /** Where the Node does not say. */
  readonly kubeletPort: number;
}

/** Throws 404 for a node that is not there, named as what the request is for; 500 for one without an address. */
export async function kubeletOf(
  nodeName: string,
  { about }: Pick<Scope, 'about'>,
  { lookup, kubeletClient, preferredAddresses, kubeletPort }: ConnectDeps,
): Promise<Backend> {
  const node = (await lookup.get('', 'nodes', '', nodeName)) as unknown as Node | undefined;
  if (!node) throw notFound(about, nodeName);
  const addresses = node.status?.addresses ?? [];
  const found = preferredAddresses.map(type => addresses.find(each => each.type === type)).find(Boolean);
  if (!found) {
    const known = addresses.map(each => `{${each.type} ${each.address}}`).join(' ');
    throw failed(`no preferred addresses found; known addresses: [${known}]`);
  }
  const port = node.status?.daemonEndpoints?.kubeletEndpoint?.Port || kubeletPort;
  const { certPem, keyPem, caPem } = kubeletClient ?? {};
  const tls = { certPem, keyPem, caPem, verified: caPem !== undefined };
  return { protocol: 'https', host: found.address, port, tls };
}

/** What upstream makes of an error that is no Status. */
export function failed(message: string): StatusError {
  return new StatusError({ code: 500, message });
}

/** Hands the request on to a kubelet; the links of its answers stay. */
export async function toKubelet(scope: Scope, backend: Backend, path: string): Promise<ServerResponse> {
  const nowMs = scope.deps.clock.now();
  try {
    return await forward(scope.request, { backend, path, nowMs });
  } catch (error) {
    if (!(error instanceof ForwardError)) throw error;
    const url = `https://${authorityOf(backend)}${path}`;
    throw failed(error.isUpgrade ? error.message : `Get ${JSON.stringify(url)}: ${error.reason}`);
  }
}
