/** Which resources can be counted: namespaced, creatable, listable, watchable and deletable. Upstream: GetQuotableResources. */
import { parseApiVersion } from '#apimachinery';
import type { Client, ResourceName } from '#client';

interface ApiResourceList {
  readonly groupVersion: string;
  readonly resources: ReadonlyArray<{ name: string; kind: string; namespaced: boolean; verbs: readonly string[] }>;
}

const needed = ['create', 'delete', 'list', 'watch'];

/** In their preferred versions; groups whose documents cannot be had now are left out. */
export async function discoverCountable(client: Client): Promise<ResourceName[]> {
  const { groups } = (await client.getJson('/apis')) as unknown as {
    groups: ReadonlyArray<{ preferredVersion: { groupVersion: string } }>;
  };
  const paths = ['/api/v1', ...groups.map(group => `/apis/${group.preferredVersion.groupVersion}`)];
  const lists = await Promise.allSettled(paths.map(path => client.getJson(path)));
  return lists
    .filter(result => result.status === 'fulfilled')
    .map(result => result.value as unknown as ApiResourceList)
    .flatMap(({ groupVersion, resources }) =>
      resources
        .filter(each => each.namespaced && !each.name.includes('/') && needed.every(verb => each.verbs.includes(verb)))
        .map(each => ({ ...parseApiVersion(groupVersion), resource: each.name, kind: each.kind, namespaced: true })),
    );
}
