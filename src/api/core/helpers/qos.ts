/** The quality-of-service class of a Pod. Upstream: pkg/apis/core/helper/qos/qos.go. */
import { parseQuantity, type Quantity } from '#apimachinery';
import type { Pod, PodSpec, ResourceRequirements } from '../../types.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const counted = ['cpu', 'memory'];

function positive(list: ResourceRequirements['limits']): Map<string, Quantity> {
  const amounts = new Map<string, Quantity>();
  for (const name of counted) {
    const text = list?.[name];
    const amount = text === undefined ? undefined : parseQuantity(text);
    if (amount && amount.sign > 0) amounts.set(name, amount);
  }
  return amounts;
}

function add(into: Map<string, Quantity>, more: ReadonlyMap<string, Quantity>): void {
  for (const [name, amount] of more) into.set(name, into.get(name)?.add(amount) ?? amount);
}

/** Decided when the Pod is created and never changed. */
export function qosClass(spec: PodSpec): QosClass {
  const own = spec.resources;
  const parts: Array<ResourceRequirements | undefined> = own
    ? [own]
    : [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(container => container.resources);
  const requests = new Map<string, Quantity>();
  const limits = new Map<string, Quantity>();
  let guaranteed = true;
  for (const part of parts) {
    const limited = positive(part?.limits);
    add(requests, positive(part?.requests));
    add(limits, limited);
    if (limited.size < counted.length) guaranteed = false;
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort';
  const even = [...requests].every(([name, amount]) => limits.get(name)?.compare(amount) === 0);
  return guaranteed && even && requests.size === limits.size ? 'Guaranteed' : 'Burstable';
}

/** The class that the Pod's status says, or else the one that its spec has. */
export function podQos(pod: Pick<Pod, 'spec' | 'status'>): QosClass {
  return (pod.status?.qosClass as QosClass | undefined) || qosClass(pod.spec);
}
