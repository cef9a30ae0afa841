/**
 * Who owns whom, by uid, from what watches say. Pure bookkeeping, without any request.
 * Upstream: pkg/controller/garbagecollector/{graph,graph_builder}.go.
 */
import type { KubeObject, OwnerReference } from '#apimachinery';
import type { ResourceName } from '#client';

/** One object of the cluster, as far as collecting it goes. */
export interface GraphNode {
  readonly uid: string;
  readonly resource: ResourceName;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly owners: readonly OwnerReference[];
  readonly finalizers: readonly string[];
  readonly deleting: boolean;
}

export interface OwnerGraph {
  set(resource: ResourceName, object: KubeObject): void;
  remove(uid: string): void;
  get(uid: string): GraphNode | undefined;
  /** Objects that name `uid` as an owner, whether it exists or not. */
  dependents(uid: string): Iterable<GraphNode>;
  /** Uids that are named as owners but were never seen, with who names them: owners that may be absent. */
  readonly size: number;
}

export function createOwnerGraph(): OwnerGraph {
  const nodes = new Map<string, GraphNode>();
  const dependents = new Map<string, Set<string>>();
  const unlink = (node: GraphNode): void => {
    for (const { uid } of node.owners) {
      const set = dependents.get(uid);
      set?.delete(node.uid);
      if (set?.size === 0) dependents.delete(uid);
    }
  };
  return {
    set(resource, { metadata }) {
      const uid = metadata.uid!;
      const before = nodes.get(uid);
      if (before) unlink(before);
      const node: GraphNode = {
        uid,
        resource,
        namespace: metadata.namespace,
        name: metadata.name!,
        owners: metadata.ownerReferences ?? [],
        finalizers: metadata.finalizers ?? [],
        deleting: metadata.deletionTimestamp !== undefined,
      };
      nodes.set(uid, node);
      for (const owner of node.owners) {
        const set = dependents.get(owner.uid) ?? new Set();
        dependents.set(owner.uid, set.add(uid));
      }
    },
    remove(uid) {
      const node = nodes.get(uid);
      if (!node) return;
      unlink(node);
      nodes.delete(uid);
    },
    get: uid => nodes.get(uid),
    *dependents(uid) {
      for (const each of dependents.get(uid) ?? []) {
        const node = nodes.get(each);
        if (node) yield node;
      }
    },
    get size() {
      return nodes.size;
    },
  };
}
