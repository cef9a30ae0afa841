/**
 * What another server says of its resources, in either form of discovery, as entries of the aggregated document.
 * Upstream: kube-aggregator pkg/apiserver/handler_discovery.go, apiserver pkg/endpoints/installer.go
 * ConvertGroupVersionIntoToDiscovery.
 */
import type { AggregatedVersion } from '#api/discovery';
import { builtinTypes } from '#api/tables';
import type { APIGroupDiscoveryList, APIResource, APIResourceList } from '#api/types';
import { readJson } from '#apimachinery';

type ResourceDiscovery = NonNullable<AggregatedVersion['resources']>[number];

const none = { group: '', version: '', kind: '' };

/** Whether a `Content-Type` is that of the aggregated document. */
export function isAggregatedType(contentType: string): boolean {
  const [, ...parameters] = contentType.split(';').map(each => each.trim());
  const has = (wanted: RegExp): boolean => parameters.some(each => wanted.test(each));
  return has(/^g=apidiscovery\.k8s\.io$/) && has(/^v=v2(beta1)?$/) && has(/^as=APIGroupDiscoveryList$/);
}

/** By `group/version`. Throws for what is no such document. */
export function readAggregated(body: Uint8Array): Map<string, AggregatedVersion> {
  const { value } = readJson(body, builtinTypes.struct('io.k8s.api.apidiscovery.v2.APIGroupDiscoveryList'));
  const { items = [] } = value as Partial<APIGroupDiscoveryList>;
  return new Map(
    items.flatMap(({ metadata, versions = [] }) =>
      versions.map(version => [
        `${metadata?.name ?? ''}/${version.version}`,
        { ...version, ...(version.resources && { resources: version.resources.map(withKinds) }) },
      ]),
    ),
  );
}

/** Some clients fall over a kind that is missing. */
function withKinds(resource: ResourceDiscovery): ResourceDiscovery {
  const { responseKind = none, subresources } = resource;
  return {
    ...resource,
    responseKind,
    ...(subresources && {
      subresources: subresources.map(each => ({ ...each, responseKind: each.responseKind ?? none })),
    }),
  };
}

/** The legacy document of one group version. Throws for what is none, and for what contradicts itself. */
export function readLegacy(body: Uint8Array, version: string): AggregatedVersion {
  const { value } = readJson(body, builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList'));
  const { resources: list = [] } = value as Partial<APIResourceList>;
  const found = new Map<string, Mutable<ResourceDiscovery>>();
  for (const each of list) if (!each.name.includes('/')) found.set(each.name, mainResource(each));
  for (const each of list) {
    const at = each.name.indexOf('/');
    if (at < 0) continue;
    const name = each.name.slice(0, at);
    const subresource = each.name.slice(at + 1);
    const scope = scopeOf(each);
    let parent = found.get(name);
    if (!parent)
      found.set(name, (parent = { resource: name, scope, responseKind: none, singularResource: '', verbs: [] }));
    if (parent.scope !== scope) {
      throw new Error(
        `Error: Parent ${name} (scope: ${parent.scope}) and subresource ${subresource} (scope: ${scope}) scope do not match`,
      );
    }
    const responseKind = each.kind ? kindOf(each) : none;
    parent.subresources = [...(parent.subresources ?? []), { subresource, verbs: each.verbs, responseKind }];
  }
  return { version, resources: [...found.values()] };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const scopeOf = ({ namespaced }: APIResource): string => (namespaced ? 'Namespaced' : 'Cluster');

function kindOf({ group = '', version = '', kind }: APIResource): ResourceDiscovery['responseKind'] {
  return { group, version, kind };
}

function mainResource(resource: APIResource): Mutable<ResourceDiscovery> {
  const { name, singularName, verbs, shortNames, categories } = resource;
  return {
    resource: name,
    responseKind: kindOf(resource),
    scope: scopeOf(resource),
    singularResource: singularName,
    verbs,
    ...(shortNames && { shortNames }),
    ...(categories && { categories }),
  };
}
