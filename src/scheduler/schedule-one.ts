/**
 * One pod's decision: which node, or why none. Synchronous and without side effects; upstream's words.
 * Upstream: pkg/scheduler/schedule_one.go, framework/types.go (FitError).
 */
import { type CycleState, countText, type Framework, type Refusal, type Snapshot } from './framework.ts';
import type { NodeInfo, PodInfo } from './node-info.ts';
import { type Preemption, preempt } from './preemption.ts';

export type Decision =
  | { readonly node: NodeInfo }
  | {
      readonly node: undefined;
      readonly message: string;
      readonly refusedBy: ReadonlySet<string>;
      readonly preemption: Preemption | undefined;
    };

const minFeasible = 100;
const minPercent = 5;

/** How many fitting nodes are enough to choose from. Upstream: numFeasibleNodesToFind. */
function enoughNodes(count: number): number {
  if (count < minFeasible) return count;
  const percent = Math.max(minPercent, 50 - Math.floor(count / 125));
  return Math.max(minFeasible, Math.floor((count * percent) / 100));
}

/** Decides for `pod`. `startAt` rotates the nodes that are looked at first; `random` breaks ties. */
export function scheduleOne(
  framework: Framework,
  pod: PodInfo,
  snapshot: Snapshot,
  options: { readonly startAt: number; readonly random: () => number },
): Decision {
  const total = snapshot.nodes.length;
  if (total === 0)
    return {
      node: undefined,
      message: 'no nodes available to schedule pods',
      refusedBy: new Set(),
      preemption: undefined,
    };
  const state: CycleState = new Map();
  const { refusal, nodes, active } = framework.preFilter(state, pod, snapshot);
  const refusals = new Map<string, Refusal>();
  const fitting: NodeInfo[] = [];
  if (refusal) for (const node of snapshot.nodes) refusals.set(node.name, refusal);
  const wanted = enoughNodes(nodes.length);
  for (let at = 0; at < nodes.length && fitting.length < wanted; at++) {
    const node = nodes[(options.startAt + at) % nodes.length]!;
    const why = framework.filter(state, pod, node, active);
    if (why) refusals.set(node.name, why);
    else fitting.push(node);
  }
  if (fitting.length > 0) return { node: best(framework, state, pod, fitting, snapshot, options.random) };
  const outside = total - nodes.length;
  return refuseAll(framework, pod, snapshot, refusals, refusal ? 0 : outside);
}

function best(
  framework: Framework,
  state: CycleState,
  pod: PodInfo,
  fitting: readonly NodeInfo[],
  snapshot: Snapshot,
  random: () => number,
): NodeInfo {
  if (fitting.length === 1) return fitting[0]!;
  const scores = framework.score(state, pod, fitting, snapshot);
  let chosen = fitting[0]!;
  let top = -1;
  let ties = 1;
  for (const node of fitting) {
    const score = scores.get(node.name)!;
    if (score > top) {
      chosen = node;
      top = score;
      ties = 1;
    } else if (score === top && random() * ++ties < 1) chosen = node;
  }
  return chosen;
}

function refuseAll(
  framework: Framework,
  pod: PodInfo,
  snapshot: Snapshot,
  refusals: ReadonlyMap<string, Refusal>,
  outside: number,
): Decision {
  const counts = new Map<string, number>();
  for (const { reasons } of refusals.values())
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  if (outside > 0) {
    const reason = "node(s) didn't satisfy plugin(s) [NodeAffinity]";
    counts.set(reason, (counts.get(reason) ?? 0) + outside);
  }
  const { preemption, message } = preempt(framework, pod, snapshot, refusals);
  const tried = preemption ? '' : ` no new claims to deallocate, preemption: ${message}`;
  return {
    node: undefined,
    message: `0/${snapshot.nodes.length} nodes are available: ${countText(counts)}.${tried}`,
    refusedBy: new Set([...refusals.values()].map(refusal => refusal.plugin ?? '')),
    preemption,
  };
}
