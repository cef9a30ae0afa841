/** The rows of Services and Endpoints. Upstream: printService, printEndpoints in printers.go. */
import type { Endpoints, Service, ServicePort } from '../types.ts';
import { age, labelsText, type Row, row } from './cells.ts';

/** Addresses of a load balancer, sorted, each once. */
export function loadBalancerText(
  status: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] } | undefined,
): string {
  const all = (status?.ingress ?? []).map(each => each.ip || each.hostname || '').filter(each => each !== '');
  return [...new Set(all)].sort().join(',');
}

function externalIP({ spec, status }: Service): string {
  const external = spec.externalIPs ?? [];
  switch (spec.type) {
    case 'ClusterIP':
    case 'NodePort':
      return external.join(',') || '<none>';
    case 'LoadBalancer': {
      const balancer = loadBalancerText(status?.loadBalancer);
      return [...(balancer ? [balancer] : []), ...external].join(',') || '<pending>';
    }
    case 'ExternalName':
      return spec.externalName ?? '';
    default:
      return '<unknown>';
  }
}

function portText({ port, nodePort, protocol = '' }: ServicePort): string {
  return nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`;
}

/** Name, type, addresses, ports, age; selector when wide. */
export function serviceRow(service: Service, nowMs: number): Row {
  const { metadata, spec } = service;
  return row(
    metadata.name ?? '',
    spec.type ?? '',
    spec.clusterIPs?.[0] ?? '<none>',
    externalIP(service),
    (spec.ports ?? []).map(portText).join(',') || '<none>',
    age(metadata.creationTimestamp, nowMs),
    labelsText(spec.selector),
  );
}

/** Name, addresses with ports, age. */
export function endpointsRow({ metadata, subsets }: Endpoints, nowMs: number): Row {
  return row(metadata.name ?? '', endpointsText(subsets), age(metadata.creationTimestamp, nowMs));
}

function endpointsText(subsets: Endpoints['subsets']): string {
  if (!subsets || subsets.length === 0) return '<none>';
  const join = (ip: string, port: number): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);
  const all = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(address => address.ip)
      : ports.flatMap(port => addresses.map(address => join(address.ip, port.port))),
  );
  const text = all.slice(0, 3).join(',');
  return all.length > 3 ? `${text} + ${all.length - 3} more...` : text;
}
