/**
 * The usual cluster DNS Service, `kube-system/kube-dns`, leading to the DNS server of the node: a Service without
 * selector and an EndpointSlice of our own. Upstream: kubeadm's addons/dns.
 */
import { isStatusError, type KubeObject } from '#apimachinery';
import type { Client, ResourceName } from '#client';

export interface ClusterDnsConfig {
  readonly nodeName: string;
  readonly nodeAddress: string;
  readonly dnsAddress: string;
}

const ports = [
  { name: 'dns', port: 53, protocol: 'UDP' },
  { name: 'dns-tcp', port: 53, protocol: 'TCP' },
] as const;

const services: ResourceName = { group: '', version: 'v1', resource: 'services', kind: 'Service', namespaced: true };
const endpointSlices: ResourceName = {
  group: 'discovery.k8s.io',
  version: 'v1',
  resource: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
};

/** Makes what is absent and corrects the endpoint's address; leaves a Service that somebody changed alone. */
export async function ensureClusterDns(client: Client, config: ClusterDnsConfig): Promise<void> {
  const labels = { 'k8s-app': 'kube-dns', 'kubernetes.io/name': 'CoreDNS', 'kubernetes.io/cluster-service': 'true' };
  await ignoreExisting(
    client
      .resource(services)
      .namespace('kube-system')
      .create({
        metadata: { name: 'kube-dns', labels },
        spec: { clusterIP: config.dnsAddress, ports: ports.map(port => ({ ...port, targetPort: port.port })) },
      } as Partial<KubeObject>),
  );
  const slice = {
    metadata: {
      name: `kube-dns-${config.nodeName}`,
      labels: { 'kubernetes.io/service-name': 'kube-dns', 'endpointslice.kubernetes.io/managed-by': 'kobune' },
    },
    addressType: 'IPv4',
    ports,
    endpoints: [{ addresses: [config.nodeAddress], nodeName: config.nodeName, conditions: { ready: true } }],
  };
  const slices = client.resource(endpointSlices).namespace('kube-system');
  const made = await ignoreExisting(slices.create(slice as Partial<KubeObject>));
  if (!made) await slices.patch(slice.metadata.name, { endpoints: slice.endpoints }, { type: 'merge' });
}

async function ignoreExisting(work: Promise<KubeObject>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (isStatusError(error, 'AlreadyExists')) return false;
    // The address of the DNS Service is fixed: a Service that has it already answers "already allocated" as 422.
    if (isStatusError(error, 'Invalid') && /already allocated/.test(error.message)) return false;
    throw error;
  }
}
