/**
 * From Services and EndpointSlices to the contents of our nftables maps. Pure: the whole desired state in, elements
 * out. Upstream: pkg/proxy/{servicechangetracker,endpointslicecache,topology}.go, pkg/proxy/nftables.
 *
 * The maps. `services` leads from (address, protocol, port) to the chain of a pick, one of N; `endpoints` leads from
 * that key and the pick (a mark) to the endpoint. `node_ports` and `node_endpoints` do the same for ports on any
 * address of the node. `no_endpoints` and `no_node_endpoints` hold what must be refused. Where clients stay with
 * their endpoint, `sticky_ids` turns the pick into an endpoint's lasting number, `sticky_targets` the number into the
 * endpoint. `hairpin` lists endpoints of ours that may meet themselves through a Service.
 */
import type { ElementSets } from './element-sets.ts';
import { type Pick, pickChain } from './ruleset.ts';

/** The part of a Service that the proxy reads. */
export interface ProxyService {
  readonly metadata: {
    readonly name?: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec?: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly externalIPs?: readonly string[];
    readonly ports?: readonly ProxyServicePort[];
    readonly sessionAffinity?: string;
    readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } };
    readonly internalTrafficPolicy?: string;
    readonly externalTrafficPolicy?: string;
  };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: ReadonlyArray<{ readonly ip?: string; readonly ipMode?: string }> };
  };
}

export interface ProxyServicePort {
  readonly name?: string;
  readonly protocol?: string;
  readonly port: number;
  readonly nodePort?: number;
}

/** The part of an EndpointSlice that the proxy and DNS read. */
export interface ProxyEndpointSlice {
  readonly metadata: {
    readonly name?: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly addressType: string;
  readonly endpoints?: readonly ProxyEndpoint[] | null;
  readonly ports?: ReadonlyArray<{ readonly name?: string; readonly port?: number; readonly protocol?: string }> | null;
}

export interface ProxyEndpoint {
  readonly addresses: readonly string[];
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
}

export interface ServiceElementsInput {
  readonly services: Iterable<ProxyService>;
  /** Slices by `namespace/service`. */
  readonly slices: ReadonlyMap<string, readonly ProxyEndpointSlice[]>;
  readonly nodeName: string;
  /** First mark of this cluster's picks; pick k is `markBase + k`. */
  readonly markBase: number;
  /** The lasting number (a mark) of an endpoint, by `protocol . address . port`; see {@link createStickyIds}. */
  readonly stickyId: (endpoint: string) => number;
}

export interface ServiceElements {
  readonly sets: ElementSets;
  /** The chains that must exist, by name. */
  readonly picks: ReadonlyMap<string, Pick>;
}

/** Label of an EndpointSlice that names its Service. */
export const serviceNameLabel = 'kubernetes.io/service-name';
const proxyNameLabel = 'service.kubernetes.io/service-proxy-name';

type Sets = Map<string, Map<string, string>>;

/** Names of the maps and sets that {@link serviceElements} fills, all of which the table declares. */
const serviceSetNames = [
  'services',
  'endpoints',
  'node_ports',
  'node_endpoints',
  'no_endpoints',
  'no_node_endpoints',
  'sticky_ids',
  'sticky_node_ids',
  'sticky_targets',
  'hairpin',
] as const;

/** Numbers endpoints for session affinity, from `firstMark` on; a number is never given to another endpoint. */
export function createStickyIds(firstMark: number): (endpoint: string) => number {
  const ids = new Map<string, number>();
  return endpoint => {
    let id = ids.get(endpoint);
    if (id === undefined) ids.set(endpoint, (id = firstMark + ids.size));
    return id;
  };
}

/** See the file header. */
export function serviceElements(input: ServiceElementsInput): ServiceElements {
  const sets: Sets = new Map(serviceSetNames.map(name => [name, new Map()]));
  const picks = new Map<string, Pick>();
  for (const service of input.services) {
    const { clusterIP = '', type } = service.spec ?? {};
    if (type === 'ExternalName' || clusterIP === '' || clusterIP === 'None') continue;
    if (service.metadata.labels?.[proxyNameLabel] !== undefined) continue;
    const slices = input.slices.get(`${service.metadata.namespace}/${service.metadata.name}`) ?? [];
    for (const port of service.spec?.ports ?? []) addPort(input, { sets, picks }, service, port, slices);
  }
  return { sets, picks };
}

function addPort(
  input: ServiceElementsInput,
  into: { sets: Sets; picks: Map<string, Pick> },
  service: ProxyService,
  port: ProxyServicePort,
  slices: readonly ProxyEndpointSlice[],
): void {
  const spec = service.spec!;
  const protocol = (port.protocol ?? 'TCP').toLowerCase();
  const all = endpointsOf(slices, port.name ?? '');
  const inside = usable(all, spec.internalTrafficPolicy === 'Local' ? input.nodeName : undefined);
  const outside = usable(all, spec.externalTrafficPolicy === 'Local' ? input.nodeName : undefined);
  const affinitySeconds =
    spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10800) : undefined;
  const lead = (key: string, byNodePort: boolean, targets: readonly string[]): void => {
    leadTo(input, into, key, protocol, { count: targets.length, byNodePort, affinitySeconds }, targets);
  };
  const ingress = (service.status?.loadBalancer?.ingress ?? [])
    .filter(each => each.ip && each.ipMode !== 'Proxy')
    .map(each => each.ip!);
  for (const address of v4(spec.clusterIPs ?? [spec.clusterIP!])) {
    lead(`${address} . ${protocol} . ${port.port}`, false, inside);
  }
  for (const address of v4([...(spec.externalIPs ?? []), ...ingress])) {
    lead(`${address} . ${protocol} . ${port.port}`, false, outside);
  }
  if (port.nodePort) lead(`${protocol} . ${port.nodePort}`, true, outside);
  for (const target of all) {
    const address = target.text.split(' ')[0]!;
    into.sets.get('hairpin')!.set(`${address} . ${address}`, '');
  }
}

