/**
 * Making room for a pod by taking less important ones away. Upstream: framework/preemption, plugins/defaultpreemption.
 */
import { type CycleState, countText, type Framework, type Plugin, type Refusal, type Snapshot } from './framework.ts';
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
  const trialSnapshot = withNode(snapshot, trial);
  const first = framework.preFilter(new Map(), pod, trialSnapshot);
  const again = first.active.some(plugin => plugin.readsPods);
  let known = prepare();
  function prepare(): { state: CycleState; active: readonly Plugin[]; refused: boolean } {
    const state: CycleState = new Map();
    const { refusal, active } = framework.preFilter(state, pod, trialSnapshot);
    return { state, active, refused: refusal !== undefined };
  }
  const fits = (): boolean => {
    if (again) known = prepare();
    return !known.refused && !framework.filter(known.state, pod, trial, known.active);
  };
  if (!fits()) return undefined;
  const victims: PodInfo[] = [];
  // The most important are spared first.
  for (const each of lesser.sort((a, b) => b.priority - a.priority || startOf(a) - startOf(b))) {
    trial.addPod(each);
    if (fits()) continue;
    trial.removePod(each.pod.metadata.uid!);
    victims.push(each);
  }
  return victims;
}

/** The same nodes but one. */
function withNode(snapshot: Snapshot, trial: NodeInfo): Snapshot {
  const nodes = snapshot.nodes.map(node => (node.name === trial.name ? trial : node));
  return {
    nodes,
    lookups: snapshot.lookups,
    get: name => (name === trial.name ? trial : snapshot.get(name)),
    nodesWithAffinity: nodes.filter(node => node.withAffinity.size > 0),
  };
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
