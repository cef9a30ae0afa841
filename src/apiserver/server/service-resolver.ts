/**
 * Where a Service of the cluster can be reached from the server itself: a ready endpoint of one of its ports, chosen by
 * chance, so that nothing depends on the host's rules for cluster addresses.
 * Upstream: apiserver pkg/util/proxy/proxy.go ResolveCluster and ResolveEndpoint.
 *
 * Deviation: without --enable-aggregator-routing, too, the connection goes to an endpoint; only what is said of it, and
 * which Services are refused, follows the cluster address.
 */
import type { EndpointSlice, Service } from '#api/types';
import { type KubeObject, notFound, StatusError, serviceUnavailable } from '#apimachinery';
import type { Random } from '#base';
import type { Lookup } from '../admission/lookup.ts';

export interface ResolvedService {
  /** Where to connect. */
  readonly host: string;
  readonly port: number;
  /** `host:port` as errors and headers name it. */
  readonly authority: string;
}

/** Throws a StatusError in upstream's words. */
export type ServiceResolver = (namespace: string, name: string, port: number) => Promise<ResolvedService>;

export interface ResolverOptions {
  /** `--enable-aggregator-routing`. */
  readonly toEndpoints: boolean;
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);

export function serviceResolver(
  lookup: Lookup,
  random: Random,
  { toEndpoints }: ResolverOptions = { toEndpoints: false },
): ServiceResolver {
  return async (namespace, name, port) => {
    const service = (await lookup.get('', 'services', namespace, name)) as unknown as Service | undefined;
    if (!service) throw notFound({ group: '', resource: 'service' }, name);
    const { type = 'ClusterIP', externalName, clusterIP = '', ports = [] } = service.spec;
    if (type === 'ExternalName') {
      if (!toEndpoints && externalName) return { host: externalName, port, authority: `${externalName}:${port}` };
      throw new StatusError({ code: 500, message: `unsupported service type ${JSON.stringify(type)}` });
    }
    if (!toEndpoints && type === 'ClusterIP' && clusterIP === 'None') {
      throw new StatusError({ code: 500, message: 'cannot route to service with ClusterIP "None"' });
    }
    const found = ports.find(each => each.port === port);
    if (!found) throw serviceUnavailable(`no service port ${port} found for service ${JSON.stringify(name)}`);
    const slices = await lookup.list('discovery.k8s.io', 'endpointslices', namespace);
    const reachable = slices.filter(belongsTo(name)).flatMap(slice => addresses(slice, found.name ?? ''));
    const chosen = reachable[Math.floor(random.float() * reachable.length)];
    if (!chosen) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
    const shown = toEndpoints || clusterIP === '' ? chosen : { host: clusterIP, port };
    return { ...chosen, authority: `${bracketed(shown.host)}:${shown.port}` };
  };
}

export function belongsTo(service: string): (slice: KubeObject) => boolean {
  return slice => slice.metadata.labels?.['kubernetes.io/service-name'] === service;
}

function addresses(object: KubeObject, portName: string): Array<{ host: string; port: number }> {
  const { endpoints = [], ports = [] } = object as unknown as EndpointSlice;
  const port = ports.find(each => (each.name ?? '') === portName)?.port;
  if (!port) return [];
  return endpoints
    .filter(each => each.conditions?.ready !== false)
    .flatMap(each => each.addresses.slice(0, 1).map(host => ({ host, port })));
}
