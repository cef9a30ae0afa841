/** Roles and bindings from the watch caches, with a generation that a watch on each keeps rising. */
import type { KubeObject } from '#apimachinery';
import type { Caches, ObjectCache } from '../registry/caches.ts';
import type { Scheme } from '../scheme/scheme.ts';
import type { RbacObjects } from './rbac.ts';

const group = 'rbac.authorization.k8s.io';

/** Fills the caches and follows them until `signal` aborts. */
export async function watchRbacObjects(scheme: Scheme, caches: Caches, signal: AbortSignal): Promise<RbacObjects> {
  let generation = 1;
  const follow = async (resource: string): Promise<() => readonly KubeObject[]> => {
    const cache = caches.of(scheme.find(group, 'v1', resource)!);
    await cache.fresh(signal);
    let objects: readonly KubeObject[] | undefined;
    void keepFollowing(cache, signal, () => {
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

/** Calls `changed` after every change, and once more whenever the watch had to be opened anew. */
export async function keepFollowing(cache: ObjectCache, signal: AbortSignal, changed: () => void): Promise<void> {
  while (!signal.aborted) {
    try {
      await cache.fresh(signal);
      changed();
      for await (const { events } of cache.watch({ signal })) if (events.length > 0) changed();
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Error && 'code' in error && error.code === 'closed') return;
      await new Promise<void>(resolve => setImmediate(resolve));
    }
  }
}
