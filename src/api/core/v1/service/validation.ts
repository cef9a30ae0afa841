/** Services. Upstream: pkg/apis/core/validation (validateService, ValidateServiceUpdate). */
import {
  append,
  duplicate,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  isDNS1123Subdomain,
  isValidCIDRForLegacyField,
  isValidIPForLegacyField,
  isValidPortNum,
  notSupported,
  parseIp,
  required,
  semanticEqual,
  validateLabels,
} from '#apimachinery';
import type { LoadBalancerStatus, Service, ServicePort, ServiceSpec } from '../../../types.ts';
import {
  checkChoice,
  checkDNSLabel,
  checkDNSSubdomain,
  checkPortNumOrName,
  checkQualifiedName,
  type Errors,
  refuseEach,
} from '../../../validation/common.ts';
import { checkEndpointIP } from '../../../validation/endpoint-ip.ts';
import { internalValue } from '../../../validation/internal-value.ts';
import { isExternallyAccessible, isHeadless, needsHealthCheckPort } from '../../helpers.ts';

const path = FieldPath.of('spec');
const annotations = FieldPath.of('metadata', 'annotations');
const hintsKey = 'service.kubernetes.io/topology-aware-hints';
const modeKey = 'service.kubernetes.io/topology-mode';
const rangesKey = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const maxAffinitySeconds = 86400;

/** Upstream's isHeadlessService, which reads the list alone. */
const listsNone = (spec: ServiceSpec): boolean => spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === 'None';

function checkType(errors: Errors, spec: ServiceSpec): void {
  if (!spec.ports?.length && !listsNone(spec) && spec.type !== 'ExternalName')
    errors.push(required(path.child('ports')));
  if ((spec.type === 'LoadBalancer' || spec.type === 'NodePort') && listsNone(spec)) {
    const text = `may not be set to 'None' for ${spec.type} services`;
    errors.push(invalidValue(path.child('clusterIPs').index(0), 'None', text));
  }
  if (spec.type !== 'ExternalName') return;
  const text = 'may not be set for ExternalName services';
  if (spec.clusterIPs?.length) errors.push(forbiddenField(path.child('clusterIPs'), text));
  if (spec.ipFamilies?.length) errors.push(forbiddenField(path.child('ipFamilies'), text));
  if (spec.ipFamilyPolicy !== undefined) errors.push(forbiddenField(path.child('ipFamilyPolicy'), text));
  const name = spec.externalName?.replace(/\.$/, '') ?? '';
  if (name) checkDNSSubdomain(errors, path.child('externalName'), name);
  else errors.push(required(path.child('externalName')));
}

function checkPort(errors: Errors, at: FieldPath, port: ServicePort, requireName: boolean, names: Set<string>): void {
  if (port.name) {
    checkDNSLabel(errors, at.child('name'), port.name);
    if (names.has(port.name)) errors.push(duplicate(at.child('name'), port.name));
    names.add(port.name);
  } else if (requireName) errors.push(required(at.child('name')));
  refuseEach(errors, at.child('port'), port.port ?? 0, isValidPortNum(port.port ?? 0));
  checkChoice(errors, at.child('protocol'), port.protocol, ['SCTP', 'TCP', 'UDP']);
  checkPortNumOrName(errors, at.child('targetPort'), port.targetPort);
  if (port.appProtocol !== undefined) checkQualifiedName(errors, at.child('appProtocol'), port.appProtocol);
}

function checkAffinity(errors: Errors, spec: ServiceSpec): void {
  const { sessionAffinity: affinity, sessionAffinityConfig: config } = spec;
  checkChoice(errors, path.child('sessionAffinity'), affinity, ['ClientIP', 'None']);
  const at = path.child('sessionAffinityConfig');
  if (affinity === 'None' && config) {
    errors.push(forbiddenField(at, 'must not be set when session affinity is None'));
  }
  if (affinity !== 'ClientIP') return;
  const text = 'when session affinity type is ClientIP';
  const seconds = config?.clientIP?.timeoutSeconds;
  if (!config) errors.push(required(at, text));
  else if (!config.clientIP) errors.push(required(at.child('clientIP'), text));
  else if (seconds === undefined) errors.push(required(at.child('clientIP', 'timeoutSeconds'), text));
  else if (seconds <= 0 || seconds > maxAffinitySeconds) {
    const bound = `must be greater than 0 and less than ${maxAffinitySeconds}`;
    errors.push(invalidValue(at.child('clientIP', 'timeoutSeconds'), seconds, bound));
  }
}

const isV6 = (text: string): boolean => parseIp(text)?.bytes.length === 16;

/** clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy against each other. Allocation asks it first. */
export function checkClusterIPs(errors: Errors, spec: ServiceSpec, old: ServiceSpec | undefined): void {
  if (spec.type === 'ExternalName') return;
  const { clusterIP = '', clusterIPs: ips = [], ipFamilies: families = [], ipFamilyPolicy: policy } = spec;
  const ipsPath = path.child('clusterIPs');
  const familiesPath = path.child('ipFamilies');
  if (clusterIP) {
    if (ips.length === 0) errors.push(required(ipsPath));
    else if (ips[0] !== clusterIP) errors.push(invalidValue(ipsPath, ips, 'first value must match `clusterIP`'));
  } else if (ips.length > 0) errors.push(invalidValue(ipsPath, ips, 'must be empty when `clusterIP` is not specified'));
  families.forEach((family, i) => {
    const known = ['IPv4', 'IPv6'];
    if (!known.includes(family)) errors.push(notSupported(familiesPath.index(i), family, known));
    if (families.indexOf(family) < i) errors.push(duplicate(familiesPath.index(i), family));
  });
  const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
  if (policy !== undefined && !policies.includes(policy)) {
    errors.push(notSupported(path.child('ipFamilyPolicy'), policy, policies));
  }
  let invalid = false;
  ips.forEach((ip, i) => {
    if (i === 0 && ip === 'None') {
      if (ips.length === 1) return;
      invalid = true;
      errors.push(invalidValue(ipsPath, ips, "'None' must be the first and only value"));
      return;
    }
    const refusals = isValidIPForLegacyField(ipsPath.index(i), ip, old?.clusterIPs ?? []);
    invalid ||= refusals.length > 0;
    append(errors, refusals);
  });
  if (ips.length > 2) errors.push(invalidValue(ipsPath, ips, 'may only hold up to 2 values'));
  if (invalid) return;
  checkFamilies(errors, ipsPath, ips, families, listsNone(spec));
}

function checkFamilies(
  errors: Errors,
  path: FieldPath,
  ips: readonly string[],
  families: readonly string[],
  headless: boolean,
): void {
  if (ips.length > 1 && new Set(ips.map(isV6)).size < 2) {
    errors.push(invalidValue(path, ips, 'may specify no more than one IP for each IP family'));
  }
  if (headless) return;
  ips.slice(0, families.length).forEach((ip, i) => {
    const expected = families[i]!;
    if (expected !== 'IPv4' && expected !== 'IPv6') return;
    if ((expected === 'IPv6') === isV6(ip)) return;
    errors.push(invalidValue(path.index(i), ip, `expected an ${expected} value as indicated by \`ipFamilies[${i}]\``));
  });
}

function checkPortUse(errors: Errors, spec: ServiceSpec): void {
  const ports = spec.ports ?? [];
  const at = (i: number): FieldPath => path.child('ports').index(i);
  if (spec.type === 'ClusterIP') {
    ports.forEach((port, i) => {
      if (!port.nodePort) return;
      errors.push(forbiddenField(at(i).child('nodePort'), "may not be used when `type` is 'ClusterIP'"));
    });
  }
  const nodePorts = new Set<string>();
  ports.forEach((port, i) => {
    if (!port.nodePort) return;
    const key = `${port.protocol}/${port.nodePort}`;
    if (nodePorts.has(key)) errors.push(duplicate(at(i).child('nodePort'), port.nodePort));
    nodePorts.add(key);
  });
  const used = new Set<string>();
  ports.forEach((port, i) => {
    const key = `${port.protocol}/${port.port}`;
    if (used.has(key)) {
      const { protocol, port: number } = port;
      errors.push(duplicate(at(i), internalValue('core.ServicePort', { protocol, port: number })));
    }
    used.add(key);
  });
}

function checkSourceRanges(errors: Errors, service: Service, old: Service | null): void {
  const { spec } = service;
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const misplaced = "may only be used when `type` is 'LoadBalancer'";
  if (ranges.length > 0) {
    const at = path.child('LoadBalancerSourceRanges');
    if (spec.type !== 'LoadBalancer') errors.push(forbiddenField(at, misplaced));
    const known = (old?.spec.loadBalancerSourceRanges ?? []).map(range => range.trim());
    ranges.forEach((range, i) => {
      append(errors, isValidCIDRForLegacyField(at.index(i), range.trim(), known));
    });
    return;
  }
  const text = service.metadata.annotations?.[rangesKey];
  if (text === undefined) return;
  const at = annotations.key(rangesKey);
  if (spec.type !== 'LoadBalancer') errors.push(forbiddenField(at, misplaced));
  if (old?.metadata.annotations?.[rangesKey] === text || text.trim() === '') return;
  for (const range of text.trim().split(',')) append(errors, isValidCIDRForLegacyField(at, range.trim()));
}