/** Enters one key (an address and port, or a node port) with its targets. */
function leadTo(
  input: ServiceElementsInput,
  { sets, picks }: { sets: Sets; picks: Map<string, Pick> },
  key: string,
  protocol: string,
  pick: Pick,
  targets: readonly string[],
): void {
  const put = (plain: string, byPort: string, element: string, value: string): void => {
    sets.get(pick.byNodePort ? byPort : plain)!.set(element, value);
  };
  if (targets.length === 0) {
    put('no_endpoints', 'no_node_endpoints', key, '');
    return;
  }
  const chain = pickChain(pick);
  picks.set(chain, pick);
  put('services', 'node_ports', key, `goto ${chain}`);
  targets.forEach((target, at) => {
    const picked = `${key} . ${input.markBase + at}`;
    if (pick.affinitySeconds === undefined) {
      put('endpoints', 'node_endpoints', picked, target);
      return;
    }
    const id = input.stickyId(`${protocol} . ${target}`);
    put('sticky_ids', 'sticky_node_ids', picked, String(id));
    sets.get('sticky_targets')!.set(`${protocol} . ${id}`, target);
  });
}

interface Target {
  readonly text: string;
  readonly ready: boolean;
  readonly servingTerminating: boolean;
  readonly nodeName: string | undefined;
}

/** IPv4 endpoints of one service port, by address, without duplicates. */
function endpointsOf(slices: readonly ProxyEndpointSlice[], portName: string): Target[] {
  const found = new Map<string, Target>();
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue;
    for (const port of slice.ports ?? []) {
      if ((port.name ?? '') !== portName || port.port === undefined) continue;
      for (const endpoint of slice.endpoints ?? []) {
        const { ready = true, serving = ready, terminating = false } = endpoint.conditions ?? {};
        const text = `${endpoint.addresses[0]} . ${port.port}`;
        const target = { text, ready, servingTerminating: serving && terminating, nodeName: endpoint.nodeName };
        if (!found.get(text)?.ready) found.set(text, target);
      }
    }
  }
  return [...found.values()].sort((a, b) => (a.text < b.text ? -1 : 1));
}

/** Ready endpoints, else terminating ones that still serve; only those of `nodeName` if one is given. */
function usable(all: readonly Target[], nodeName: string | undefined): string[] {
  const near = nodeName === undefined ? all : all.filter(target => target.nodeName === nodeName);
  const ready = near.filter(target => target.ready);
  return (ready.length > 0 ? ready : near.filter(target => target.servingTerminating)).map(target => target.text);
}

const v4 = (addresses: readonly string[]): string[] => addresses.filter(address => address.includes('.'));
