/**
 * Where the `kubernetes` Service leads: this server's own address, as Endpoints and as an EndpointSlice.
 * Upstream: pkg/controlplane/reconcilers, pkg/controlplane/controller/kubernetesservice.
 */
import { type Draft, type KubeObject, semanticEqual } from '#apimachinery';
import { user } from '../authentication/user.ts';
import type { WriteContext } from '../registry/context.ts';
import { type BootstrapDeps, ensureObject } from './bootstrap.ts';

const name = 'kubernetes';
const namespace = 'default';
/** Upstream's mirroring controller leaves these alone. */
const labels = { 'endpointslice.kubernetes.io/skip-mirror': 'true' };

interface Place {
  readonly group: string;
  readonly resource: string;
  readonly object: Draft<KubeObject>;
  /** What is set anew when the address has changed. */
  readonly fields: readonly string[];
}

function places(host: string, port: number): Place[] {
  const ports = [{ name: 'https', port, protocol: 'TCP' }];
  return [
    {
      group: '',
      resource: 'endpoints',
      object: {
        apiVersion: 'v1',
        kind: 'Endpoints',
        metadata: { name, namespace, labels: { ...labels } },
        subsets: [{ addresses: [{ ip: host }], ports }],
      },
      fields: ['subsets'],
    },
    {
      group: 'discovery.k8s.io',
      resource: 'endpointslices',
      object: {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
        addressType: host.includes(':') ? 'IPv6' : 'IPv4',
        endpoints: [{ addresses: [host], conditions: { ready: true } }],
        ports,
      },
      fields: ['endpoints', 'ports'],
    },
  ];
}

/** Makes both objects, or corrects those of an earlier start. */
export async function publishEndpoints(deps: BootstrapDeps): Promise<void> {
  const address = deps.config.externalAddress;
  if (!address) return;
  for (const { group, resource, object, fields } of places(address.host, address.port)) {
    if (await ensureObject(deps, structuredClone(object))) continue;
    const context: WriteContext = {
      user: user('system:apiserver', ['system:masters']),
      namespace,
      name,
      subresource: '',
      dryRun: false,
      warn: () => {},
      requestResource: { group, resource },
    };
    await deps.registry.modify(deps.scheme.find(group, 'v1', resource)!, context, draft => {
      for (const field of fields) if (!semanticEqual(draft[field], object[field])) draft[field] = object[field];
    });
  }
}
