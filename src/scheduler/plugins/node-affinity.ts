/** Node selector and node affinity. Upstream: plugins/nodeaffinity, component-helpers/scheduling/corev1/nodeaffinity. */
import { matchesNodeTerm, matchesRequiredNodeAffinity } from '#api/core/helpers';
import { normalizeToMax, type Plugin, refuse } from '../framework.ts';
import type { NodeInfo, PodInfo } from '../node-info.ts';

/** Names that every term of the required affinity demands by metadata.name; undefined when some term does not. */
function namedNodes(pod: PodInfo['pod']): Set<string> | undefined {
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!terms || terms.length === 0) return undefined;
  const names = new Set<string>();
  for (const term of terms) {
    const fields = (term.matchFields ?? []).filter(each => each.key === 'metadata.name' && each.operator === 'In');
    if (fields.length === 0) return undefined;
    const [first, ...others] = fields.map(each => new Set(each.values));
    for (const name of first!) if (others.every(other => other.has(name))) names.add(name);
  }
  return names;
}

export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  preFilter(_state, { pod }) {
    const { nodeSelector, affinity } = pod.spec;
    if (!nodeSelector && !affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution) return { skip: true };
    const nodeNames = namedNodes(pod);
    return nodeNames ? { nodeNames } : {};
  },
  filter(_state, { pod }, node) {
    return matchesRequiredNodeAffinity(pod.spec, node.node!)
      ? undefined
      : refuse("node(s) didn't match Pod's node affinity/selector", true);
  },
  preScore(_state, { pod }) {
    return !pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution?.length;
  },
  score(_state, { pod }, node) {
    const preferred = pod.spec.affinity!.nodeAffinity!.preferredDuringSchedulingIgnoredDuringExecution!;
    return preferred.reduce((sum, { weight, preference }) => {
      const any = !preference.matchExpressions?.length && !preference.matchFields?.length;
      return any || matchesNodeTerm(preference, node.node!) ? sum + weight : sum;
    }, 0);
  },
  normalize: (_state, _pod, scores) => normalizeToMax(scores, false),
  mayHelp: (event, pod) =>
    'node' in event && event.node.node !== undefined && matchesRequiredNodeAffinity(pod.pod.spec, event.node.node),
};

export const nodeName: Plugin = {
  name: 'NodeName',
  filter(_state, { pod }, node: NodeInfo) {
    const wanted = pod.spec.nodeName;
    return !wanted || wanted === node.name ? undefined : refuse("node(s) didn't match the requested node name", true);
  },
};
