/**
 * Taints, tolerations, node selectors. Upstream: k8s.io/component-helpers/scheduling/corev1.
 */
import type {
  Node,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodSpec,
  Taint,
  Toleration,
} from '../../types.ts';

/** Whether the toleration accepts the taint: same effect and key (an absent one accepts all), same value or Exists. */
export function toleratesTaint(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  const operator = toleration.operator || 'Equal';
  if (operator === 'Exists') return true;
  return operator === 'Equal' && (toleration.value ?? '') === (taint.value ?? '');
}

export function tolerationsTolerate(tolerations: readonly Toleration[] | undefined, taint: Taint): boolean {
  return (tolerations ?? []).some(toleration => toleratesTaint(toleration, taint));
}

/** The first taint that `relevant` picks and nothing tolerates. */
export function findUntoleratedTaint(
  taints: readonly Taint[] | undefined,
  tolerations: readonly Toleration[] | undefined,
  relevant: (taint: Taint) => boolean = () => true,
): Taint | undefined {
  return (taints ?? []).find(taint => relevant(taint) && !tolerationsTolerate(tolerations, taint));
}

/** An integer of 64 bits. */
function integer(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^[+-]?[0-9]+$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^\+/, ''));
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

function meets(requirement: NodeSelectorRequirement, value: string | undefined): boolean {
  const { operator, values = [] } = requirement;
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
    case 'Lt': {
      const have = integer(value);
      const bound = integer(values[0]);
      if (have === undefined || bound === undefined) return false;
      return operator === 'Gt' ? have > bound : have < bound;
    }
    default:
      return false;
  }
}

type NodeFacts = Pick<Node, 'metadata'>;

/** All requirements of a term; a term without any matches nothing. */
export function matchesNodeTerm(term: NodeSelectorTerm, node: NodeFacts): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  const own = (key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  if (!matchExpressions.every(requirement => meets(requirement, own(requirement.key)))) return false;
  return matchFields.every(requirement => {
    return meets(requirement, requirement.key === 'metadata.name' ? node.metadata.name : undefined);
  });
}

/** One of the terms. */
function matchesNodeSelector(selector: NodeSelector, node: NodeFacts): boolean {
  return (selector.nodeSelectorTerms ?? []).some(term => matchesNodeTerm(term, node));
}

/** The pod's nodeSelector and its required node affinity. */
export function matchesRequiredNodeAffinity(spec: PodSpec, node: NodeFacts): boolean {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(spec.nodeSelector ?? {})) {
    if (!Object.hasOwn(labels, key) || labels[key] !== value) return false;
  }
  const needed = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return needed === undefined || matchesNodeSelector(needed, node);
}
