/**
 * What a stored role or binding of the default policy lacks of it: rights and subjects are added, never taken away.
 * Upstream: component-helpers auth/rbac/reconciliation/reconcile_{role,rolebindings}.go.
 *
 * One subject is taken away: early versions bound the group of all nodes to `system:node`, by which every kubelet could
 * read every Secret. It goes where the binding still is as the server made it.
 */
import { type Draft, type KubeObject, semanticEqual } from '#apimachinery';
import type { PolicyRule } from '../authorization/authorizer.ts';
import { missingRights } from '../authorization/escalation.ts';
import type { Subject } from '../authorization/rbac.ts';

const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate';

/**
 * The stored object with what it lacks; `recreate` when it binds another role; undefined when it lacks nothing.
 * `isNew`: it was never changed since it was made.
 */
export function reconciled(
  existing: KubeObject,
  expected: Draft<KubeObject>,
  isNew: boolean,
): KubeObject | 'recreate' | undefined {
  if (existing.metadata.annotations?.[autoUpdate] === 'false') return undefined;
  const isBinding = expected.kind.endsWith('Binding');
  if (isBinding && !semanticEqual(existing['roleRef'], expected['roleRef'])) return 'recreate';
  const { metadata } = existing;
  const object = {
    ...existing,
    metadata: {
      ...metadata,
      labels: { ...expected.metadata.labels, ...metadata.labels },
      annotations: { ...expected.metadata.annotations, ...metadata.annotations },
    },
    ...(isBinding ? subjectsOf(existing, expected, isNew) : rulesOf(existing, expected)),
  } as KubeObject;
  return semanticEqual(object, existing) ? undefined : object;
}

function rulesOf(existing: KubeObject, expected: Draft<KubeObject>): object {
  const rules = (existing['rules'] ?? []) as readonly PolicyRule[];
  const missing = missingRights(rules, (expected['rules'] ?? []) as readonly PolicyRule[]);
  return {
    ...(missing.length > 0 && { rules: [...rules, ...missing] }),
    ...aggregationOf(existing, expected),
  };
}

interface AggregationRule {
  readonly clusterRoleSelectors?: readonly object[];
}

function aggregationOf(existing: KubeObject, expected: Draft<KubeObject>): object {
  const [have, want] = [existing['aggregationRule'], expected['aggregationRule']] as Array<AggregationRule | undefined>;
  if (!want) return have ? { aggregationRule: undefined } : {};
  const selectors = have?.clusterRoleSelectors ?? [];
  const missing = (want.clusterRoleSelectors ?? []).filter(each => !selectors.some(own => semanticEqual(own, each)));
  return missing.length > 0 ? { aggregationRule: { clusterRoleSelectors: [...selectors, ...missing] } } : {};
}

function subjectsOf(existing: KubeObject, expected: Draft<KubeObject>, isNew: boolean): object {
  const subjects = (existing['subjects'] ?? []) as readonly Subject[];
  const kept = isNew && bindsAllNodes(existing) ? subjects.filter(each => !isAllNodes(each)) : subjects;
  const missing = ((expected['subjects'] ?? []) as readonly Subject[]).filter(
    each => !kept.some(own => semanticEqual(own, each)),
  );
  return missing.length > 0 || kept.length < subjects.length ? { subjects: [...kept, ...missing] } : {};
}

const isAllNodes = ({ kind, name }: Subject): boolean => kind === 'Group' && name === 'system:nodes';

/** Made by the server in its early versions, which left no owners of fields: everything else has them. */
function bindsAllNodes({ kind, metadata }: KubeObject): boolean {
  return kind === 'ClusterRoleBinding' && metadata.name === 'system:node' && !metadata['managedFields'];
}