function checkLoadBalancer(errors: Errors, spec: ServiceSpec): void {
  const { allocateLoadBalancerNodePorts: allocate } = spec;
  const misplaced = "may only be used when `type` is 'LoadBalancer'";
  if (allocate !== undefined && spec.type !== 'LoadBalancer') {
    errors.push(forbiddenField(path.child('allocateLoadBalancerNodePorts'), misplaced));
  }
  if (allocate === undefined && spec.type === 'LoadBalancer') {
    errors.push(required(FieldPath.of('allocateLoadBalancerNodePorts')));
  }
  checkClass(errors, spec);
}

function checkClass(errors: Errors, spec: ServiceSpec): void {
  const name = spec.loadBalancerClass;
  if (name === undefined) return;
  const at = path.child('loadBalancerClass');
  if (spec.type === 'LoadBalancer') checkQualifiedName(errors, at, name);
  else errors.push(forbiddenField(at, "may only be used when `type` is 'LoadBalancer'"));
}

function checkTraffic(errors: Errors, spec: ServiceSpec): void {
  const { externalTrafficPolicy: external = '', internalTrafficPolicy: internal, trafficDistribution } = spec;
  const at = path.child('externalTrafficPolicy');
  if (isExternallyAccessible(spec)) checkChoice(errors, at, external, ['Cluster', 'Local']);
  else if (external) errors.push(invalidValue(at, external, 'may only be set for externally-accessible services'));
  const port = spec.healthCheckNodePort ?? 0;
  const portPath = path.child('healthCheckNodePort');
  if (needsHealthCheckPort(spec)) {
    if (port === 0) errors.push(required(portPath));
    else refuseEach(errors, portPath, port, isValidPortNum(port));
  } else if (port !== 0) {
    const text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.push(invalidValue(portPath, port, text));
  }
  const internalPath = path.child('internalTrafficPolicy');
  if (internal === undefined) {
    if (['NodePort', 'LoadBalancer', 'ClusterIP'].includes(spec.type ?? '')) errors.push(required(internalPath));
  } else if (internal !== 'Cluster' && internal !== 'Local') {
    errors.push(notSupported(internalPath, internal, ['Cluster', 'Local']));
  }
  const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
  if (trafficDistribution !== undefined && !distributions.includes(trafficDistribution)) {
    errors.push(notSupported(path.child('trafficDistribution'), trafficDistribution, distributions));
  }
}

