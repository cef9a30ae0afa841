/**
 * What the node's network may do: read Services, their endpoints and namespaces, and make the Service of cluster DNS
 * with its endpoint. Made as an installer would make it; upstream binds `system:node-proxier` for kube-proxy.
 */
import { isStatusError, type KubeObject } from '#apimachinery';
import type { Client } from '#client';

/** The user that the node's network is. */
export const networkUserName = 'system:kobune:network';

const read = ['get', 'list', 'watch'];
const role = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name: networkUserName },
  rules: [
    { apiGroups: [''], resources: ['namespaces'], verbs: read },
    { apiGroups: [''], resources: ['services'], verbs: [...read, 'create'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: [...read, 'create', 'patch'] },
  ],
};
const binding = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name: networkUserName },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: networkUserName },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: networkUserName }],
};

/** Makes role and binding where they are absent; one that somebody changed stays. `client` acts as an administrator. */
export async function ensureNetworkRole(client: Client): Promise<void> {
  const make = async (resource: string, object: Partial<KubeObject> & { readonly kind: string }): Promise<void> => {
    const name = { group: 'rbac.authorization.k8s.io', version: 'v1', resource, kind: object.kind, namespaced: false };
    await client
      .resource(name)
      .create(object)
      .catch(error => {
        if (!isStatusError(error, 'AlreadyExists')) throw error;
      });
  };
  await Promise.all([make('clusterroles', role), make('clusterrolebindings', binding)]);
}
