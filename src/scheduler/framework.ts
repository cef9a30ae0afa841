/**
 * The extension points of scheduling and the order in which they are called. A plugin is a folder-less file under
 * plugins/ that implements those it needs. Upstream: kube-scheduler/framework/interface.go.
 *
 * One pod's way: PreFilter (once) → Filter (each node) → [none fits: PostFilter] → PreScore → Score (each node that
 * fits) → Reserve → Permit → PreBind → Bind → PostBind. Everything up to Reserve is synchronous, so that no other pod
 * can change what the decision rests on.
 */
import type { Pod } from '#api/types';
import type { LabelSet, LabelsSelector } from '#apimachinery';
import type { NodeInfo, PodInfo } from './node-info.ts';

/** Why a pod cannot go to a node. `unresolvable`: taking other pods away would not help. */
export interface Refusal {
  readonly reasons: readonly string[];
  readonly unresolvable: boolean;
  /** Name of the plugin; filled in by the framework. */
  readonly plugin?: string;
}

/** What plugins share while one pod is scheduled, by plugin name. */
export type CycleState = Map<string, unknown>;

/** All nodes there are, and lookups that several plugins need. */
export interface Snapshot {
  readonly nodes: readonly NodeInfo[];
  get(name: string): NodeInfo | undefined;
  /** Nodes with pods that have affinity terms. */
  readonly nodesWithAffinity: Iterable<NodeInfo>;
  readonly lookups: Lookups;
}

/** What plugins ask about objects other than pods and nodes. */
export interface Lookups {
  /** Labels of a namespace; none when it is not known. */
  namespaceLabels(name: string): LabelSet;
  /** What selects the pod's siblings: its Services and its controller. Undefined when nothing does. */
  siblingSelector(pod: Pod): LabelsSelector | undefined;
}

/** Knows of nothing. */
export const noLookups: Lookups = Object.freeze({ namespaceLabels: () => ({}), siblingSelector: () => undefined });

export interface PreFilterResult {
  /** Refuses the pod for all nodes at once. */
  readonly refusal?: Refusal;
  /** Only these nodes need to be looked at. */
  readonly nodeNames?: ReadonlySet<string>;
  /** Nothing to do for this pod: Filter is not called. */
  readonly skip?: boolean;
}

export interface Plugin {
  readonly name: string;
  /** PreFilter looks at the pods on nodes, so it is run again for a trial with other pods there. */
  readonly readsPods?: boolean;
  preFilter?(state: CycleState, pod: PodInfo, snapshot: Snapshot): PreFilterResult | undefined;
  /** Undefined when the pod may go there. */
  filter?(state: CycleState, pod: PodInfo, node: NodeInfo): Refusal | undefined;
  /** Answers true to skip Score for this pod. */
  preScore?(state: CycleState, pod: PodInfo, nodes: readonly NodeInfo[], snapshot: Snapshot): boolean | undefined;
  /** 0 to 100 after `normalize`. */
  score?(state: CycleState, pod: PodInfo, node: NodeInfo): number;
  normalize?(state: CycleState, pod: PodInfo, scores: Map<string, number>): void;
  /**
   * Which changes of the cluster may make a pod schedulable that this plugin refused (upstream's queueing hints).
   * Absent: any change.
   */
  mayHelp?(event: ClusterEvent, pod: PodInfo): boolean;
}

/** A change of the cluster that pods in the unschedulable pool may have waited for. */
export type ClusterEvent =
  | { readonly type: 'nodeAdded' | 'nodeUpdated'; readonly node: NodeInfo }
  | { readonly type: 'podAdded' | 'podUpdated' | 'podDeleted'; readonly pod: PodInfo }
  | { readonly type: 'other' };

export const maxNodeScore = 100;

/** Refuses with one reason. */
export function refuse(reason: string, unresolvable = false): Refusal {
  return { reasons: [reason], unresolvable };
}

/** Scales scores so that the highest is 100; `reverse` turns them around. Upstream: helper.DefaultNormalizeScore. */
export function normalizeToMax(scores: Map<string, number>, reverse: boolean): void {
  const max = Math.max(0, ...scores.values());
  for (const [name, score] of scores) {
    const scaled = max === 0 ? 0 : Math.floor((score * maxNodeScore) / max);
    scores.set(name, reverse ? maxNodeScore - scaled : scaled);
  }
}

/** One weight a plugin that scores. */
export interface ProfileEntry {
  readonly plugin: Plugin;
  readonly weight: number;
}

/** Runs the extension points of a profile's plugins in order. */
export class Framework {
  readonly entries: readonly ProfileEntry[];

  constructor(entries: readonly ProfileEntry[]) {
    this.entries = entries;
  }

  /** The nodes worth a look, or why there are none; `active` are the plugins whose Filter has something to say. */
  preFilter(
    state: CycleState,
    pod: PodInfo,
    snapshot: Snapshot,
  ): { refusal?: Refusal; nodes: readonly NodeInfo[]; active: readonly Plugin[] } {
    let nodes = snapshot.nodes;
    const active: Plugin[] = [];
    const narrowing: string[] = [];
    for (const { plugin } of this.entries) {
      const result = plugin.preFilter?.(state, pod, snapshot);
      if (result?.refusal) return { refusal: { ...result.refusal, plugin: plugin.name }, nodes: [], active };
      if (result?.nodeNames) {
        narrowing.push(plugin.name);
        nodes = nodes.filter(node => result.nodeNames!.has(node.name));
        if (nodes.length === 0) {
          const reason = `node(s) didn't satisfy plugin(s) [${narrowing.join(' ')}]`;
          return { refusal: { reasons: [reason], unresolvable: true, plugin: plugin.name }, nodes: [], active };
        }
      }
      if (plugin.filter && !result?.skip) active.push(plugin);
    }
    return { nodes, active };
  }

  filter(state: CycleState, pod: PodInfo, node: NodeInfo, active: readonly Plugin[]): Refusal | undefined {
    for (const plugin of active) {
      const refusal = plugin.filter!(state, pod, node);
      if (refusal) return { ...refusal, plugin: plugin.name };
    }
    return undefined;
  }

  /** Weighted sums by node name. */
  score(state: CycleState, pod: PodInfo, nodes: readonly NodeInfo[], snapshot: Snapshot): Map<string, number> {
    const total = new Map(nodes.map(node => [node.name, 0]));
    for (const { plugin, weight } of this.entries) {
      if (!plugin.score || plugin.preScore?.(state, pod, nodes, snapshot)) continue;
      const scores = new Map(nodes.map(node => [node.name, plugin.score!(state, pod, node)]));
      plugin.normalize?.(state, pod, scores);
      for (const [name, score] of scores) total.set(name, total.get(name)! + weight * score);
    }
    return total;
  }
}

/** `1 Insufficient cpu, 2 node(s) were unschedulable`, sorted as text. */
export function countText(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ');
}
