/**
 * Cluster DNS as a pure function: a question and the Services in, records out.
 * Specification: kubernetes/dns docs/specification.md 1.1.0 (A, SRV, PTR, TXT dns-version, CNAME, pod records).
 */
import type { ProxyEndpoint, ProxyEndpointSlice, ProxyService } from './service-elements.ts';

export interface DnsRecord {
  readonly name: string;
  readonly type: 'A' | 'SRV' | 'PTR' | 'CNAME' | 'TXT';
  readonly ttl: number;
  readonly data:
    | string
    | { readonly target: string; readonly port: number; readonly priority: number; readonly weight: number };
}

/** `records` undefined: not ours, ask upstream. Empty with `exists`: the name is there, the type is not (NOERROR). */
export interface DnsAnswer {
  readonly records: readonly DnsRecord[] | undefined;
  readonly exists: boolean;
}

export interface DnsView {
  /** By namespace and name. */
  service(namespace: string, name: string): DnsService | undefined;
  /** The Service that has this cluster address. */
  serviceByAddress(address: string): DnsService | undefined;
  /** By `namespace/service`. */
  slicesOf(namespace: string, name: string): readonly ProxyEndpointSlice[];
  namespaceExists(namespace: string): boolean;
  /** Endpoint of a headless Service with this address. */
  endpointByAddress(address: string): { service: DnsService; endpoint: ProxyEndpoint } | undefined;
}

export type DnsService = ProxyService & {
  readonly spec?: { readonly externalName?: string; readonly publishNotReadyAddresses?: boolean };
};

/** Time to live of our records, as the usual cluster DNS serves them: seconds. */
const ttl = 30;
const notOurs: DnsAnswer = { records: undefined, exists: false };
const noName: DnsAnswer = { records: [], exists: false };

/** Answers `name` (lower case, no trailing dot) for `type` in the zone `domain` (as `cluster.local`). */
export function answerClusterName(view: DnsView, domain: string, name: string, type: string): DnsAnswer {
  if (name.endsWith('.in-addr.arpa')) return answerReverse(view, domain, name, type);
  if (name === domain) return { records: [], exists: true };
  if (!name.endsWith(`.${domain}`)) return notOurs;
  const labels = name.slice(0, -domain.length - 1).split('.');
  if (labels.length === 1 && labels[0] === 'dns-version') {
    return records(type === 'TXT' ? [{ name, type: 'TXT', ttl, data: '1.1.0' }] : []);
  }
  const kind = labels.at(-1);
  const namespace = labels.at(-2);
  if (kind !== 'svc' && kind !== 'pod') return noName;
  if (namespace === undefined) return { records: [], exists: true };
  const rest = labels.slice(0, -2);
  if (rest.length === 0) return view.namespaceExists(namespace) ? { records: [], exists: true } : noName;
  if (kind === 'pod') return answerPod(view, name, rest, namespace, type);
  return answerService(view, domain, { name, type, rest, namespace });
}

const records = (list: readonly DnsRecord[]): DnsAnswer => ({ records: list, exists: true });
const a = (name: string, data: string): DnsRecord => ({ name, type: 'A', ttl, data });

function answerPod(view: DnsView, name: string, rest: string[], namespace: string, type: string): DnsAnswer {
  const address = rest[0]!.replaceAll('-', '.');
  if (rest.length !== 1 || !/^\d+(\.\d+){3}$/.test(address) || !view.namespaceExists(namespace)) return noName;
  return records(type === 'A' ? [a(name, address)] : []);
}

interface ServiceQuestion {
  readonly name: string;
  readonly type: string;
  /** Labels before `<namespace>.svc`. */
  readonly rest: readonly string[];
  readonly namespace: string;
}

