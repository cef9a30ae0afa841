/**
 * Services, EndpointSlices and namespaces of the cluster as the proxy and DNS want to look at them: by namespace and
 * name, by address, slices by their Service. Fed with single changes; keeps its indexes small and exact.
 */
import type { DnsService, DnsView } from './dns-records.ts';
import { type ProxyEndpoint, type ProxyEndpointSlice, serviceNameLabel } from './service-elements.ts';
import type { ServiceView } from './service-proxy.ts';

type Named = { readonly metadata: { readonly name?: string; readonly namespace?: string } };

const keyOf = (object: Named): string => `${object.metadata.namespace}/${object.metadata.name}`;

/** See the file header. `set` and `remove` take whole objects in any order. */
export interface MutableServiceView extends ServiceView, DnsView {
  setService(service: DnsService): void;
  removeService(service: Named): void;
  setSlice(slice: ProxyEndpointSlice): void;
  removeSlice(slice: ProxyEndpointSlice): void;
  setNamespace(name: string): void;
  removeNamespace(name: string): void;
}

/** An empty view. */
export function createServiceView(): MutableServiceView {
  const services = new Map<string, DnsService>();
  const byAddress = new Map<string, string>();
  const slices = new Map<string, Map<string, ProxyEndpointSlice>>();
  const lists = new Map<string, readonly ProxyEndpointSlice[]>();
  const namespaces = new Set<string>();
  const serviceOf = (slice: ProxyEndpointSlice): string | undefined => {
    const name = slice.metadata.labels?.[serviceNameLabel];
    return name === undefined ? undefined : `${slice.metadata.namespace}/${name}`;
  };
  const addressesOf = (service: DnsService | undefined): readonly string[] =>
    (service?.spec?.clusterIPs ?? []).filter(address => address !== 'None' && address !== '');
  const dropSlice = (slice: ProxyEndpointSlice): void => {
    for (const [key, group] of slices) {
      if (!group.delete(keyOf(slice))) continue;
      if (group.size === 0) {
        slices.delete(key);
        lists.delete(key);
      } else lists.set(key, [...group.values()]);
    }
  };
  const dropService = (service: Named): void => {
    for (const address of addressesOf(services.get(keyOf(service)))) byAddress.delete(address);
    services.delete(keyOf(service));
  };
  return {
    services: () => services.values(),
    slices: () => lists,
    service: (namespace, name) => services.get(`${namespace}/${name}`),
    serviceByAddress(address) {
      const key = byAddress.get(address);
      return key === undefined ? undefined : services.get(key);
    },
    slicesOf: (namespace, name) => lists.get(`${namespace}/${name}`) ?? [],
    namespaceExists: namespace => namespaces.has(namespace),
    endpointByAddress(address) {
      for (const [key, list] of lists) {
        const service = services.get(key);
        if (service?.spec?.clusterIP !== 'None') continue;
        for (const slice of list) {
          const endpoint = slice.endpoints?.find((each: ProxyEndpoint) => each.addresses.includes(address));
          if (endpoint) return { service, endpoint };
        }
      }
      return undefined;
    },
    setService(service) {
      dropService(service);
      services.set(keyOf(service), service);
      for (const address of addressesOf(service)) byAddress.set(address, keyOf(service));
    },
    removeService: dropService,
    setSlice(slice) {
      const key = serviceOf(slice);
      const known = key !== undefined && slices.get(key)?.has(keyOf(slice));
      if (!known) dropSlice(slice);
      if (key === undefined) return;
      const group = slices.get(key) ?? new Map<string, ProxyEndpointSlice>();
      slices.set(key, group.set(keyOf(slice), slice));
      lists.set(key, [...group.values()]);
    },
    removeSlice: dropSlice,
    setNamespace: name => void namespaces.add(name),
    removeNamespace: name => void namespaces.delete(name),
  };
}
