/** Taints and unschedulable nodes. Upstream: plugins/{tainttoleration,nodeunschedulable}. */
import { findUntoleratedTaint, tolerationsTolerate } from '#api/core/helpers';
import type { Taint, Toleration } from '#api/types';
import { normalizeToMax, type Plugin, refuse } from '../framework.ts';

const unschedulableTaint: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' } as Taint;

/** The first taint that keeps pods away and is not tolerated. */
function untolerated(
  tolerations: readonly Toleration[] | undefined,
  taints: readonly Taint[] | undefined,
): Taint | undefined {
  return findUntoleratedTaint(taints, tolerations, ({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute');
}

export const taintToleration: Plugin = {
  name: 'TaintToleration',
  filter(_state, { pod }, { node }) {
    return untolerated(pod.spec.tolerations, node!.spec?.taints)
      ? refuse('node(s) had untolerated taint(s)', true)
      : undefined;
  },
  score(_state, { pod }, { node }) {
    const soft = (pod.spec.tolerations ?? []).filter(each => !each.effect || each.effect === 'PreferNoSchedule');
    return (node!.spec?.taints ?? []).filter(
      taint => taint.effect === 'PreferNoSchedule' && !tolerationsTolerate(soft, taint),
    ).length;
  },
  normalize: (_state, _pod, scores) => normalizeToMax(scores, true),
  mayHelp: (event, { pod }) => 'node' in event && !untolerated(pod.spec.tolerations, event.node.node?.spec?.taints),
};

export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  filter(_state, { pod }, { node }) {
    if (!node!.spec?.unschedulable || tolerationsTolerate(pod.spec.tolerations, unschedulableTaint)) return undefined;
    return refuse('node(s) were unschedulable', true);
  },
  mayHelp: event => 'node' in event && !event.node.node?.spec?.unschedulable,
};
