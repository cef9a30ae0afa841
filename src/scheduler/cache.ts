/**
 * What the scheduler believes: nodes with their pods, including pods that it has placed but not yet seen bound.
 * Upstream: pkg/scheduler/backend/cache/cache.go. Scheduling decides without waiting for anything, so the cache itself
 * is the snapshot.
 */
import type { Node, Pod } from '#api/types';
import { type Lookups, noLookups, type Snapshot } from './framework.ts';
import { NodeInfo, PodInfo } from './node-info.ts';

export class Cache implements Snapshot {
  readonly #nodes = new Map<string, NodeInfo>();
  readonly #nodeOfPod = new Map<string, string>();
  readonly #assumed = new Set<string>();
  readonly #withAffinity = new Set<NodeInfo>();
  #list: NodeInfo[] | undefined;
  readonly lookups: Lookups;

  constructor(lookups: Lookups = noLookups) {
    this.lookups = lookups;
  }

  get nodesWithAffinity(): Iterable<NodeInfo> {
    return this.#withAffinity;
  }

  /** Nodes that exist, zones taken in turn. */
  get nodes(): readonly NodeInfo[] {
    this.#list ??= interleave([...this.#nodes.values()].filter(info => info.node !== undefined));
    return this.#list;
  }

  get(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  setNode(node: Node): NodeInfo {
    const name = node.metadata.name!;
    const info = this.#infoOf(name);
    if (info.node === undefined) this.#list = undefined;
    info.setNode(node);
    return info;
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (!info) return;
    info.setNode(undefined);
    this.#list = undefined;
    if (info.pods.size === 0) this.#nodes.delete(name);
  }

  /** A pod that the API shows on a node; replaces what was assumed of it. */
  setPod(pod: Pod): PodInfo {
    const uid = pod.metadata.uid!;
    this.removePod(uid);
    const info = new PodInfo(pod);
    this.#place(uid, pod.spec.nodeName!, info);
    return info;
  }

  removePod(uid: string): PodInfo | undefined {
    const name = this.#nodeOfPod.get(uid);
    this.#assumed.delete(uid);
    if (name === undefined) return undefined;
    this.#nodeOfPod.delete(uid);
    const node = this.#nodes.get(name);
    const removed = node?.removePod(uid);
    if (node?.withAffinity.size === 0) this.#withAffinity.delete(node);
    return removed;
  }

  /** Counts a pod on a node before the API says so. */
  assume(info: PodInfo, nodeName: string): void {
    const uid = info.pod.metadata.uid!;
    this.#place(uid, nodeName, info);
    this.#assumed.add(uid);
  }

  /** Takes an assumption back; does nothing when the API has confirmed it meanwhile. */
  forget(uid: string): void {
    if (this.#assumed.has(uid)) this.removePod(uid);
  }

  has(uid: string): boolean {
    return this.#nodeOfPod.has(uid);
  }

  #place(uid: string, nodeName: string, info: PodInfo): void {
    this.#nodeOfPod.set(uid, nodeName);
    const node = this.#infoOf(nodeName);
    node.addPod(info);
    if (node.withAffinity.size > 0) this.#withAffinity.add(node);
  }

  #infoOf(name: string): NodeInfo {
    let info = this.#nodes.get(name);
    if (!info) this.#nodes.set(name, (info = new NodeInfo(name)));
    return info;
  }
}

const zoneOf = ({ node }: NodeInfo): string => node?.metadata.labels?.['topology.kubernetes.io/zone'] ?? '';

/** So that a pod which looks at a part of the nodes sees all zones. Upstream: backend/cache/node_tree.go. */
function interleave(nodes: readonly NodeInfo[]): NodeInfo[] {
  const zones = [...Map.groupBy(nodes, zoneOf).values()];
  if (zones.length <= 1) return [...nodes];
  const rows = Math.max(...zones.map(zone => zone.length));
  return Array.from({ length: rows }, (_, row) => zones.flatMap(zone => zone[row] ?? [])).flat();
}
