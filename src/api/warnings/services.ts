/**
 * Services and what stands behind and before them. Upstream: pkg/api/service/warnings.go, pkg/registry/core/endpoint,
 * pkg/registry/discovery/endpointslice, pkg/registry/networking/{ingress,networkpolicy}.
 */
import { FieldPath, warningsForCIDR, warningsForIP } from '#apimachinery';
import type { EndpointSlice, Endpoints, Ingress, NetworkPolicy, NetworkPolicyPeer, Service } from '../types.ts';

const spec = FieldPath.of('spec');
const topologyHints = 'service.kubernetes.io/topology-aware-hints';
const ingressClass = 'kubernetes.io/ingress.class';

function headlessWarnings({ spec: service }: Service): string[] {
  const ignored = [
    ...(service.loadBalancerIP ? ['spec.loadBalancerIP'] : []),
    ...(service.externalIPs?.length ? ['spec.externalIPs'] : []),
    ...(service.sessionAffinity !== 'None' ? ['spec.SessionAffinity'] : []),
  ];
  return ignored.map(field => `${field} is ignored for headless services`);
}

/** Cluster addresses that name one; `None` and ExternalName do not. */
function clusterIPsOf({ spec: service }: Service): readonly string[] {
  const isSet = service.type !== 'ExternalName' && service.clusterIP && service.clusterIP !== 'None';
  return isSet ? (service.clusterIPs ?? []) : [];
}

export function serviceWarnings(service: Service): string[] {
  const { spec: now, metadata } = service;
  const isHeadless = now.type === 'ClusterIP' && now.clusterIP === 'None';
  const isExternalName = now.type === 'ExternalName';
  const externalIPs = now.externalIPs ?? [];
  const warnings: string[] = [];
  if (metadata.annotations?.[topologyHints] !== undefined) {
    const instead = 'please use service.kubernetes.io/topology-mode instead';
    warnings.push(`annotation ${topologyHints} is deprecated, ${instead}`);
  }
  clusterIPsOf(service).forEach((address, i) => {
    warnings.push(...warningsForIP(spec.child('clusterIPs').index(i), address));
  });
  if (isHeadless) warnings.push(...headlessWarnings(service));
  externalIPs.forEach((address, i) => {
    warnings.push(...warningsForIP(spec.child('externalIPs').index(i), address));
  });
  if (externalIPs.length > 0 && !isHeadless && !isExternalName) {
    warnings.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters');
  }
  if (now.loadBalancerIP) warnings.push(...warningsForIP(spec.child('loadBalancerIP'), now.loadBalancerIP));
  now.loadBalancerSourceRanges?.forEach((cidr, i) => {
    warnings.push(...warningsForCIDR(spec.child('loadBalancerSourceRanges').index(i), cidr));
  });
  if (isExternalName && externalIPs.length > 0) {
    warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  }
  if (!isExternalName && now.externalName) {
    warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  }
  if (now.trafficDistribution === 'PreferClose') {
    warnings.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  }
  return warnings;
}

/** Of the status that Services and Ingresses share. */
export function loadBalancerWarnings(object: {
  readonly status?: { readonly loadBalancer?: { readonly ingress?: ReadonlyArray<{ readonly ip?: string }> } };
}): string[] {
  const path = FieldPath.of('status', 'loadBalancer', 'ingress');
  return (object.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }, i) =>
    ip ? warningsForIP(path.index(i), ip) : [],
  );
}

export function endpointsWarnings(endpoints: Endpoints): string[] {
  if (endpoints.metadata.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller') return [];
  return (endpoints.subsets ?? []).flatMap((subset, i) =>
    (['addresses', 'notReadyAddresses'] as const).flatMap(list =>
      (subset[list] ?? []).flatMap(({ ip = '' }, j) =>
        warningsForIP(FieldPath.of('subsets').index(i).child(list).index(j).child('ip'), ip),
      ),
    ),
  );
}

const sliceControllers = ['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io'];

export function endpointSliceWarnings(slice: EndpointSlice, old: EndpointSlice | null): string[] {
  const fqdn = !old && slice.addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : [];
  const manager = slice.metadata.labels?.['endpointslice.kubernetes.io/managed-by'] ?? '';
  if (sliceControllers.includes(manager)) return fqdn;
  const odd = (slice.endpoints ?? []).flatMap(({ addresses = [] }, i) =>
    addresses.flatMap((address, j) =>
      warningsForIP(FieldPath.of('endpoints').index(i).child('addresses').index(j), address),
    ),
  );
  return [...fqdn, ...odd];
}

export function ingressWarnings(ingress: Ingress, old: Ingress | null): string[] {
  const isOld = ingress.metadata.annotations?.[ingressClass] !== undefined;
  if (old || !isOld || ingress.spec?.ingressClassName !== undefined) return [];
  return [`annotation "${ingressClass}" is deprecated, please use 'spec.ingressClassName' instead`];
}

function peerWarnings(path: FieldPath, peers: readonly NetworkPolicyPeer[] = []): string[] {
  return peers.flatMap(({ ipBlock }, i) => {
    if (!ipBlock) return [];
    const at = path.index(i).child('ipBlock');
    const except = ipBlock.except ?? [];
    return [
      ...warningsForCIDR(at.child('cidr'), ipBlock.cidr ?? ''),
      ...except.flatMap((cidr, j) => warningsForCIDR(at.child('except').index(j), cidr)),
    ];
  });
}

export function networkPolicyWarnings({ spec: policy }: NetworkPolicy): string[] {
  return [
    ...(policy?.ingress ?? []).flatMap(({ from }, i) =>
      peerWarnings(spec.child('ingress').index(i).child('from'), from),
    ),
    ...(policy?.egress ?? []).flatMap(({ to }, i) => peerWarnings(spec.child('egress').index(i).child('to'), to)),
  ];
}
