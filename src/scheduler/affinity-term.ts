/** Pod affinity terms, compiled once a pod. Upstream: pkg/scheduler/framework/types.go (AffinityTerm). */
import type { Pod, PodAffinityTerm, WeightedPodAffinityTerm } from '#api/types';
import { type LabelSet, type LabelsSelector, labelSelectorAsSelector } from '#apimachinery';

export interface AffinityTerm {
  readonly topologyKey: string;
  readonly selector: LabelsSelector;
  readonly namespaces: ReadonlySet<string>;
  readonly namespaceSelector: LabelsSelector;
}

export interface WeightedTerm {
  readonly weight: number;
  readonly term: AffinityTerm;
}

/** What a pod asks of, and refuses in, other pods. */
export interface AffinityTerms {
  readonly required: readonly AffinityTerm[];
  readonly requiredAnti: readonly AffinityTerm[];
  readonly preferred: readonly WeightedTerm[];
  readonly preferredAnti: readonly WeightedTerm[];
}

const none: AffinityTerms = Object.freeze({ required: [], requiredAnti: [], preferred: [], preferredAnti: [] });

/** The terms of `pod`; one shared empty object when it has none. */
export function affinityTerms(pod: Pod): AffinityTerms {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  if (!podAffinity && !podAntiAffinity) return none;
  const own = pod.metadata.namespace ?? '';
  const compile = (terms: readonly PodAffinityTerm[] = []): AffinityTerm[] => terms.map(term => compileTerm(own, term));
  const weigh = (terms: readonly WeightedPodAffinityTerm[] = []): WeightedTerm[] =>
    terms.map(({ weight, podAffinityTerm }) => ({ weight, term: compileTerm(own, podAffinityTerm) }));
  return {
    required: compile(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    requiredAnti: compile(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferred: weigh(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAnti: weigh(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
  };
}

function compileTerm(own: string, term: PodAffinityTerm): AffinityTerm {
  const named = term.namespaces ?? [];
  return {
    topologyKey: term.topologyKey,
    selector: labelSelectorAsSelector(term.labelSelector),
    namespaces: new Set(named.length === 0 && !term.namespaceSelector ? [own] : named),
    namespaceSelector: labelSelectorAsSelector(term.namespaceSelector),
  };
}

/** Whether the term speaks of `pod`; `namespaceLabels` are those of that pod's namespace. */
export function termMatches(term: AffinityTerm, pod: Pod, namespaceLabels: LabelSet): boolean {
  if (!term.namespaces.has(pod.metadata.namespace ?? '') && !term.namespaceSelector.matches(namespaceLabels)) {
    return false;
  }
  return term.selector.matches(pod.metadata.labels);
}
