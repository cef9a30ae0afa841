/** The quality-of-service class of a Pod. Upstream: pkg/apis/core/v1/helper/qos/qos.go. */
import { parseQuantity, type Quantity } from '#apimachinery';
import type { Container, PodSpec, ResourceRequirements } from '../../../types.ts';

const counted = ['cpu', 'memory'];

type Amounts = ReadonlyArray<readonly [string, string]>;

function positive(list: ResourceRequirements['limits']): Amounts {
  return Object.entries(list ?? {})
    .map(([name, amount]) => [name, String(amount)] as const)
    .filter(([name, amount]) => counted.includes(name) && isPositive(amount));
}

function isPositive(amount: string): boolean {
  const quantity: Quantity = parseQuantity(amount);
  return quantity.sign > 0;
}

/** Guaranteed, Burstable or BestEffort; decided when the Pod is created and never changed. */
export function qosClass(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const requirements: Array<ResourceRequirements | undefined> = spec.resources
    ? [spec.resources as ResourceRequirements]
    : [...(spec.initContainers ?? []), ...(spec.containers ?? [])].map((container: Container) => container.resources);
  let any = false;
  let guaranteed = true;
  const sums = new Map<string, { requests: string; limits: string }>();
  for (const each of requirements) {
    const requests = positive(each?.requests);
    const limits = positive(each?.limits);
    if (requests.length > 0 || limits.length > 0) any = true;
    if (!counted.every(name => limits.some(([limited]) => limited === name))) guaranteed = false;
    for (const [name, limit] of limits) {
      const request = requests.find(([requested]) => requested === name)?.[1] ?? limit;
      if (parseQuantity(request).compare(parseQuantity(limit)) !== 0) guaranteed = false;
      sums.set(name, { requests: request, limits: limit });
    }
  }
  if (!any) return 'BestEffort';
  return guaranteed && sums.size === counted.length ? 'Guaranteed' : 'Burstable';
}
