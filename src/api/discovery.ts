/**
 * Discovery documents as pure functions: what is served goes in, the legacy documents (APIVersions, APIGroupList,
 * APIGroup, APIResourceList) and the aggregated one (apidiscovery.k8s.io/v2) come out, with fields in Go's order.
 * Upstream: apiserver pkg/endpoints/discovery, pkg/endpoints/installer.go (ConvertGroupVersionIntoToDiscovery),
 * apiextensions-apiserver pkg/apiserver/customresource_discovery_controller.go.
 */
import { createHash } from 'node:crypto';
import type { GroupVersionKind } from '#apimachinery';
import type { GroupFacts, ResourceFacts } from './kind.ts';
import { type ServedFacts, servedByDefault } from './served.ts';
import type {
  APIGroup,
  APIGroupDiscoveryList,
  APIGroupList,
  APIResource,
  APIResourceList,
  APIVersions,
  CustomResourceDefinition,
} from './types.ts';

/** A resource as discovery shows it. ResourceFacts is one. */
export interface DiscoveryResource {
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly storageVersionHash?: string;
  readonly subresources: readonly {
    readonly name: string;
    readonly kind: GroupVersionKind;
    readonly verbs: readonly string[];
  }[];
}

/** One version of a group. */
export interface DiscoveryVersion {
  readonly version: string;
  readonly resources: readonly DiscoveryResource[];
  /** `Stale`: an aggregated server could not be asked. Default `Current`. */
  readonly freshness?: 'Current' | 'Stale';
  /** What another server says, shown as it is in the aggregated document in place of `resources`. */
  readonly verbatim?: AggregatedVersion;
}

/** A version as the aggregated document has it. */
export type AggregatedVersion = Omit<
  NonNullable<APIGroupDiscoveryList['items'][number]['versions']>[number],
  'freshness'
>;

/** A group with its served versions, the preferred one first. */
export interface DiscoveryGroup {
  /** Empty for the core group. */
  readonly name: string;
  readonly versions: readonly DiscoveryVersion[];
  /** Custom resources: aggregated discovery names group and version of each kind, which it leaves empty for built-in ones. */
  readonly custom?: boolean;
}

/** The built-in groups, the core group first, in upstream's order. */
export function builtinGroups({ groups, resources }: ServedFacts = servedByDefault): DiscoveryGroup[] {
  return groups.map((group: GroupFacts) => ({
    name: group.name,
    versions: group.versions.map(version => ({
      version,
      resources: resources.filter((each: ResourceFacts) => each.group === group.name && each.version === version),
    })),
  }));
}

/** The hash by which clients see that the storage version changed. Upstream: discovery/storageversionhash.go. */
export function storageVersionHash({ group, version, kind }: GroupVersionKind): string {
  return createHash('sha256').update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString('base64');
}

/** `GET /api`. `serverAddress` is host and port, as the client reaches this server. */
export function apiVersions(serverAddress: string): APIVersions {
  return {
    kind: 'APIVersions',
    // Upstream answers without an apiVersion here.
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  } as APIVersions;
}

function groupBody(group: DiscoveryGroup): Pick<APIGroup, 'name' | 'versions' | 'preferredVersion'> {
  const versions = group.versions.map(({ version }) => ({ groupVersion: `${group.name}/${version}`, version }));
  return { name: group.name, versions, preferredVersion: versions[0]! };
}

/** `GET /apis/<group>`. */
export function apiGroup(group: DiscoveryGroup): APIGroup {
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupBody(group) };
}

/** `GET /apis`: the named groups, in the order given; the core group is left out. */
export function apiGroupList(all: readonly DiscoveryGroup[]): APIGroupList {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: all.filter(group => group.name !== '').map(groupBody) };
}

function apiResource(resource: DiscoveryResource): APIResource {
  return {
    name: resource.resource,
    singularName: resource.singular,
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs: resource.verbs,
    ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
    ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
    ...(resource.storageVersionHash ? { storageVersionHash: resource.storageVersionHash } : {}),
  };
}

/** Group and version of a subresource's kind, where they are not those of the document. */
function foreign(kind: GroupVersionKind, group: string, version: string): { group?: string; version?: string } {
  return kind.group === group && kind.version === version ? {} : { group: kind.group, version: kind.version };
}

/** `GET /api/v1`, `GET /apis/<group>/<version>`. */
export function apiResourceList(group: string, { version, resources: all }: DiscoveryVersion): APIResourceList {
  const groupVersion = group === '' ? version : `${group}/${version}`;
  const list = all.flatMap(resource => [
    apiResource(resource),
    ...resource.subresources.map(sub => ({
      name: `${resource.resource}/${sub.name}`,
      singularName: '',
      namespaced: resource.namespaced,
      ...foreign(sub.kind, group, version),
      kind: sub.kind.kind,
      verbs: sub.verbs,
    })),
  ]);
  // The core document has no apiVersion upstream.
  return { kind: 'APIResourceList', ...(group === '' ? {} : { apiVersion: 'v1' }), groupVersion, resources: list };
}

