/** Rows of the kinds of networking and of discovery. Upstream: pkg/printers/internalversion/printers.go. */
import { groupResourceText } from '#apimachinery';
import type { EndpointSlice, Ingress, IngressClass, IPAddress, NetworkPolicy, ServiceCIDR } from '../types.ts';
import { age, firstOf, type Row, type RowOf, row, selectorText } from './cells.ts';
import { loadBalancerText } from './service.ts';

function hosts(rules: NonNullable<Ingress['spec']['rules']>): string {
  const found: string[] = [];
  let more = false;
  for (const rule of rules) {
    if (found.length === 3) more = true;
    if (!more && rule.host) found.push(rule.host);
  }
  if (found.length === 0) return '*';
  return more ? `${found.join(',')} + ${rules.length - 3} more...` : found.join(',');
}

function ingressRow({ metadata, spec, status }: Ingress, nowMs: number): Row {
  return row(
    metadata.name ?? '',
    spec.ingressClassName ?? '<none>',
    hosts(spec.rules ?? []),
    loadBalancerText(status?.loadBalancer),
    (spec.tls?.length ?? 0) > 0 ? '80, 443' : '80',
    age(metadata.creationTimestamp, nowMs),
  );
}

function ingressClassRow({ metadata, spec }: IngressClass, nowMs: number): Row {
  const isDefault = metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true';
  const parameters = spec.parameters;
  const kind =
    parameters && (parameters.apiGroup === undefined ? parameters.kind : `${parameters.kind}.${parameters.apiGroup}`);
  return row(
    (metadata.name ?? '') + (isDefault ? ' (default)' : ''),
    spec.controller ?? '',
    parameters ? `${kind}/${parameters.name}` : '<none>',
    age(metadata.creationTimestamp, nowMs),
  );
}

function networkPolicyRow({ metadata, spec }: NetworkPolicy, nowMs: number): Row {
  return row(metadata.name ?? '', selectorText(spec.podSelector ?? {}), age(metadata.creationTimestamp, nowMs));
}

function serviceCIDRRow({ metadata, spec }: ServiceCIDR, nowMs: number): Row {
  return row(metadata.name ?? '', (spec.cidrs ?? []).join(','), age(metadata.creationTimestamp, nowMs));
}

/** Upstream gives an age for which there is no column. */
function ipAddressRow({ metadata, spec }: IPAddress, nowMs: number): Row {
  const { parentRef } = spec;
  let parent = '<none>';
  if (parentRef) {
    const resource = groupResourceText({ group: parentRef.group ?? '', resource: parentRef.resource }).toLowerCase();
    parent = [resource, ...(parentRef.namespace ? [parentRef.namespace] : []), parentRef.name].join('/');
  }
  return row(metadata.name ?? '', parent, age(metadata.creationTimestamp, nowMs));
}

function endpointSliceRow({ metadata, addressType, ports, endpoints }: EndpointSlice, nowMs: number): Row {
  return row(
    metadata.name ?? '',
    addressType,
    firstOf(
      (ports ?? []).map(each => String(each.port ?? each.name ?? '*')),
      3,
    ),
    firstOf(
      (endpoints ?? []).flatMap(each => each.addresses),
      3,
    ),
    age(metadata.creationTimestamp, nowMs),
  );
}

/** By kind. */
export const rows: Readonly<Record<string, RowOf>> = {
  EndpointSlice: endpointSliceRow,
  IPAddress: ipAddressRow,
  Ingress: ingressRow,
  IngressClass: ingressClassRow,
  NetworkPolicy: networkPolicyRow,
  ServiceCIDR: serviceCIDRRow,
};
