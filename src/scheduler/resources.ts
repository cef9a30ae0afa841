/**
 * What a pod asks for, as plain numbers: milli-CPUs, bytes, counts.
 * Upstream: component-helpers/resource/helpers.go (PodRequests), pkg/scheduler/framework/types.go (Resource).
 */
import type { Container, Pod } from '#api/types';
import { parseQuantity } from '#apimachinery';

/** Amounts by resource name; `cpu` in milli-CPUs, everything else in its own unit. */
export type Resources = Map<string, number>;

/** Upstream's DefaultMilliCPURequest and DefaultMemoryRequest: what a pod without requests counts as in scoring. */
const nonZeroDefaults: ReadonlyArray<readonly [string, number]> = [
  ['cpu', 100],
  ['memory', 200 * 1024 * 1024],
];

/** A ResourceList as numbers. */
export function resourcesOf(list: Readonly<Record<string, unknown>> | undefined): Resources {
  const resources: Resources = new Map();
  for (const [name, amount] of Object.entries(list ?? {})) {
    const quantity = parseQuantity(String(amount));
    resources.set(name, name === 'cpu' ? quantity.milliValue() : quantity.value());
  }
  return resources;
}

/** Adds `factor` times `more` to `sum`, in place. */
export function addResources(sum: Resources, more: Resources, factor = 1): void {
  for (const [name, amount] of more) sum.set(name, (sum.get(name) ?? 0) + factor * amount);
}

function raise(most: Resources, other: Resources): void {
  for (const [name, amount] of other) if (amount > (most.get(name) ?? 0)) most.set(name, amount);
}

const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';

/** Containers side by side, or the hungriest init container beside the sidecars before it, and the overhead. */
export function podRequests(pod: Pod, nonZero = false): Resources {
  const requestsOf = (container: Container): Resources => {
    const requests = resourcesOf(container.resources?.requests);
    if (nonZero) for (const [name, amount] of nonZeroDefaults) if (!requests.has(name)) requests.set(name, amount);
    return requests;
  };
  const total: Resources = new Map();
  for (const container of pod.spec.containers) addResources(total, requestsOf(container));
  const sidecars: Resources = new Map();
  const initPeak: Resources = new Map();
  for (const container of pod.spec.initContainers ?? []) {
    const requests = requestsOf(container);
    if (isSidecar(container)) {
      addResources(total, requests);
      addResources(sidecars, requests);
      raise(initPeak, sidecars);
    } else {
      addResources(requests, sidecars);
      raise(initPeak, requests);
    }
  }
  raise(total, initPeak);
  for (const [name, amount] of resourcesOf(pod.spec.resources?.requests)) total.set(name, amount);
  addResources(total, resourcesOf(pod.spec.overhead));
  return total;
}