type ResourceDiscovery = NonNullable<
  NonNullable<APIGroupDiscoveryList['items'][number]['versions']>[number]['resources']
>[number];

function aggregatedResource(resource: DiscoveryResource, own: GroupVersionKind, custom: boolean): ResourceDiscovery {
  const kindOf = (kind: GroupVersionKind): GroupVersionKind =>
    custom ? kind : { group: '', version: '', ...foreign(kind, own.group, own.version), kind: kind.kind };
  return {
    resource: resource.resource,
    responseKind: kindOf({ ...own, kind: resource.kind }),
    scope: resource.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
    ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
    ...(resource.subresources.length > 0
      ? {
          subresources: resource.subresources.map(sub => ({
            subresource: sub.name,
            responseKind: kindOf(sub.kind),
            verbs: sub.verbs,
          })),
        }
      : {}),
  };
}

/** The aggregated document of the groups given: the core group for `/api`, all others for `/apis`. */
export function aggregatedDiscovery(all: readonly DiscoveryGroup[]): APIGroupDiscoveryList {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: all.map(group => ({
      metadata: group.name === '' ? {} : { name: group.name },
      versions: group.versions.map(({ version, resources: list, freshness = 'Current', verbatim }) => ({
        version,
        ...(verbatim?.resources?.length ? { resources: verbatim.resources } : {}),
        ...(list.length > 0
          ? {
              resources: list.map(resource =>
                aggregatedResource(
                  resource,
                  { group: group.name, version, kind: resource.kind },
                  group.custom ?? false,
                ),
              ),
            }
          : {}),
        freshness,
      })),
    })),
  } as unknown as APIGroupDiscoveryList;
}

const kubeVersion = /^v(\d+)(?:(alpha|beta)(\d+))?$/;

/**
 * Sorts versions as upstream does: `v2`, `v1`, `v2beta1`, `v1beta2`, `v1alpha1`, then anything else by name.
 * Negative when `a` comes first. Upstream: apimachinery pkg/version/helpers.go.
 */
export function compareVersions(a: string, b: string): number {
  const x = kubeVersion.exec(a);
  const y = kubeVersion.exec(b);
  if (!x && !y) return a < b ? -1 : a > b ? 1 : 0;
  if (!x) return 1;
  if (!y) return -1;
  const rank = (stage: string | undefined): number => (stage === undefined ? 2 : stage === 'beta' ? 1 : 0);
  return rank(y[2]) - rank(x[2]) || Number(y[1]) - Number(x[1]) || Number(y[3] ?? 0) - Number(x[3] ?? 0);
}

const customVerbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];
const terminatingVerbs = ['delete', 'deletecollection', 'get', 'list', 'watch'];
const subresourceVerbs = ['get', 'patch', 'update'];

function customResource(crd: CustomResourceDefinition, version: string): DiscoveryResource {
  const { group, scope, versions } = crd.spec;
  const names = crd.status?.acceptedNames ?? crd.spec.names;
  const stored = versions.find(each => each.storage);
  const terminating = crd.status?.conditions?.some(each => each.type === 'Terminating' && each.status === 'True');
  const { status, scale } = versions.find(each => each.name === version)?.subresources ?? {};
  return {
    resource: names.plural,
    singular: names.singular ?? '',
    kind: names.kind,
    namespaced: scope === 'Namespaced',
    verbs: terminating ? terminatingVerbs : customVerbs,
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    // A storage version that is not served has no hash.
    ...(stored?.served
      ? { storageVersionHash: storageVersionHash({ group, version: stored.name, kind: names.kind }) }
      : {}),
    subresources: [
      ...(status ? [{ name: 'status', kind: { group, version, kind: names.kind }, verbs: subresourceVerbs }] : []),
      ...(scale
        ? [{ name: 'scale', kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' }, verbs: subresourceVerbs }]
        : []),
    ],
  };
}

/** The groups of custom resources: of definitions that are established, sorted as upstream sorts them. */
export function customGroups(crds: readonly CustomResourceDefinition[]): DiscoveryGroup[] {
  const established = crds.filter(crd =>
    crd.status?.conditions?.some(each => each.type === 'Established' && each.status === 'True'),
  );
  const byGroup = Map.groupBy(established, crd => crd.spec.group);
  return [...byGroup]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, members]) => {
      const served = (crd: CustomResourceDefinition): string[] =>
        crd.spec.versions.filter(version => version.served).map(version => version.name);
      const versions = [...new Set(members.flatMap(served))].sort(compareVersions);
      return {
        name,
        custom: true,
        versions: versions.map(version => ({
          version,
          resources: members
            .filter(crd => served(crd).includes(version))
            .map(crd => customResource(crd, version))
            .sort((a, b) => (a.resource < b.resource ? -1 : 1)),
        })),
      };
    })
    .filter(group => group.versions.length > 0);
}
