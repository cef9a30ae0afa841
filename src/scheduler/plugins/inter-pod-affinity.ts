/**
 * Pods that want to be, or must not be, near other pods. "Near" is: on nodes with the same value of a label.
 * Upstream: plugins/interpodaffinity/{filtering,scoring}.go.
 *
 * Counts are kept by `label=value`. Worked example: a required term with topologyKey zone that matches pods on two nodes
 * of zone a and one of zone b gives {zone=a: 2, zone=b: 1}; a node of zone c is refused.
 */
import { type AffinityTerm, termMatches } from '../affinity-term.ts';
import { type CycleState, maxNodeScore, type Plugin, type Refusal, refuse, type Snapshot } from '../framework.ts';
import type { NodeInfo, PodInfo } from '../node-info.ts';

const name = 'InterPodAffinity';
/** What an existing pod's required affinity to the new one is worth. Upstream: HardPodAffinityWeight. */
const hardAffinityWeight = 1;

const affinityRefusal: Refusal = refuse("node(s) didn't match pod affinity rules", true);
const antiAffinityRefusal: Refusal = refuse("node(s) didn't match pod anti-affinity rules");
const existingRefusal: Refusal = refuse("node(s) didn't satisfy existing pods anti-affinity rules");

type Counts = Map<string, number>;

interface FilterState {
  readonly existingAnti: Counts;
  readonly affinity: Counts;
  readonly anti: Counts;
  /** The pod matches its own terms, so it may be the first of its group. */
  readonly matchesItself: boolean;
}

const bump = (counts: Counts, node: NodeInfo, key: string, by = 1): void => {
  const value = labelOf(node, key);
  if (value !== undefined) counts.set(`${key}=${value}`, (counts.get(`${key}=${value}`) ?? 0) + by);
};

const labelOf = (node: NodeInfo, key: string): string | undefined => node.node?.metadata.labels?.[key];

function matcher(snapshot: Snapshot): (term: AffinityTerm, pod: PodInfo) => boolean {
  return (term, { pod }) => termMatches(term, pod, snapshot.lookups.namespaceLabels(pod.metadata.namespace ?? ''));
}

function prepare(pod: PodInfo, snapshot: Snapshot): FilterState {
  const matches = matcher(snapshot);
  const { required, requiredAnti } = pod.affinity;
  const existingAnti: Counts = new Map();
  const affinity: Counts = new Map();
  const anti: Counts = new Map();
  for (const node of snapshot.nodesWithAffinity) {
    for (const other of node.withAffinity) {
      for (const term of other.affinity.requiredAnti) {
        if (matches(term, pod)) bump(existingAnti, node, term.topologyKey);
      }
    }
  }
  if (required.length + requiredAnti.length > 0) {
    for (const node of snapshot.nodes) {
      for (const other of node.pods.values()) {
        if (required.length > 0 && required.every(term => matches(term, other))) {
          for (const term of required) bump(affinity, node, term.topologyKey);
        }
        for (const term of requiredAnti) if (matches(term, other)) bump(anti, node, term.topologyKey);
      }
    }
  }
  return { existingAnti, affinity, anti, matchesItself: required.every(term => matches(term, pod)) };
}

function meetsAffinity(state: FilterState, pod: PodInfo, node: NodeInfo): boolean {
  let everywhere = true;
  for (const { topologyKey } of pod.affinity.required) {
    const value = labelOf(node, topologyKey);
    if (value === undefined) return false;
    if (!state.affinity.get(`${topologyKey}=${value}`)) everywhere = false;
  }
  return everywhere || (state.affinity.size === 0 && state.matchesItself);
}

function filter(cycle: CycleState, pod: PodInfo, node: NodeInfo): Refusal | undefined {
  const state = cycle.get(name) as FilterState;
  if (!meetsAffinity(state, pod, node)) return affinityRefusal;
  for (const { topologyKey } of pod.affinity.requiredAnti) {
    if (state.anti.get(`${topologyKey}=${labelOf(node, topologyKey)}`)) return antiAffinityRefusal;
  }
  if (state.existingAnti.size > 0) {
    for (const [key, value] of Object.entries(node.node?.metadata.labels ?? {})) {
      if (state.existingAnti.get(`${key}=${value}`)) return existingRefusal;
    }
  }
  return undefined;
}

/** Weights by `label=value`, from what the pod prefers and from what pods that are there prefer. */
function preferences(pod: PodInfo, nodes: Iterable<NodeInfo>, snapshot: Snapshot): Counts {
  const matches = matcher(snapshot);
  const weights: Counts = new Map();
  const { preferred, preferredAnti } = pod.affinity;
  const own = preferred.length + preferredAnti.length > 0;
  for (const node of nodes) {
    for (const other of own ? node.pods.values() : node.withAffinity) {
      for (const { weight, term } of preferred) if (matches(term, other)) bump(weights, node, term.topologyKey, weight);
      for (const { weight, term } of preferredAnti) {
        if (matches(term, other)) bump(weights, node, term.topologyKey, -weight);
      }
      for (const term of other.affinity.required) {
        if (matches(term, pod)) bump(weights, node, term.topologyKey, hardAffinityWeight);
      }
      for (const { weight, term } of other.affinity.preferred) {
        if (matches(term, pod)) bump(weights, node, term.topologyKey, weight);
      }
      for (const { weight, term } of other.affinity.preferredAnti) {
        if (matches(term, pod)) bump(weights, node, term.topologyKey, -weight);
      }
    }
  }
  return weights;
}

const scoreKey = `${name}/score`;

export const interPodAffinity: Plugin = {
  name,
  readsPods: true,
  preFilter(cycle, pod, snapshot) {
    const state = prepare(pod, snapshot);
    const { required, requiredAnti } = pod.affinity;
    if (state.existingAnti.size === 0 && required.length + requiredAnti.length === 0) return { skip: true };
    cycle.set(name, state);
    return undefined;
  },
  filter,
  preScore(cycle, pod, _nodes, snapshot) {
    const { preferred, preferredAnti } = pod.affinity;
    const own = preferred.length + preferredAnti.length > 0;
    const weights = preferences(pod, own ? snapshot.nodes : snapshot.nodesWithAffinity, snapshot);
    cycle.set(scoreKey, weights);
    return weights.size === 0;
  },
  score(cycle, _pod, node) {
    const weights = cycle.get(scoreKey) as Counts;
    let sum = 0;
    for (const [key, value] of Object.entries(node.node?.metadata.labels ?? {}))
      sum += weights.get(`${key}=${value}`) ?? 0;
    return sum;
  },
  normalize(_cycle, _pod, scores) {
    const least = Math.min(...scores.values());
    const spread = Math.max(...scores.values()) - least;
    for (const [node, score] of scores) {
      scores.set(node, spread === 0 ? 0 : Math.trunc((maxNodeScore * (score - least)) / spread));
    }
  },
};
