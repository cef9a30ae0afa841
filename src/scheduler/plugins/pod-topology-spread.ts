/**
 * Spreads like pods over zones, nodes or any other label. Upstream: plugins/podtopologyspread/{filtering,scoring}.go.
 *
 * Worked example: maxSkew 1 over zone, two matching pods in a, none in b: a third in a would make 3 - 0 = 3 > 1, so
 * nodes of a are refused.
 */

import { findUntoleratedTaint, matchesRequiredNodeAffinity } from '#api/core/helpers';
import type { Pod, TopologySpreadConstraint } from '#api/types';
import { type LabelsSelector, labelSelectorAsSelector } from '#apimachinery';
import { type CycleState, maxNodeScore, type Plugin, type Refusal, refuse, type Snapshot } from '../framework.ts';
import type { NodeInfo, PodInfo } from '../node-info.ts';

const name = 'PodTopologySpread';
const scoreKey = `${name}/score`;
const hostname = 'kubernetes.io/hostname';
const skewRefusal: Refusal = refuse("node(s) didn't match pod topology spread constraints");
const labelRefusal: Refusal = refuse(
  "node(s) didn't match pod topology spread constraints (missing required label)",
  true,
);

interface Constraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: LabelsSelector;
  readonly honorAffinity: boolean;
  readonly honorTaints: boolean;
}

function compile(pod: Pod, when: TopologySpreadConstraint['whenUnsatisfiable']): Constraint[] {
  return (pod.spec.topologySpreadConstraints ?? [])
    .filter(each => each.whenUnsatisfiable === when)
    .map(each => {
      const labels = pod.metadata.labels ?? {};
      const more = (each.matchLabelKeys ?? []).filter(key => Object.hasOwn(labels, key));
      return {
        topologyKey: each.topologyKey,
        maxSkew: each.maxSkew,
        minDomains: each.minDomains ?? 1,
        selector: labelSelectorAsSelector(each.labelSelector).and(
          ...more.map(key => ({ key, operator: 'in' as const, values: [labels[key]!] })),
        ),
        honorAffinity: each.nodeAffinityPolicy !== 'Ignore',
        honorTaints: each.nodeTaintsPolicy === 'Honor',
      };
    });
}

/** Upstream's defaults, for pods that some Service or controller selects. */
function defaults(selector: LabelsSelector): Constraint[] {
  const common = { minDomains: 1, selector, honorAffinity: true, honorTaints: false };
  return [
    { ...common, topologyKey: hostname, maxSkew: 3 },
    { ...common, topologyKey: 'topology.kubernetes.io/zone', maxSkew: 5 },
  ];
}

const labelOf = (node: NodeInfo, key: string): string | undefined => node.node?.metadata.labels?.[key];

