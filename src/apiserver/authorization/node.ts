/**
 * What kubelets may do: the rules of the ClusterRole `system:node`, for users named `system:node:<name>` in the group
 * `system:nodes`. Upstream: plugin/pkg/auth/authorizer/node/node_authorizer.go.
 * Deviation: upstream also follows which pods of a node refer to a Secret, ConfigMap or claim, and lets a kubelet read
 * only those; here a kubelet may read what the role names, on whatever node it is used.
 */
import type { Authorizer } from './authorizer.ts';
import { type Rbac, ruleAllows } from './rbac.ts';

const nodeRole = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:node' };

/** Has an opinion on nodes only; what it does not allow is left to the next authorizer. */
export function nodeAuthorizer(rbac: Rbac): Authorizer {
  return {
    authorize(attributes) {
      const { name, groups } = attributes.user;
      if (!name.startsWith('system:node:') || !groups.includes('system:nodes'))
        return { decision: 'noOpinion', reason: '' };
      const rules = rbac.rulesOf(nodeRole, '') ?? [];
      return rules.some(rule => ruleAllows(rule, attributes))
        ? { decision: 'allow', reason: '' }
        : { decision: 'noOpinion', reason: '' };
    },
  };
}
