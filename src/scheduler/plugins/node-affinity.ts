/** Node selector and node affinity. Upstream: plugins/nodeaffinity, component-helpers/scheduling/corev1/nodeaffinity. */
import type { Node, NodeSelectorTerm } from '#api/types';
import { normalizeToMax, type Plugin, refuse } from '../framework.ts';
import type { NodeInfo, PodInfo } from '../node-info.ts';

interface Expression {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

function matchesValue(value: string | undefined, { operator, values = [] }: Expression): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return isInteger(value) && BigInt(value!) > BigInt(values[0] ?? '0');
    case 'Lt':
      return isInteger(value) && BigInt(value!) < BigInt(values[0] ?? '0');
    default:
      return false;
  }
}

const isInteger = (value: string | undefined): boolean => value !== undefined && /^-?\d+$/.test(value);

/** A term without expressions and fields matches nothing. */
export function matchesTerm(node: Node, term: NodeSelectorTerm): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  const fields: Readonly<Record<string, string | undefined>> = { 'metadata.name': node.metadata.name };
  return (
    matchExpressions.every(each => matchesValue(labels[each.key], each as Expression)) &&
    matchFields.every(each => matchesValue(fields[each.key], each as Expression))
  );
}

/** `spec.nodeSelector` and required node affinity together. */
export function matchesNodeSelection(pod: PodInfo['pod'], node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(pod.spec.nodeSelector ?? {})) if (labels[key] !== value) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return !required || (required.nodeSelectorTerms ?? []).some(term => matchesTerm(node, term));
}

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
    return matchesNodeSelection(pod, node.node!)
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
      return any || matchesTerm(node.node!, preference) ? sum + weight : sum;
    }, 0);
  },
  normalize: (_state, _pod, scores) => normalizeToMax(scores, false),
  mayHelp: (event, pod) =>
    'node' in event && event.node.node !== undefined && matchesNodeSelection(pod.pod, event.node.node),
};

export const nodeName: Plugin = {
  name: 'NodeName',
  filter(_state, { pod }, node: NodeInfo) {
    const wanted = pod.spec.nodeName;
    return !wanted || wanted === node.name ? undefined : refuse("node(s) didn't match the requested node name", true);
  },
};