function isCounted(constraint: Constraint, pod: Pod, { node }: NodeInfo): boolean {
  if (constraint.honorAffinity && !matchesRequiredNodeAffinity(pod.spec, node!)) return false;
  if (!constraint.honorTaints) return true;
  return !findUntoleratedTaint(
    node!.spec?.taints,
    pod.spec.tolerations,
    ({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute',
  );
}

function countPods(node: NodeInfo, selector: LabelsSelector, namespace: string | undefined): number {
  if (selector.isEmpty) return 0;
  let count = 0;
  for (const { pod } of node.pods.values()) {
    if (pod.metadata.namespace !== namespace || pod.metadata.deletionTimestamp) continue;
    if (selector.matches(pod.metadata.labels)) count++;
  }
  return count;
}

interface FilterState {
  readonly constraints: readonly Constraint[];
  /** By constraint: pods by value of its label, over the nodes that count. */
  readonly counts: ReadonlyArray<Map<string, number>>;
  readonly least: readonly number[];
}

function prepare(pod: Pod, snapshot: Snapshot): FilterState | undefined {
  const constraints = compile(pod, 'DoNotSchedule');
  if (constraints.length === 0) return undefined;
  const counts = constraints.map(() => new Map<string, number>());
  for (const node of snapshot.nodes) {
    if (constraints.some(each => labelOf(node, each.topologyKey) === undefined)) continue;
    constraints.forEach((constraint, i) => {
      if (!isCounted(constraint, pod, node)) return;
      const value = labelOf(node, constraint.topologyKey)!;
      const more = countPods(node, constraint.selector, pod.metadata.namespace);
      counts[i]!.set(value, (counts[i]!.get(value) ?? 0) + more);
    });
  }
  const least = constraints.map(({ minDomains }, i) =>
    counts[i]!.size < minDomains ? 0 : Math.min(...counts[i]!.values()),
  );
  return { constraints, counts, least };
}

function filter(cycle: CycleState, { pod }: PodInfo, node: NodeInfo): Refusal | undefined {
  const { constraints, counts, least } = cycle.get(name) as FilterState;
  for (let i = 0; i < constraints.length; i++) {
    const constraint = constraints[i]!;
    const value = labelOf(node, constraint.topologyKey);
    if (value === undefined) return labelRefusal;
    const itself = constraint.selector.matches(pod.metadata.labels) ? 1 : 0;
    const minimum = least[i]!;
    if ((counts[i]!.get(value) ?? 0) + itself - (minimum === Infinity ? 0 : minimum) > constraint.maxSkew)
      return skewRefusal;
  }
  return undefined;
}

interface ScoreState {
  readonly constraints: readonly Constraint[];
  readonly counts: ReadonlyArray<Map<string, number>>;
  readonly weights: readonly number[];
  readonly ignored: ReadonlySet<string>;
}

function prepareScore(pod: Pod, nodes: readonly NodeInfo[], snapshot: Snapshot): ScoreState | undefined {
  const own = (pod.spec.topologySpreadConstraints?.length ?? 0) > 0;
  const siblings = own ? undefined : snapshot.lookups.siblingSelector(pod);
  const constraints = own ? compile(pod, 'ScheduleAnyway') : siblings ? defaults(siblings) : [];
  if (constraints.length === 0) return undefined;
  const lacks = (node: NodeInfo): boolean =>
    own && constraints.some(each => labelOf(node, each.topologyKey) === undefined);
  const ignored = new Set<string>();
  const counts = constraints.map(() => new Map<string, number>());
  for (const node of nodes) {
    if (lacks(node)) ignored.add(node.name);
    else {
      constraints.forEach(({ topologyKey }, i) => {
        if (topologyKey !== hostname) counts[i]!.set(labelOf(node, topologyKey) ?? '', 0);
      });
    }
  }
  const spread = constraints.map(({ topologyKey }, i) => ({
    topologyKey,
    counts: counts[i]!,
    constraint: constraints[i]!,
  }));
  const wide = spread.filter(each => each.topologyKey !== hostname);
  for (const node of wide.length > 0 ? snapshot.nodes : []) {
    if (lacks(node)) continue;
    for (const { topologyKey, counts: byValue, constraint } of wide) {
      const value = labelOf(node, topologyKey) ?? '';
      const known = byValue.get(value);
      if (known === undefined || !isCounted(constraint, pod, node)) continue;
      byValue.set(value, known + countPods(node, constraint.selector, pod.metadata.namespace));
    }
  }
  const weights = spread.map(({ topologyKey, counts: byValue }) =>
    Math.log((topologyKey === hostname ? nodes.length - ignored.size : byValue.size) + 2),
  );
  return { constraints, counts, weights, ignored };
}

export const podTopologySpread: Plugin = {
  name,
  readsPods: true,
  preFilter(cycle, { pod }, snapshot) {
    const state = prepare(pod, snapshot);
    if (!state) return { skip: true };
    cycle.set(name, state);
    return undefined;
  },
  filter,
  preScore(cycle, { pod }, nodes, snapshot) {
    const state = prepareScore(pod, nodes, snapshot);
    cycle.set(scoreKey, state);
    return state === undefined;
  },
  score(cycle, { pod }, node) {
    const { constraints, counts, weights, ignored } = cycle.get(scoreKey) as ScoreState;
    if (ignored.has(node.name)) return 0;
    let score = 0;
    constraints.forEach(({ topologyKey, maxSkew, selector }, i) => {
      const value = labelOf(node, topologyKey);
      if (value === undefined) return;
      const count =
        topologyKey === hostname ? countPods(node, selector, pod.metadata.namespace) : (counts[i]!.get(value) ?? 0);
      score += count * weights[i]! + (maxSkew - 1);
    });
    return Math.round(score);
  },
  normalize(cycle, _pod, scores) {
    const { ignored } = cycle.get(scoreKey) as ScoreState;
    let least = Number.MAX_SAFE_INTEGER;
    let most = 0;
    for (const [node, score] of scores) {
      if (ignored.has(node)) continue;
      least = Math.min(least, score);
      most = Math.max(most, score);
    }
    for (const [node, score] of scores) {
      if (ignored.has(node)) scores.set(node, 0);
      else scores.set(node, most === 0 ? maxNodeScore : Math.trunc((maxNodeScore * (most + least - score)) / most));
    }
  },
};
