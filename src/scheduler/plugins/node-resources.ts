/** Room for a pod, and where room is best used. Upstream: plugins/noderesources/{fit,least_allocated,balanced_allocation}.go. */
import { maxNodeScore, type Plugin, type Refusal } from '../framework.ts';
import type { NodeInfo, PodInfo } from '../node-info.ts';

const scored = ['cpu', 'memory'] as const;

/** What a node lacks for a pod; `unresolvable` when even an empty node would not do. */
export function insufficient(pod: PodInfo, node: NodeInfo): Refusal | undefined {
  const reasons: string[] = [];
  let unresolvable = false;
  const allowed = node.allocatable.get('pods') ?? 0;
  if (node.pods.size + 1 > allowed) reasons.push('Too many pods');
  for (const [name, amount] of pod.requests) {
    if (amount === 0) continue;
    const allocatable = node.allocatable.get(name) ?? 0;
    if (amount <= allocatable - (node.requested.get(name) ?? 0)) continue;
    reasons.push(`Insufficient ${name}`);
    if (amount > allocatable) unresolvable = true;
  }
  return reasons.length > 0 ? { reasons, unresolvable } : undefined;
}

/** A node or the end of a pod may give room. */
const roomMayAppear: NonNullable<Plugin['mayHelp']> = (event, pod) => {
  if (event.type === 'podDeleted') return true;
  if (event.type === 'podUpdated') return true;
  return 'node' in event && !insufficient(pod, event.node);
};

export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  filter: (_state, pod, node) => insufficient(pod, node),
  score(_state, pod, node) {
    let sum = 0;
    let weights = 0;
    for (const name of scored) {
      const allocatable = node.allocatable.get(name) ?? 0;
      if (allocatable === 0) continue;
      const used = (node.nonZeroRequested.get(name) ?? 0) + (pod.nonZeroRequests.get(name) ?? 0);
      sum += used > allocatable ? 0 : Math.floor(((allocatable - used) * maxNodeScore) / allocatable);
      weights++;
    }
    return weights === 0 ? 0 : Math.floor(sum / weights);
  },
  mayHelp: roomMayAppear,
};

export const nodeResourcesBalancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  preScore: (_state, pod) => scored.every(name => !pod.requests.get(name)),
  score(_state, pod, node) {
    const fractions = (extra: boolean): number[] =>
      scored
        .filter(name => (node.allocatable.get(name) ?? 0) > 0)
        .map(name => {
          const used = (node.requested.get(name) ?? 0) + (extra ? (pod.requests.get(name) ?? 0) : 0);
          return Math.min(1, used / node.allocatable.get(name)!);
        });
    const score = (extra: boolean): number => Math.floor((1 - deviation(fractions(extra))) * maxNodeScore);
    // What the pod changes counts, around the middle of the scale.
    return maxNodeScore / 2 + Math.trunc((maxNodeScore / 2 + score(true) - score(false)) / 2);
  },
};

/** With two resources upstream takes half their distance, which is the standard deviation. */
function deviation(fractions: readonly number[]): number {
  if (fractions.length < 2) return 0;
  const mean = fractions.reduce((sum, each) => sum + each, 0) / fractions.length;
  return Math.sqrt(fractions.reduce((sum, each) => sum + (each - mean) ** 2, 0) / fractions.length);
}

export const nodePorts: Plugin = {
  name: 'NodePorts',
  preFilter: (_state, pod) => ({ skip: pod.hostPorts.length === 0 }),
  filter(_state, pod, node) {
    if (!node.hasPortConflict(pod.hostPorts)) return undefined;
    return { reasons: ["node(s) didn't have free ports for the requested pod ports"], unresolvable: false };
  },
  mayHelp: (event, pod) =>
    event.type === 'podDeleted' || ('node' in event && !event.node.hasPortConflict(pod.hostPorts)),
};
