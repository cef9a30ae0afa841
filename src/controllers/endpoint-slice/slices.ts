/**
 * The EndpointSlices that a Service should have, and the least change from those it has. Pure.
 * Upstream: endpointslice/{reconciler,utils}.go, pkg/controller/endpointslice.
 */
import { createHash } from 'node:crypto';
import type { EndpointSlice, Node, Pod, Service } from '#api/types';
import { semanticEqual, writeSorted } from '#apimachinery';
import { isPodReady } from '../pod-control.ts';

/** Endpoints a slice holds at most. */
const maxEndpoints = 100;
export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const managedBy = 'endpointslice-controller.k8s.io';
const headlessLabel = 'service.kubernetes.io/headless';

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number];
type Ports = NonNullable<EndpointSlice['ports']>;

/** Slices wanted: one group a distinct set of port numbers (named target ports differ by pod), a family each. */
export interface DesiredGroup {
  readonly addressType: 'IPv4' | 'IPv6';
  readonly ports: Ports;
  readonly endpoints: Endpoint[];
}

/** Upstream's ShouldPodBeInEndpoints: it has an address and has not finished for good. */
function belongs(pod: Pod, includeTerminating: boolean): boolean {
  if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return false;
  if (!pod.status?.podIP && !pod.status?.podIPs?.length) return false;
  return includeTerminating || !pod.metadata.deletionTimestamp;
}

/** Number of a pod's port by number or by name and protocol; undefined when the pod has no such port. */
export function targetPort(
  pod: Pod,
  port: { readonly targetPort?: number | string; readonly port: number; readonly protocol?: string },
): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target;
  const sidecars = (pod.spec.initContainers ?? []).filter(each => each.restartPolicy === 'Always');
  for (const container of [...pod.spec.containers, ...sidecars]) {
    const found = container.ports?.find(
      each => each.name === target && (each.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    if (found) return found.containerPort;
  }
  return undefined;
}

/** The ports of a Service as this pod serves them. */
function portsOf(service: Service, pod: Pod): Ports {
  const ports = service.spec.ports ?? [];
  return ports.flatMap(port => {
    const number = targetPort(pod, port);
    if (number === undefined) return [];
    return [
      {
        name: port.name ?? '',
        protocol: port.protocol ?? 'TCP',
        port: number,
        ...(port.appProtocol && { appProtocol: port.appProtocol }),
      },
    ];
  }) as Ports;
}

function endpointOf(service: Service, pod: Pod, address: string, node: Node | undefined): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const zone = node?.metadata.labels?.['topology.kubernetes.io/zone'];
  const { hostname, subdomain, nodeName } = pod.spec;
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    ...(hostname && subdomain === service.metadata.name && { hostname }),
    targetRef: {
      kind: 'Pod',
      namespace: pod.metadata.namespace!,
      name: pod.metadata.name!,
      uid: pod.metadata.uid!,
    },
    ...(nodeName && { nodeName }),
    ...(zone && { zone }),
  } as Endpoint;
}

/** What should stand in the slices of `service`. */
export function desiredGroups(
  service: Service,
  pods: readonly Pod[],
  nodeOf: (name: string) => Node | undefined,
): DesiredGroup[] {
  const groups = new Map<string, DesiredGroup>();
  const families = service.spec.ipFamilies?.length ? service.spec.ipFamilies : ['IPv4'];
  for (const family of families) {
    for (const pod of pods) {
      if (!belongs(pod, true)) continue;
      const ips = pod.status?.podIPs?.map(each => each.ip ?? '') ?? [pod.status?.podIP ?? ''];
      const address = ips.find(ip => ip.includes(':') === (family === 'IPv6') && ip !== '');
      if (!address) continue;
      const ports = portsOf(service, pod);
      const key = `${family} ${writeSorted(ports)}`;
      const group = groups.get(key) ?? { addressType: family as 'IPv4' | 'IPv6', ports, endpoints: [] };
      group.endpoints.push(endpointOf(service, pod, address, nodeOf(pod.spec.nodeName ?? '')));
      groups.set(key, group);
    }
    if (![...groups.values()].some(group => group.addressType === family)) {
      groups.set(family, { addressType: family as 'IPv4' | 'IPv6', ports: [], endpoints: [] });
    }
  }
  return [...groups.values()];
}

/** Labels of a Service's slices: the Service's own and ours. */
export function sliceLabels(service: Service): Record<string, string> {
  const { [headlessLabel]: _, ...own } = service.metadata.labels ?? {};
  return {
    ...own,
    ...(service.spec.clusterIP === 'None' && { [headlessLabel]: '' }),
    [serviceNameLabel]: service.metadata.name!,
    [managedByLabel]: managedBy,
  };
}

export interface SliceChanges {
  readonly create: ReadonlyArray<Pick<EndpointSlice, 'addressType' | 'ports' | 'endpoints'>>;
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
}

/** Key of a group: its family and ports. */
const groupKey = (group: Pick<EndpointSlice, 'addressType' | 'ports'>): string =>
  createHash('sha1')
    .update(`${group.addressType} ${writeSorted(group.ports ?? [])}`)
    .digest('hex');

/**
 * The least change: endpoints stay in the slice where they are, new ones fill the fullest slice with room, and slices
 * that became empty go, but one remains so that the Service is known to have no endpoints.
 */
export function reconcileSlices(
  service: Service,
  existing: readonly EndpointSlice[],
  desired: readonly DesiredGroup[],
): SliceChanges {
  const labels = sliceLabels(service);
  const create: SliceChanges['create'][number][] = [];
  const update: EndpointSlice[] = [];
  const remove: EndpointSlice[] = [];
  const byGroup = Map.groupBy(existing, groupKey);
  const wanted = new Set(desired.map(groupKey));
  for (const [key, slices] of byGroup) if (!wanted.has(key)) remove.push(...slices);
  for (const group of desired) {
    const missing = new Map(group.endpoints.map(endpoint => [endpoint.targetRef?.uid ?? '', endpoint]));
    const filled = (byGroup.get(groupKey(group)) ?? []).map(slice => {
      const kept: Endpoint[] = [];
      for (const endpoint of slice.endpoints ?? []) {
        const uid = endpoint.targetRef?.uid ?? '';
        const now = missing.get(uid);
        if (now) kept.push(now);
        missing.delete(uid);
      }
      return { slice, endpoints: kept };
    });
    const rest = [...missing.values()];
    for (const each of [...filled].sort((a, b) => b.endpoints.length - a.endpoints.length)) {
      each.endpoints.push(...rest.splice(0, Math.max(0, maxEndpoints - each.endpoints.length)));
    }
    while (rest.length > 0)
      create.push({ addressType: group.addressType, ports: group.ports, endpoints: rest.splice(0, maxEndpoints) });
    if (filled.length === 0 && group.endpoints.length === 0)
      create.push({ addressType: group.addressType, ports: [], endpoints: [] });
    const keep = filled.filter(each => each.endpoints.length > 0);
    if (keep.length === 0 && group.endpoints.length === 0 && filled[0]) keep.push(filled[0]);
    for (const { slice, endpoints } of filled) {
      if (!keep.some(each => each.slice === slice)) remove.push(slice);
      else if (
        !semanticEqual(endpoints, slice.endpoints ?? []) ||
        !semanticEqual(labels, slice.metadata.labels ?? {})
      ) {
        update.push({ ...slice, metadata: { ...slice.metadata, labels }, endpoints } as EndpointSlice);
      }
    }
  }
  return { create, update, remove };
}
