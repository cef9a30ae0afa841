/** Services and ports. Upstream: pkg/api/v1/service/util.go, pkg/api/v1/pod/util.go (FindPort). */
import type { Service, ServiceSpec } from '../../types.ts';

/** Traffic can come from outside through it. */
export function isExternallyAccessible(spec: ServiceSpec): boolean {
  if (spec.type === 'LoadBalancer' || spec.type === 'NodePort') return true;
  return spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0;
}

/** External traffic stays on the node that it reached. */
function isExternalPolicyLocal(spec: ServiceSpec): boolean {
  return isExternallyAccessible(spec) && spec.externalTrafficPolicy === 'Local';
}

/** Load balancers probe a port of the node for it. */
export function needsHealthCheckPort(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' && isExternalPolicyLocal(spec);
}

export function isHeadless(spec: ServiceSpec): boolean {
  return spec.clusterIPs?.length === 1 ? spec.clusterIPs[0] === 'None' : spec.clusterIP === 'None';
}

export type { Service };