function answerService(view: DnsView, domain: string, question: ServiceQuestion): DnsAnswer {
  const { name, type, rest, namespace } = question;
  const service = view.service(namespace, rest.at(-1)!);
  if (!service) return noName;
  const { clusterIP = '', type: serviceType, externalName } = service.spec ?? {};
  if (serviceType === 'ExternalName') {
    return rest.length === 1 && externalName ? records([{ name, type: 'CNAME', ttl, data: externalName }]) : noName;
  }
  const headless = clusterIP === 'None';
  const base = `${service.metadata.name}.${namespace}.svc.${domain}`;
  if (rest.length === 1) {
    if (headless) return answerHeadless(view, service, name, type);
    return records(type === 'A' && clusterIP.includes('.') ? [a(name, clusterIP)] : []);
  }
  if (rest.length === 3 && rest[0]!.startsWith('_') && rest[1]!.startsWith('_')) {
    return answerSrv(view, service, base, question, headless);
  }
  if (rest.length === 2 && headless) {
    const hits = endpointsOf(view, service).filter(({ host }) => host === rest[0]);
    if (hits.length === 0) return noName;
    return records(type === 'A' ? hits.map(({ address }) => a(name, address)) : []);
  }
  return noName;
}

function answerHeadless(view: DnsView, service: DnsService, name: string, type: string): DnsAnswer {
  const addresses = [...new Set(endpointsOf(view, service).map(({ address }) => address))];
  if (addresses.length === 0) return noName;
  return records(type === 'A' ? addresses.map(address => a(name, address)) : []);
}

function answerSrv(
  view: DnsView,
  service: DnsService,
  base: string,
  { name, type, rest }: ServiceQuestion,
  headless: boolean,
): DnsAnswer {
  const portName = rest[0]!.slice(1);
  const protocol = rest[1]!.slice(1);
  const matches = (port: { readonly name?: string; readonly protocol?: string }): boolean =>
    port.name === portName && (port.protocol ?? 'TCP').toLowerCase() === protocol;
  const srv = (target: string, port: number): DnsRecord => ({
    name,
    type: 'SRV',
    ttl,
    data: { target, port, priority: 0, weight: 100 },
  });
  const found = headless
    ? endpointsOf(view, service).flatMap(({ host, ports }) =>
        ports.filter(matches).map(port => srv(`${host}.${base}`, port.port!)),
      )
    : (service.spec?.ports ?? []).filter(matches).map(port => srv(base, port.port));
  if (found.length === 0) return noName;
  return records(type === 'SRV' ? found : []);
}

function answerReverse(view: DnsView, domain: string, name: string, type: string): DnsAnswer {
  const address = name.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.');
  const service = view.serviceByAddress(address);
  const nameOf = (each: DnsService): string => `${each.metadata.name}.${each.metadata.namespace}.svc.${domain}`;
  const endpoint = view.endpointByAddress(address);
  const data = service ? nameOf(service) : endpoint && `${hostOf(endpoint.endpoint)}.${nameOf(endpoint.service)}`;
  if (data === undefined) return notOurs;
  return records(type === 'PTR' ? [{ name, type: 'PTR', ttl, data }] : []);
}

/** The label under which an endpoint of a headless Service is known: its hostname, else its address with dashes. */
function hostOf(endpoint: ProxyEndpoint): string {
  return endpoint.hostname || endpoint.addresses[0]!.replaceAll('.', '-');
}

function endpointsOf(
  view: DnsView,
  service: DnsService,
): Array<{ host: string; address: string; ports: NonNullable<ProxyEndpointSlice['ports']> }> {
  const all = service.spec?.publishNotReadyAddresses ?? false;
  return view
    .slicesOf(service.metadata.namespace!, service.metadata.name!)
    .flatMap(slice =>
      slice.addressType !== 'IPv4'
        ? []
        : (slice.endpoints ?? [])
            .filter(endpoint => all || (endpoint.conditions?.ready ?? true))
            .map(endpoint => ({ host: hostOf(endpoint), address: endpoint.addresses[0]!, ports: slice.ports ?? [] })),
    );
}
