/**
 * A node as the scheduler sees it: the object and the sums over its pods, kept incrementally.
 * Upstream: pkg/scheduler/framework/types.go (NodeInfo).
 */
import type { Node, Pod } from '#api/types';
import { type AffinityTerms, affinityTerms } from './affinity-term.ts';
import { addResources, podRequests, type Resources, resourcesOf } from './resources.ts';

/** A host port in use, as `0.0.0.0/TCP/8080`. */
export type HostPort = string;

const wildcard = '0.0.0.0';

/** What is computed once a pod: requests, ports. */
export class PodInfo {
  readonly pod: Pod;
  readonly requests: Resources;
  readonly nonZeroRequests: Resources;
  readonly hostPorts: readonly HostPort[];
  readonly priority: number;
  readonly affinity: AffinityTerms;

  constructor(pod: Pod) {
    this.pod = pod;
    this.requests = podRequests(pod);
    this.nonZeroRequests = podRequests(pod, true);
    this.hostPorts = hostPortsOf(pod);
    this.priority = pod.spec.priority ?? 0;
    this.affinity = affinityTerms(pod);
  }
}

function hostPortsOf(pod: Pod): HostPort[] {
  const sidecars = (pod.spec.initContainers ?? []).filter(container => container.restartPolicy === 'Always');
  return [...pod.spec.containers, ...sidecars].flatMap(container =>
    (container.ports ?? [])
      .filter(port => port.hostPort)
      .map(port => `${port.hostIP || wildcard}/${port.protocol ?? 'TCP'}/${port.hostPort}`),
  );
}

/** See the file header. Only the cache changes it. */
export class NodeInfo {
  readonly name: string;
  node: Node | undefined;
  allocatable: Resources = new Map();
  readonly requested: Resources = new Map();
  readonly nonZeroRequested: Resources = new Map();
  readonly pods: Map<string, PodInfo> = new Map();
  /** Pods with affinity terms of any sort. */
  readonly withAffinity: Set<PodInfo> = new Set();
  readonly #ports = new Map<HostPort, number>();

  constructor(name: string) {
    this.name = name;
  }

  setNode(node: Node | undefined): void {
    this.node = node;
    this.allocatable = resourcesOf(node?.status?.allocatable);
  }

  addPod(info: PodInfo): void {
    this.pods.set(info.pod.metadata.uid!, info);
    if (hasAffinity(info)) this.withAffinity.add(info);
    addResources(this.requested, info.requests);
    addResources(this.nonZeroRequested, info.nonZeroRequests);
    for (const port of info.hostPorts) this.#ports.set(port, (this.#ports.get(port) ?? 0) + 1);
  }

  removePod(uid: string): PodInfo | undefined {
    const info = this.pods.get(uid);
    if (!info) return undefined;
    this.pods.delete(uid);
    this.withAffinity.delete(info);
    addResources(this.requested, info.requests, -1);
    addResources(this.nonZeroRequested, info.nonZeroRequests, -1);
    for (const port of info.hostPorts) {
      const left = this.#ports.get(port)! - 1;
      if (left === 0) this.#ports.delete(port);
      else this.#ports.set(port, left);
    }
    return info;
  }

  /** Two host ports conflict when protocol and number agree and one address is the wildcard or both are the same. */
  hasPortConflict(wanted: readonly HostPort[]): boolean {
    if (wanted.length === 0 || this.#ports.size === 0) return false;
    return wanted.some(port => {
      const [address = '', protocol = '', number = ''] = port.split('/');
      if (address !== wildcard) return this.#ports.has(port) || this.#ports.has(`${wildcard}/${protocol}/${number}`);
      for (const used of this.#ports.keys()) if (used.endsWith(`/${protocol}/${number}`)) return true;
      return false;
    });
  }

  /** A copy without some pods, to try out preemption on. */
  without(uids: Iterable<string>): NodeInfo {
    const copy = new NodeInfo(this.name);
    copy.node = this.node;
    copy.allocatable = this.allocatable;
    const gone = new Set(uids);
    for (const [uid, info] of this.pods) if (!gone.has(uid)) copy.addPod(info);
    return copy;
  }
}

function hasAffinity({ affinity }: PodInfo): boolean {
  const { required, requiredAnti, preferred, preferredAnti } = affinity;
  return required.length + requiredAnti.length + preferred.length + preferredAnti.length > 0;
}
