/** EndpointSlices. Upstream: pkg/apis/discovery/{v1/defaults.go,validation}, pkg/registry/discovery/endpointslice. */
import {
  append,
  type Draft,
  duplicate,
  type FieldError,
  FieldPath,
  invalidValue,
  isFullyQualifiedDomainName,
  isIPv4,
  isLabelValue,
  isValidIP,
  isValidIPForLegacyField,
  nameIsDNSSubdomain,
  notSupported,
  parseIp,
  required,
  semanticEqual,
  tooMany,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { DiscoveryV1EndpointPort, Endpoint, EndpointHints, EndpointSlice } from '../../../types.ts';
import { checkDNSLabel, checkQualifiedName, type Errors, refuseEach } from '../../../validation/common.ts';
import { checkEndpointIP } from '../../../validation/endpoint-ip.ts';

const types = ['FQDN', 'IPv4', 'IPv6'];

function checkAddress(errors: Errors, path: FieldPath, at: FieldPath, address: string, type: string): void {
  if (type === 'FQDN') {
    append(errors, isFullyQualifiedDomainName(at, address));
    return;
  }
  if (type !== 'IPv4' && type !== 'IPv6') return;
  const refusals = type === 'IPv4' ? isValidIPForLegacyField(at, address) : isValidIP(at, address);
  if (refusals.length > 0) {
    append(errors, refusals);
    return;
  }
  if (isIPv4(parseIp(address)!) !== (type === 'IPv4')) {
    errors.push(invalidValue(path, address, `must be an ${type} address`));
  }
  checkEndpointIP(errors, at, address);
}

function checkHints(errors: Errors, path: FieldPath, hints: EndpointHints): void {
  const lists = [
    ['forZones', isLabelValue],
    ['forNodes', (name: string) => nameIsDNSSubdomain(name, false)],
  ] as const;
  for (const [list, check] of lists) {
    const entries = hints[list] ?? [];
    const at = path.child(list);
    if (entries.length > 8) {
      errors.push(tooMany(at, entries.length, 8));
      return;
    }
    const seen = new Set<string>();
    entries.forEach(({ name = '' }, i) => {
      const own = at.index(i).child('name');
      if (seen.has(name)) errors.push(duplicate(own, name));
      seen.add(name);
      refuseEach(errors, own, name, check(name));
    });
  }
}

function checkEndpoints(endpoints: readonly Endpoint[], type: string): FieldError[] {
  const errors: Errors = [];
  const path = FieldPath.of('endpoints');
  if (endpoints.length > 1000) return [tooMany(path, endpoints.length, 1000)];
  endpoints.forEach((endpoint, i) => {
    const own = path.index(i);
    const at = own.child('addresses');
    const { addresses = [], nodeName, hostname, hints } = endpoint;
    if (addresses.length === 0) errors.push(required(at, 'must contain at least 1 address'));
    else if (addresses.length > 100) errors.push(tooMany(at, addresses.length, 100));
    addresses.forEach((address, j) => {
      checkAddress(errors, at, at.index(j), address, type);
    });
    if (nodeName !== undefined)
      refuseEach(errors, own.child('nodeName'), nodeName, nameIsDNSSubdomain(nodeName, false));
    if (hostname !== undefined) checkDNSLabel(errors, own.child('hostname'), hostname);
    if (hints) checkHints(errors, own.child('hints'), hints);
  });
  return errors;
}

function checkPorts(errors: Errors, ports: readonly DiscoveryV1EndpointPort[]): void {
  const path = FieldPath.of('ports');
  if (ports.length > 20000) {
    errors.push(tooMany(path, ports.length, 20000));
    return;
  }
  const names = new Set<string>();
  ports.forEach(({ name = '', protocol, appProtocol }, i) => {
    const at = path.index(i);
    if (name) checkDNSLabel(errors, at.child('name'), name);
    if (names.has(name)) errors.push(duplicate(at.child('name'), name));
    names.add(name);
    const protocols = ['SCTP', 'TCP', 'UDP'];
    if (protocol === undefined) errors.push(required(at.child('protocol')));
    else if (!protocols.includes(protocol)) errors.push(notSupported(at.child('protocol'), protocol, protocols));
    if (appProtocol !== undefined) checkQualifiedName(errors, at.child('appProtocol'), appProtocol);
  });
}

function validate(slice: EndpointSlice, old: EndpointSlice | null): FieldError[] {
  const errors: Errors = [];
  const type = slice.addressType ?? '';
  const path = FieldPath.of('addressType');
  if (!type) errors.push(required(path));
  else if (!types.includes(type)) errors.push(notSupported(path, type, types));
  checkPorts(errors, slice.ports ?? []);
  const same = old !== null && semanticEqual(old.endpoints, slice.endpoints);
  if (!same) append(errors, checkEndpoints(slice.endpoints ?? [], type));
  if (old && (old.addressType ?? '') !== type) errors.push(invalidValue(path, type, 'field is immutable'));
  return errors;
}

const hostnameLabel = 'kubernetes.io/hostname';

/** What the beta kept in the topology: the node's name survives where it was known before, the rest does not. */
function dropTopology(draft: Draft<EndpointSlice>, old: EndpointSlice | undefined): void {
  if (old && semanticEqual(old.endpoints, draft.endpoints)) return;
  const known = new Set((old?.endpoints ?? []).map(each => each.deprecatedTopology?.[hostnameLabel]));
  for (const endpoint of draft.endpoints ?? []) {
    const name = endpoint.deprecatedTopology?.[hostnameLabel];
    const valid = name !== undefined && known.has(name) && nameIsDNSSubdomain(name, false).length === 0;
    if (endpoint.nodeName === undefined && valid) endpoint.nodeName = name;
    delete endpoint.deprecatedTopology;
  }
}

const differs = (now: EndpointSlice, old: EndpointSlice): boolean =>
  !semanticEqual(now.endpoints, old.endpoints) ||
  !semanticEqual(now.ports, old.ports) ||
  now.addressType !== old.addressType ||
  !semanticEqual(now.metadata.labels, old.metadata.labels);

export const endpointSliceRules: KindRules<EndpointSlice> = {
  defaults({ ports }) {
    for (const port of ports ?? []) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
  },
  prepareCreate: draft => dropTopology(draft, undefined),
  prepareUpdate: dropTopology,
  validate,
  // A slice that is sent with a topology counts as changed.
  generation: { changed: differs, early: true },
  allowUnconditionalUpdate: true,
};
