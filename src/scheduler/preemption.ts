/**
 * Making room for a pod by taking less important ones away. Upstream: framework/preemption, plugins/defaultpreemption.
 */
import { type CycleState, countText, type Framework, type Refusal, type Snapshot } from './framework.ts';
import type { NodeInfo, PodInfo } from './node-info.ts';

/** Which pods go from which node. */
export interface Preemption {
  readonly node: NodeInfo;
  readonly victims: readonly PodInfo[];
}

const notHelpful = 'Preemption is not helpful for scheduling';
const noVictims = 'No preemption victims found for incoming pod';

/** The best preemption, or undefined and upstream's words on why there is none. */
export function preempt(
  framework: Framework,
  pod: PodInfo,
  snapshot: Snapshot,
  refusals: ReadonlyMap<string, Refusal>,
): { preemption: Preemption | undefined; message: string } {
  if (pod.pod.spec.preemptionPolicy === 'Never') {
    return { preemption: undefined, message: 'not eligible due to preemptionPolicy=Never.' };
  }
  const counts = new Map<string, number>();
  const candidates: Preemption[] = [];
  const note = (reason: string): void => void counts.set(reason, (counts.get(reason) ?? 0) + 1);
  for (const node of snapshot.nodes) {
    const refusal = refusals.get(node.name);
    if (!refusal || refusal.unresolvable) {
      note(notHelpful);
      continue;
    }
    const victims = victimsOn(framework, pod, node, snapshot);
    if (victims) candidates.push({ node, victims });
    else note(noVictims);
  }
  if (candidates.length > 0) return { preemption: cheapest(candidates), message: '' };
  return {
    preemption: undefined,
    message: `0/${snapshot.nodes.length} nodes are available: ${countText(counts)}.`,
  };
}

/** The fewest less important pods without which `pod` fits; undefined when even without all of them it does not. */
function victimsOn(framework: Framework, pod: PodInfo, node: NodeInfo, snapshot: Snapshot): PodInfo[] | undefined {
  const lesser = [...node.pods.values()].filter(each => each.priority < pod.priority);
  if (lesser.length === 0) return undefined;
  const trial = node.without(lesser.map(each => each.pod.metadata.uid!));
  const state: CycleState = new Map();
  const { refusal, active } = framework.preFilter(state, pod, snapshot);
  if (refusal || framework.filter(state, pod, trial, active)) return undefined;
  const victims: PodInfo[] = [];
  // The most important are spared first.
  for (const each of lesser.sort((a, b) => b.priority - a.priority || startOf(a) - startOf(b))) {
    trial.addPod(each);
    if (!framework.filter(state, pod, trial, active)) continue;
    trial.removePod(each.pod.metadata.uid!);
    victims.push(each);
  }
  return victims;
}

const startOf = (info: PodInfo): number =>
  Date.parse(info.pod.status?.startTime ?? info.pod.metadata.creationTimestamp ?? '') || 0;

/** Lowest highest victim, then lowest sum of priorities, then fewest, then the one whose victims started last. */
function cheapest(candidates: readonly Preemption[]): Preemption {
  const cost = ({ victims }: Preemption): number[] => [
    Math.max(...victims.map(each => each.priority)),
    victims.reduce((sum, each) => sum + each.priority + 2 ** 31, 0),
    victims.length,
    -Math.min(...victims.map(startOf)),
  ];
  return candidates.reduce((least, each) => {
    const [a, b] = [cost(each), cost(least)];
    const at = a.findIndex((value, index) => value !== b[index]);
    return at >= 0 && a[at]! < b[at]! ? each : least;
  });
}
