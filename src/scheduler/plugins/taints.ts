/** Taints and unschedulable nodes. Upstream: plugins/{tainttoleration,nodeunschedulable}. */
import type { Taint, Toleration } from '#api/types';
import { normalizeToMax, type Plugin, refuse } from '../framework.ts';

const unschedulableTaint: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' } as Taint;

/** Whether a toleration covers a taint. Upstream: component-helpers .../tolerations ToleratesTaint. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator || 'Equal') {
    case 'Equal':
      return (toleration.value ?? '') === (taint.value ?? '');
    case 'Exists':
      return true;
    default:
      return false;
  }
}

const isTolerated = (tolerations: readonly Toleration[], taint: Taint): boolean =>
  tolerations.some(each => tolerates(each, taint));

/** The first taint that keeps pods away and is not tolerated. */
function untolerated(
  tolerations: readonly Toleration[] | undefined,
  taints: readonly Taint[] | undefined,
): Taint | undefined {
  return taints?.find(
    taint => (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') && !isTolerated(tolerations ?? [], taint),
  );
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
    return (node!.spec?.taints ?? []).filter(taint => taint.effect === 'PreferNoSchedule' && !isTolerated(soft, taint))
      .length;
  },
  normalize: (_state, _pod, scores) => normalizeToMax(scores, true),
  mayHelp: (event, { pod }) => 'node' in event && !untolerated(pod.spec.tolerations, event.node.node?.spec?.taints),
};

export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  filter(_state, { pod }, { node }) {
    if (!node!.spec?.unschedulable || isTolerated(pod.spec.tolerations ?? [], unschedulableTaint)) return undefined;
    return refuse('node(s) were unschedulable', true);
  },
  mayHelp: event => 'node' in event && !event.node.node?.spec?.unschedulable,
};
