/** Services and ports. Upstream: pkg/api/v1/service/util.go, pkg/api/v1/pod/util.go (FindPort). */
import type { Pod, Service, ServicePort, ServiceSpec } from '../../types.ts';

/** Traffic can come from outside through it. */
export function isExternallyAccessible(spec: ServiceSpec): boolean {
  if (spec.type === 'LoadBalancer' || spec.type === 'NodePort') return true;
  return spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0;
}

/** External traffic stays on the node that it reached. */
export function isExternalPolicyLocal(spec: ServiceSpec): boolean {
  return isExternallyAccessible(spec) && spec.externalTrafficPolicy === 'Local';
}

/** Load balancers probe a port of the node for it. */
export function needsHealthCheckPort(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' && isExternalPolicyLocal(spec);
}

export function isHeadless(spec: ServiceSpec): boolean {
  return spec.clusterIPs?.length === 1 ? spec.clusterIPs[0] === 'None' : spec.clusterIP === 'None';
}

/** The number of the pod's port that a service port targets; undefined when no container names it. */
export function findPort(
  pod: Pick<Pod, 'spec'>,
  port: Pick<ServicePort, 'targetPort' | 'protocol' | 'port'>,
): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target;
  const sidecars = (pod.spec.initContainers ?? []).filter(container => container.restartPolicy === 'Always');
  for (const container of [...(pod.spec.containers ?? []), ...sidecars]) {
    const found = container.ports?.find(
      each => each.name === target && (each.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    if (found) return found.containerPort;
  }
  return undefined;
}

/** Number of a container's port by its name or number. */
export function containerPortNumber(
  container: { readonly ports?: ReadonlyArray<{ readonly name?: string; readonly containerPort: number }> },
  port: number | string,
): number | undefined {
  if (typeof port === 'number') return port;
  return container.ports?.find(each => each.name === port)?.containerPort;
}

export type { Service };
