/** Roles and bindings from the watch caches, with a generation that a watch on each keeps rising. */
import type { KubeObject } from '#apimachinery';
import type { Clock } from '#base';
import type { Caches } from '../registry/caches.ts';
import { keepFollowing } from '../registry/keep-following.ts';
import type { Scheme } from '../scheme/scheme.ts';
import type { RbacObjects } from './rbac.ts';

const group = 'rbac.authorization.k8s.io';

/** Fills the caches and follows them until `signal` aborts. */
export async function watchRbacObjects(
  scheme: Scheme,
  caches: Caches,
  clock: Clock,
  signal: AbortSignal,
): Promise<RbacObjects> {
  let generation = 1;
  const follow = async (resource: string): Promise<() => readonly KubeObject[]> => {
    const cache = caches.of(scheme.find(group, 'v1', resource)!);
    await cache.fresh(signal);
    let objects: readonly KubeObject[] | undefined;
    void keepFollowing(cache, clock, signal, () => {
      generation++;
      objects = undefined;
    });
    return () => (objects ??= cache.ready ? cache.list().items.map(item => item.object) : []);
  };
  const [roles, clusterRoles, roleBindings, clusterRoleBindings] = await Promise.all(
    ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'].map(follow),
  );
  return {
    get generation() {
      return generation;
    },
    roles: roles!,
    clusterRoles: clusterRoles!,
    roleBindings: roleBindings!,
    clusterRoleBindings: clusterRoleBindings!,
  };
}
