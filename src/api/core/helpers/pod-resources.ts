/**
 * What a pod asks for and is limited to. Upstream: k8s.io/component-helpers/resource/helpers.go.
 *
 * Worked example: containers ask for 1 and 2 CPUs, a sidecar (an init container that is restarted always) for 0.5, an
 * init container after it for 4: running needs 3.5, starting needs 4 + 0.5 = 4.5, so the pod asks for 4.5.
 */
import { parseQuantity, Quantity } from '#apimachinery';
import type { Container, Pod, PodSpec } from '../../types.ts';

/** Amounts by resource name. */
export type ResourceAmounts = Map<string, Quantity>;

type Lists = 'requests' | 'limits';

/** The parsed amounts of one list of a container; empty when it has none. */
function containerAmounts(container: Container, list: Lists): ResourceAmounts {
  return parseAmounts(container.resources?.[list]);
}

function parseAmounts(list: Readonly<Record<string, string>> | undefined): ResourceAmounts {
  return new Map(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]));
}

function add(into: ResourceAmounts, more: ReadonlyMap<string, Quantity>): void {
  for (const [name, amount] of more) into.set(name, into.get(name)?.add(amount) ?? amount);
}

function raise(into: ResourceAmounts, more: ReadonlyMap<string, Quantity>): void {
  for (const [name, amount] of more) {
    const known = into.get(name);
    if (known === undefined || amount.compare(known) > 0) into.set(name, amount);
  }
}

/** Restarted for ever beside the regular containers: a sidecar. */
export function isRestartableInit(container: Pick<Container, 'restartPolicy'>): boolean {
  return container.restartPolicy === 'Always';
}

function aggregate(spec: PodSpec, list: Lists): ResourceAmounts {
  const running: ResourceAmounts = new Map();
  for (const container of spec.containers ?? []) add(running, containerAmounts(container, list));
  const sidecars: ResourceAmounts = new Map();
  const starting: ResourceAmounts = new Map();
  for (const container of spec.initContainers ?? []) {
    const own = containerAmounts(container, list);
    if (isRestartableInit(container)) {
      add(running, own);
      add(sidecars, own);
      raise(starting, sidecars);
    } else {
      add(own, sidecars);
      raise(starting, own);
    }
  }
  raise(running, starting);
  return running;
}

/** Requests of all containers, init containers and sidecars counted as they run. */
export function aggregateRequests(spec: PodSpec): ResourceAmounts {
  return aggregate(spec, 'requests');
}

/** The same of limits. */
export function aggregateLimits(spec: PodSpec): ResourceAmounts {
  return aggregate(spec, 'limits');
}

function isPodLevel(name: string): boolean {
  return name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');
}

/** What the scheduler must find for the pod: containers, or what the pod asks for itself, and overhead. */
export function podRequests(pod: Pick<Pod, 'spec'>, options: { excludeOverhead?: boolean } = {}): ResourceAmounts {
  const sum = aggregateRequests(pod.spec);
  for (const [name, amount] of parseAmounts(pod.spec.resources?.requests)) if (isPodLevel(name)) sum.set(name, amount);
  if (!options.excludeOverhead) add(sum, parseAmounts(pod.spec.overhead));
  return sum;
}

/** What the pod may use at most, of the resources that are limited. */
export function podLimits(pod: Pick<Pod, 'spec'>, options: { excludeOverhead?: boolean } = {}): ResourceAmounts {
  const sum = aggregateLimits(pod.spec);
  for (const [name, amount] of parseAmounts(pod.spec.resources?.limits)) if (isPodLevel(name)) sum.set(name, amount);
  if (options.excludeOverhead) return sum;
  for (const [name, amount] of parseAmounts(pod.spec.overhead)) {
    const limit = sum.get(name);
    if (limit !== undefined && !limit.isZero) sum.set(name, limit.add(amount));
  }
  return sum;
}

/** One resource of {@link podRequests}; zero when nothing asks for it. */
export function podRequest(pod: Pick<Pod, 'spec'>, resource: string): Quantity {
  return podRequests(pod).get(resource) ?? Quantity.zero;
}
