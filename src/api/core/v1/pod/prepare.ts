/**
 * What a Pod loses and gains before it is validated. Upstream: pkg/registry/core/pod/strategy.go, pkg/api/pod/util.go
 * (DropDisabledPodFields at v1.36's default gates).
 */
import type { Draft } from '#apimachinery';
import type { RuleContext } from '../../../kind.ts';
import type { Container, Pod, PodAffinityTerm, PodSpec } from '../../../types.ts';

type AnyContainer = Draft<Container>;

/** All containers, in the order in which upstream visits them. */
export function containersOf(spec: Draft<PodSpec>): AnyContainer[] {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = spec;
  return [...initContainers, ...containers, ...(ephemeralContainers as AnyContainer[])];
}

const usesStopSignal = (spec: PodSpec | undefined): boolean =>
  spec !== undefined && containersOf(spec as Draft<PodSpec>).some(each => each.lifecycle?.stopSignal !== undefined);

function usesProjection(spec: PodSpec | undefined, name: 'clusterTrustBundle' | 'podCertificate'): boolean {
  return (spec?.volumes ?? []).some(volume => volume.projected?.sources?.some(source => source[name] !== undefined));
}

/** Takes away the fields whose features are off, unless the old spec has them already. In pods and templates. */
export function dropDisabledPodFields(
  spec: Draft<PodSpec> | undefined,
  old: PodSpec | undefined,
  context?: Pick<RuleContext, 'config'>,
): void {
  if (!spec) return;
  for (const name of ['clusterTrustBundle', 'podCertificate'] as const) {
    if (name === 'clusterTrustBundle' && context?.config.clusterTrustBundleProjection) continue;
    if (usesProjection(old, name)) continue;
    for (const volume of spec.volumes ?? []) for (const source of volume.projected?.sources ?? []) delete source[name];
  }
  if (old?.schedulingGroup === undefined) delete spec.schedulingGroup;
  if (usesStopSignal(old)) return;
  for (const container of containersOf(spec)) {
    if (container.lifecycle?.stopSignal === undefined) continue;
    delete container.lifecycle.stopSignal;
    if (Object.keys(container.lifecycle).length === 0) delete container.lifecycle;
  }
}

function mergeKeys(
  term: Draft<Pick<PodAffinityTerm, 'labelSelector' | 'matchLabelKeys' | 'mismatchLabelKeys'>> | undefined,
  labels: Readonly<Record<string, string>>,
): void {
  const selector = term?.labelSelector;
  if (!selector) return;
  const append = (keys: readonly string[] | undefined, operator: string): void => {
    for (const key of keys ?? []) {
      const value = labels[key];
      if (value === undefined) continue;
      selector.matchExpressions ??= [];
      selector.matchExpressions.push({ key, operator, values: [value] });
    }
  };
  append(term.matchLabelKeys, 'In');
  append(term.mismatchLabelKeys, 'NotIn');
}

/** Puts the pod's own values of `matchLabelKeys` into the selectors that name them. */
export function mergeMatchLabelKeys(pod: Draft<Pod>): void {
  const labels = pod.metadata.labels ?? {};
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const affinity = pod.spec.affinity?.[kind];
    for (const each of affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
      mergeKeys(each.podAffinityTerm, labels);
    }
    for (const term of affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) mergeKeys(term, labels);
  }
  for (const constraint of pod.spec.topologySpreadConstraints ?? []) mergeKeys(constraint, labels);
}
