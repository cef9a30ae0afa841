/** Which resources can be collected: deletable, listable, watchable, in their preferred versions. */
import { parseApiVersion } from '#apimachinery';
import type { Client, ResourceName } from '#client';

interface ApiResourceList {
  readonly groupVersion: string;
  readonly resources: ReadonlyArray<{ name: string; kind: string; namespaced: boolean; verbs: readonly string[] }>;
}

/** Events are many, short-lived and own nothing. Upstream: DefaultIgnoredResources. */
const ignored = new Set(['events', 'events.events.k8s.io']);
const needed = ['delete', 'list', 'watch'];

/** Groups whose documents cannot be had now are left out; the next look may find them. */
export async function discoverCollectable(client: Client): Promise<ResourceName[]> {
  const { groups } = (await client.getJson('/apis')) as unknown as {
    groups: ReadonlyArray<{ preferredVersion: { groupVersion: string } }>;
  };
  const paths = ['/api/v1', ...groups.map(group => `/apis/${group.preferredVersion.groupVersion}`)];
  const lists = await Promise.allSettled(paths.map(path => client.getJson(path)));
  return lists
    .filter(result => result.status === 'fulfilled')
    .map(result => result.value as unknown as ApiResourceList)
    .flatMap(list =>
      list.resources
        .filter(each => !each.name.includes('/') && needed.every(verb => each.verbs.includes(verb)))
        .map(each => ({
          ...parseApiVersion(list.groupVersion),
          resource: each.name,
          kind: each.kind,
          namespaced: each.namespaced,
        })),
    )
    .filter(each => !ignored.has(each.group === '' ? each.resource : `${each.resource}.${each.group}`));
}
