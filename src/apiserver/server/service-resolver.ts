/**
 * Where a Service of the cluster can be reached from the server itself: a ready endpoint of one of its ports, chosen by
 * chance, so that nothing depends on the host's rules for cluster addresses.
 * Upstream: apiserver pkg/util/proxy/proxy.go ResolveEndpoint, as with --enable-aggregator-routing.
 */
import type { EndpointSlice, Service } from '#api/types';
import { type KubeObject, notFound, StatusError, serviceUnavailable } from '#apimachinery';
import type { Random } from '#base';
import type { Lookup } from '../admission/lookup.ts';

/** Throws a StatusError in upstream's words. */
export type ServiceResolver = (
  namespace: string,
  name: string,
  port: number,
) => Promise<{ readonly host: string; readonly port: number }>;

export function serviceResolver(lookup: Lookup, random: Random): ServiceResolver {
  return async (namespace, name, port) => {
    const service = (await lookup.get('', 'services', namespace, name)) as unknown as Service | undefined;
    if (!service) throw notFound({ group: '', resource: 'service' }, name);
    const { type, externalName, ports = [] } = service.spec;
    if (type === 'ExternalName') {
      if (externalName) return { host: externalName, port };
      throw new StatusError({ code: 500, message: `unsupported service type ${JSON.stringify(type)}` });
    }
    const found = ports.find(each => each.port === port);
    if (!found) throw serviceUnavailable(`no service port ${port} found for service ${JSON.stringify(name)}`);
    const slices = await lookup.list('discovery.k8s.io', 'endpointslices', namespace);
    const reachable = slices.filter(belongsTo(name)).flatMap(slice => addresses(slice, found.name ?? ''));
    const chosen = reachable[Math.floor(random.float() * reachable.length)];
    if (!chosen) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
    return chosen;
  };
}

function belongsTo(service: string): (slice: KubeObject) => boolean {
  return slice => slice.metadata.labels?.['kubernetes.io/service-name'] === service;
}

function addresses(object: KubeObject, portName: string): Array<{ host: string; port: number }> {
  const { endpoints = [], ports = [] } = object as unknown as EndpointSlice;
  const port = ports.find(each => (each.name ?? '') === portName)?.port;
  if (!port) return [];
  return endpoints
    .filter(each => each.conditions?.ready !== false)
    .flatMap(each => each.addresses.map(host => ({ host, port })));
}
