/**
 * What a container engine asks of pod networking: CNI's verbs (containernetworking/cni SPEC.md 1.1), in process.
 * `network/node` implements it natively; an exec client adapts foreign plugins.
 */

export interface CniPodRequest {
  /** Sandbox id, unique on the node for ever. */
  readonly containerId: string;
  /** Path of the network namespace, as `/run/netns/<name>`. */
  readonly netnsPath: string;
  /** CNI_IFNAME, normally `eth0`. */
  readonly ifName: string;
  readonly podNamespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly hostPorts: readonly CniHostPort[];
  /** Bits a second; absent means no limit. */
  readonly ingressBandwidth?: number;
  readonly egressBandwidth?: number;
}

export interface CniHostPort {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly hostIp?: string;
}

export interface CniResult {
  /** Addresses without prefix length, the primary family first. */
  readonly ips: readonly string[];
}

export interface Cni {
  /** Gives the namespace its interface, addresses and routes. Repeating it for one id answers the same addresses. */
  add(request: CniPodRequest): Promise<CniResult>;
  /** Takes everything back; succeeds when there is nothing (also when the namespace is gone). */
  del(request: Pick<CniPodRequest, 'containerId' | 'netnsPath' | 'ifName'>): Promise<void>;
  /** Why no pod can be given a network now, or undefined when ready. */
  notReadyReason(): Promise<string | undefined>;
}
