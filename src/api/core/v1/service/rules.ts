/**
 * Services. Addresses and node ports are given out by the registry, in the transaction that stores the Service.
 * Upstream: pkg/apis/core/v1/defaults.go, pkg/registry/core/service/{strategy.go,storage}.
 */
import { type Draft, nameIsDNSLabel, semanticEqual } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import { keepField, keepSpec } from '../../../strategies.ts';
import type { Service, ServiceSpec } from '../../../types.ts';
import { isExternallyAccessible, needsHealthCheckPort } from '../../helpers.ts';
import { validateService, validateServiceStatus } from './validation.ts';

const affinityTimeoutSeconds = 10800;

function defaults({ spec, status }: Draft<Service>): void {
  if (!spec.sessionAffinity) spec.sessionAffinity = 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP' && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined) {
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: affinityTimeoutSeconds } };
  }
  if (!spec.type) spec.type = 'ClusterIP';
  for (const port of spec.ports ?? []) {
    if (!port.protocol) port.protocol = 'TCP';
    if (!port.targetPort) port.targetPort = port.port ?? 0;
  }
  if (isExternallyAccessible(spec as ServiceSpec) && !spec.externalTrafficPolicy)
    spec.externalTrafficPolicy = 'Cluster';
  if (['NodePort', 'LoadBalancer', 'ClusterIP'].includes(spec.type)) spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type !== 'LoadBalancer') return;
  spec.allocateLoadBalancerNodePorts ??= true;
  for (const ingress of status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ??= 'VIP';
}

const ported = (spec: ServiceSpec | Draft<ServiceSpec>): boolean =>
  spec.type === 'NodePort' || spec.type === 'LoadBalancer';

/** An update that leaves allocated values out means to keep them. Upstream: patchAllocatedValues, normalizeClusterIPs. */
function patchAllocated(spec: Draft<ServiceSpec>, old: ServiceSpec): void {
  const oldIPs = old.clusterIPs ?? [];
  if (spec.type !== 'ExternalName' && old.type !== 'ExternalName') {
    if (!spec.clusterIP && old.clusterIP) spec.clusterIP = old.clusterIP;
    if (!spec.clusterIPs?.length && oldIPs.length > 0) spec.clusterIPs = [...oldIPs];
  }
  if (ported(spec) && ported(old)) {
    const given = new Map(old.ports?.map(port => [port.name ?? '', port.nodePort ?? 0]));
    const asked = new Set(spec.ports?.map(port => port.nodePort ?? 0));
    const used = new Set([...given.values()].filter(port => port !== 0 && asked.has(port)));
    for (const port of spec.ports ?? []) {
      const before = given.get(port.name ?? '') ?? 0;
      if (!port.nodePort && before !== 0 && !used.has(before)) port.nodePort = before;
    }
  }
  if (needsHealthCheckPort(spec as ServiceSpec) && needsHealthCheckPort(old) && !spec.healthCheckNodePort) {
    if (old.healthCheckNodePort) spec.healthCheckNodePort = old.healthCheckNodePort;
  }
  normalizeAddresses(spec, old);
}

/** The single address and the list follow one another, whichever a client changed. */
function normalizeAddresses(spec: Draft<ServiceSpec>, old: ServiceSpec): void {
  const same = (a: readonly string[] | undefined, b: readonly string[] | undefined): boolean =>
    semanticEqual(a ?? [], b ?? []);
  const now = spec.clusterIP ?? '';
  const before = old.clusterIP ?? '';
  if (old.clusterIPs?.length && !spec.clusterIPs?.length && before === now) spec.clusterIPs = [...old.clusterIPs];
  if (before === now || !same(old.clusterIPs, spec.clusterIPs)) return;
  if (before && !now) delete spec.clusterIPs;
  else if (now) spec.clusterIPs = [now];
}

/** Values that the type no longer has, unless the client changed them itself. Upstream: dropTypeDependentFields. */
function dropTypeDependent(draft: Draft<Service>, old: Service): void {
  const { spec } = draft;
  const before = old.spec;
  const same = (...names: (keyof ServiceSpec)[]): boolean =>
    names.every(name => semanticEqual(spec[name], before[name]));
  if (spec.type === 'ExternalName' && before.type !== 'ExternalName') {
    if (same('clusterIP', 'clusterIPs')) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    if (same('ipFamilies')) delete spec.ipFamilies;
    if (same('ipFamilyPolicy')) delete spec.ipFamilyPolicy;
  }
  if (ported(before) && !ported(spec)) {
    const known = new Set(before.ports?.map(port => port.nodePort));
    const ports = spec.ports ?? [];
    if (ports.every(port => !port.nodePort || known.has(port.nodePort))) for (const port of ports) delete port.nodePort;
  }
  const checked = (each: ServiceSpec | Draft<ServiceSpec>): boolean =>
    each.type === 'LoadBalancer' && each.externalTrafficPolicy === 'Local';
  if (checked(before) && !checked(spec) && same('healthCheckNodePort')) delete spec.healthCheckNodePort;
  if (spec.type !== 'LoadBalancer') {
    if (before.type === 'LoadBalancer') {
      if (same('allocateLoadBalancerNodePorts')) delete spec.allocateLoadBalancerNodePorts;
      if (same('loadBalancerClass')) delete spec.loadBalancerClass;
    }
    draft.status = { ...draft.status, loadBalancer: {} };
  }
  const accessible = isExternallyAccessible(before) && !isExternallyAccessible(spec as ServiceSpec);
  if (accessible && same('externalTrafficPolicy')) delete spec.externalTrafficPolicy;
}

export const serviceRules: KindRules<Service> = {
  defaults,
  prepareCreate(draft) {
    draft.status = { loadBalancer: {} };
    const { spec } = draft;
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
  },
  prepareUpdate(draft, old) {
    keepField(draft, old, 'status');
    patchAllocated(draft.spec, old.spec);
    dropTypeDependent(draft, old);
  },
  prepareStatus: keepSpec,
  validate: validateService,
  validateStatus: validateServiceStatus,
  validateName: nameIsDNSLabel,
  selectableFields: {
    names: ['spec.clusterIP', 'spec.type'],
    read: service => ({ 'spec.clusterIP': service.spec.clusterIP ?? '', 'spec.type': service.spec.type ?? '' }),
  },
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: true,
};
