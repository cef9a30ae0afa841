/** Quality of service of a pod. Upstream: pkg/apis/core/v1/helper/qos/qos.go. */
import { parseQuantity } from '#apimachinery';
import type { Pod, ResourceRequirements } from '../api-objects.ts';

const counted = ['cpu', 'memory'] as const;

/** The class in the status when the API set one (it never changes), else computed. */
export function podQosClass(pod: Pod): string {
  return pod.status?.qosClass || computeQosClass(pod);
}

export function computeQosClass(pod: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const podLevel = pod.spec.resources;
  const lists: readonly (ResourceRequirements | undefined)[] =
    podLevel && (podLevel.requests || podLevel.limits) ? [podLevel] : containers.map(each => each.resources);
  const sum = (kind: 'requests' | 'limits'): Map<string, number> => {
    const total = new Map<string, number>();
    for (const resources of lists) {
      for (const name of counted) {
        const text = resources?.[kind]?.[name];
        const value = text === undefined ? 0 : parseQuantity(text).toNumber();
        if (value > 0) total.set(name, (total.get(name) ?? 0) + value);
      }
    }
    return total;
  };
  const requests = sum('requests');
  const limits = sum('limits');
  if (requests.size === 0 && limits.size === 0) return 'BestEffort';
  const everyLimit = lists.every(resources =>
    counted.every(name => {
      const text = resources?.limits?.[name];
      return text !== undefined && parseQuantity(text).toNumber() > 0;
    }),
  );
  const equal = requests.size === limits.size && [...requests].every(([name, value]) => limits.get(name) === value);
  return everyLimit && equal && limits.size === counted.length ? 'Guaranteed' : 'Burstable';
}
