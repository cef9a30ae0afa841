/**
 * Services. Addresses and node ports are given out by the registry, in the transaction that stores the Service.
 * Upstream: pkg/apis/core/v1/defaults.go, pkg/registry/core/service/{strategy.go,storage}.
 */
import { type Draft, nameIsDNSLabel, semanticEqual } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import { keepField, keepSpec } from '../../../strategies.ts';
import type { Service, ServiceSpec } from '../../../types.ts';
import { isExternallyAccessible } from '../../helpers.ts';
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
  },
  prepareUpdate(draft, old) {
    keepField(draft, old, 'status');
    dropTypeDependent(draft, old);
  },
  prepareStatus: keepSpec,
  canonicalize({ spec }) {
    // Upstream fills and drops these whenever it reads a Service.
    if (spec.type === 'ExternalName') delete spec.internalTrafficPolicy;
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
  },
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
