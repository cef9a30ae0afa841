/**
 * Services. Addresses and node ports are given out by the registry, in the transaction that stores the Service.
 * Upstream: pkg/apis/core/v1/defaults.go (SetDefaults_Service), pkg/registry/core/service/strategy.go.
 */
import type { Draft } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { Service } from '../../../types.ts';

const affinityTimeoutSeconds = 10800;

/** Traffic can come from outside through it. */
function isExternal(service: Draft<Service>): boolean {
  const { type, externalIPs, clusterIP } = service.spec;
  return (
    type === 'NodePort' ||
    type === 'LoadBalancer' ||
    (type === 'ClusterIP' && clusterIP !== 'None' && (externalIPs?.length ?? 0) > 0)
  );
}

export function serviceDefaults(service: Draft<Service>): void {
  const { spec } = service;
  if (!spec.sessionAffinity) spec.sessionAffinity = 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP' && !spec.sessionAffinityConfig?.clientIP?.timeoutSeconds) {
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: affinityTimeoutSeconds } };
  }
  if (!spec.type) spec.type = 'ClusterIP';
  for (const port of spec.ports ?? []) {
    if (!port.protocol) port.protocol = 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port;
  }
  if (isExternal(service) && !spec.externalTrafficPolicy) spec.externalTrafficPolicy = 'Cluster';
  if (!spec.internalTrafficPolicy && spec.type !== 'ExternalName') spec.internalTrafficPolicy = 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
}

export const serviceRules: KindRules<Service> = {
  defaults: serviceDefaults,
  prepareCreate(draft) {
    draft.status = { loadBalancer: {} };
    dropTypeDependent(draft);
  },
  prepareUpdate(draft, old) {
    draft.status = structuredClone(old.status ?? { loadBalancer: {} }) as never;
    patchAllocated(draft, old);
    dropTypeDependent(draft, old);
  },
  prepareStatus(draft, old) {
    draft.spec = structuredClone(old.spec) as typeof draft.spec;
  },
  selectableFields: {
    names: ['spec.clusterIP', 'spec.type'],
    read: service => ({ 'spec.clusterIP': service.spec.clusterIP ?? '', 'spec.type': service.spec.type ?? '' }),
  },
  allowUnconditionalUpdate: true,
};

/** An update that leaves allocated values out means to keep them. Upstream: patchAllocatedValues. */
function patchAllocated(draft: Draft<Service>, old: Service): void {
  const needsIp = draft.spec.type !== 'ExternalName' && old.spec.type !== 'ExternalName';
  if (needsIp) {
    if (!draft.spec.clusterIP) {
      if (old.spec.clusterIP) draft.spec.clusterIP = old.spec.clusterIP;
      if (!draft.spec.clusterIPs && old.spec.clusterIPs) draft.spec.clusterIPs = [...old.spec.clusterIPs];
    } else if (!draft.spec.clusterIPs && draft.spec.clusterIP === old.spec.clusterIP && old.spec.clusterIPs) {
      draft.spec.clusterIPs = [...old.spec.clusterIPs];
    }
  }
  const ported = ['NodePort', 'LoadBalancer'];
  if (ported.includes(draft.spec.type ?? '') && ported.includes(old.spec.type ?? '')) {
    const known = new Map(old.spec.ports?.map(port => [`${port.protocol}/${port.port}`, port.nodePort]));
    for (const port of draft.spec.ports ?? []) {
      const before = known.get(`${port.protocol}/${port.port}`);
      if (!port.nodePort && before) port.nodePort = before;
    }
  }
  if (draft.spec.externalTrafficPolicy === 'Local' && !draft.spec.healthCheckNodePort && old.spec.healthCheckNodePort) {
    draft.spec.healthCheckNodePort = old.spec.healthCheckNodePort;
  }
}

/** Values that the type no longer has, unless the client changed them itself. Upstream: dropTypeDependentFields. */
function dropTypeDependent(draft: Draft<Service>, old?: Service): void {
  if (!old) return;
  const { spec } = draft;
  if (spec.type === 'ExternalName' && old.spec.type !== 'ExternalName' && spec.clusterIP === old.spec.clusterIP) {
    delete spec.clusterIP;
    delete spec.clusterIPs;
    delete spec.ipFamilies;
    delete spec.ipFamilyPolicy;
  }
  if (spec.type === 'ClusterIP' && old.spec.type !== 'ClusterIP') {
    const before = new Set(old.spec.ports?.map(port => port.nodePort));
    for (const port of spec.ports ?? []) if (before.has(port.nodePort)) delete port.nodePort;
  }
  if (spec.type !== 'LoadBalancer' && old.spec.type === 'LoadBalancer') {
    if (spec.allocateLoadBalancerNodePorts === old.spec.allocateLoadBalancerNodePorts) {
      delete spec.allocateLoadBalancerNodePorts;
    }
    if (spec.loadBalancerClass === old.spec.loadBalancerClass) delete spec.loadBalancerClass;
  }
  if (!isExternal(draft) && spec.externalTrafficPolicy === old.spec.externalTrafficPolicy)
    delete spec.externalTrafficPolicy;
}