function checkService(errors: Errors, service: Service, old: Service | null): void {
  const { spec, metadata } = service;
  const hints = metadata.annotations?.[hintsKey];
  const mode = metadata.annotations?.[modeKey];
  if (hints !== undefined && mode !== undefined && hints !== mode) {
    errors.push(
      invalidValue(annotations.key(modeKey), mode, `must match annotations[${hintsKey}] when both are specified`),
    );
  }
  checkType(errors, spec);
  const ports = spec.ports ?? [];
  const names = new Set<string>();
  ports.forEach((port, i) => {
    checkPort(errors, path.child('ports').index(i), port, ports.length > 1, names);
  });
  append(errors, validateLabels(spec.selector, path.child('selector')));
  checkAffinity(errors, spec);
  checkClusterIPs(errors, spec, old?.spec);
  spec.externalIPs?.forEach((ip, i) => {
    const at = path.child('externalIPs').index(i);
    const refusals = isValidIPForLegacyField(at, ip, old?.spec.externalIPs ?? []);
    if (refusals.length > 0) append(errors, refusals);
    else checkEndpointIP(errors, at, ip);
  });
  checkChoice(errors, path.child('type'), spec.type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']);
  checkPortUse(errors, spec);
  checkSourceRanges(errors, service, old);
  checkLoadBalancer(errors, spec);
  checkTraffic(errors, spec);
}

const fixed = 'may not change once set';

/** Addresses stay once they are given; a second one may come and go. */
function checkAddressChange(errors: Errors, now: ServiceSpec, before: ServiceSpec): void {
  if (now.type === 'ExternalName' || before.type === 'ExternalName') return;
  if (isHeadless(now) && isHeadless(before) && listsNone(now) && listsNone(before)) return;
  const { clusterIPs: ips = [] } = now;
  const old = before.clusterIPs ?? [];
  const at = (i: number): FieldPath => path.child('clusterIPs').index(i);
  if (old.length === ips.length) {
    old.forEach((ip, i) => {
      if (ip !== ips[i]) errors.push(invalidValue(at(i), ips, fixed));
    });
    return;
  }
  if (old.length > ips.length && ips.length === 0) {
    errors.push(invalidValue(at(0), now.clusterIPs ?? null, 'primary clusterIP can not be unset'));
  }
  if (old.length > 0 && ips.length > 0 && ips[0] !== old[0]) errors.push(invalidValue(at(0), ips, fixed));
  if (old.length > ips.length && ips.length === 1 && now.ipFamilyPolicy !== 'SingleStack') {
    const text = "must be set to 'SingleStack' when releasing the secondary clusterIP";
    errors.push(invalidValue(path.child('ipFamilyPolicy'), now.ipFamilyPolicy ?? null, text));
  }
}

function checkFamilyChange(errors: Errors, now: ServiceSpec, before: ServiceSpec): void {
  if (now.type === 'ExternalName' || before.type === 'ExternalName') return;
  if (listsNone(now) && listsNone(before)) return;
  const { ipFamilies: families = [] } = now;
  const old = before.ipFamilies ?? [];
  const at = path.child('ipFamilies').index(0);
  if (old.length === families.length) {
    old.forEach((family, i) => {
      if (family !== families[i]) errors.push(invalidValue(at, families, fixed));
    });
    return;
  }
  if (old.length > families.length && !now.clusterIPs?.length) {
    errors.push(invalidValue(at, now.ipFamilies ?? null, 'primary ipFamily can not be unset'));
  }
  if (old.length > 0 && families.length > 0 && families[0] !== old[0]) {
    errors.push(invalidValue(at, now.clusterIPs ?? null, fixed));
  }
  if (old.length > families.length && families.length === 1 && now.ipFamilyPolicy !== 'SingleStack') {
    const text = "must be set to 'SingleStack' when releasing the secondary ipFamily";
    errors.push(invalidValue(path.child('ipFamilyPolicy'), now.ipFamilyPolicy ?? null, text));
  }
}

function checkUpdate(errors: Errors, now: ServiceSpec, before: ServiceSpec): void {
  checkAddressChange(errors, now, before);
  checkFamilyChange(errors, now, before);
  const balanced = now.type === 'LoadBalancer' && before.type === 'LoadBalancer';
  if (balanced && !semanticEqual(now.loadBalancerClass, before.loadBalancerClass)) {
    errors.push(invalidValue(path.child('loadBalancerClass'), now.loadBalancerClass ?? null, fixed));
  }
  checkClass(errors, now);
  const checked = needsHealthCheckPort(now) && needsHealthCheckPort(before);
  if (checked && now.healthCheckNodePort !== before.healthCheckNodePort) {
    errors.push(forbiddenField(path.child('healthCheckNodePort'), 'field is immutable'));
  }
}

export function validateService(service: Service, old: Service | null): FieldError[] {
  const errors: Errors = [];
  if (old) checkUpdate(errors, service.spec, old.spec);
  checkService(errors, service, old);
  return errors;
}

/** Addresses of a load balancer, for Services and Ingresses. */
function checkLoadBalancerStatus(
  errors: Errors,
  at: FieldPath,
  status: LoadBalancerStatus | undefined,
  old: LoadBalancerStatus | undefined,
): void {
  const known = (old?.ingress ?? []).map(each => each.ip ?? '').filter(ip => ip !== '');
  status?.ingress?.forEach((ingress, i) => {
    const one = at.child('ingress').index(i);
    const { ip = '', ipMode, hostname = '' } = ingress;
    if (ip) append(errors, isValidIPForLegacyField(one.child('ip'), ip, known));
    if (ipMode === undefined) {
      if (ip) errors.push(required(one.child('ipMode'), 'must be specified when `ip` is set'));
    } else if (!ip) errors.push(forbiddenField(one.child('ipMode'), 'may not be specified when `ip` is not set'));
    else if (ipMode !== 'VIP' && ipMode !== 'Proxy') {
      errors.push(notSupported(one.child('ipMode'), ipMode, ['Proxy', 'VIP']));
    }
    if (!hostname) return;
    refuseEach(errors, one.child('hostname'), hostname, isDNS1123Subdomain(hostname));
    if (parseIp(hostname)) {
      errors.push(invalidValue(one.child('hostname'), hostname, 'must be a DNS name, not an IP address'));
    }
  });
}

export function validateServiceStatus(service: Service, old: Service): FieldError[] {
  const errors: Errors = [];
  const at = FieldPath.of('status', 'loadBalancer');
  if (service.spec.type !== 'LoadBalancer' && service.status?.loadBalancer?.ingress?.length) {
    errors.push(forbiddenField(at.child('ingress'), "may only be used when `spec.type` is 'LoadBalancer'"));
  } else checkLoadBalancerStatus(errors, at, service.status?.loadBalancer, old.status?.loadBalancer);
  return errors;
}
