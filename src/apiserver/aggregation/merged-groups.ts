/**
 * What discovery shows of everything together: built-in groups, custom ones, and those of other servers. The legacy
 * documents list what is registered; the aggregated one what has been seen. Upstream: kube-aggregator
 * pkg/apiserver/handler_apis.go, apiserver pkg/endpoints/discovery/aggregated/handler.go.
 */
import { compareVersions, type DiscoveryGroup, type DiscoveryVersion } from '#api/discovery';
import { type RegisteredGroup, type RegisteredService, registrationGroup } from './api-services.ts';
import { builtinPriority, customPriority, type Priority } from './priorities.ts';

export interface GroupSources {
  /** The core group first. */
  readonly builtin: readonly DiscoveryGroup[];
  readonly custom: readonly DiscoveryGroup[];
  readonly registered: readonly RegisteredGroup[];
  /** What has been learnt of a server elsewhere, by its APIService's name. */
  seen(name: string): DiscoveryVersion | undefined;
}

/** In the order of the legacy documents, the core group first; versions without resources are elsewhere or not yet. */
export function legacyGroups({ builtin, custom, registered }: GroupSources): DiscoveryGroup[] {
  // A definition may add versions to a group that is built in.
  const local = new Map(builtin.map(group => [group.name, group]));
  for (const group of custom) {
    const own = local.get(group.name);
    local.set(group.name, own ? { ...own, versions: [...own.versions, ...group.versions] } : group);
  }
  const first = builtin.filter(({ name }) => name === '' || name === registrationGroup);
  const shown = new Set(first.map(group => group.name));
  const groups = [...first];
  for (const { group, versions } of registered) {
    if (shown.has(group)) continue;
    shown.add(group);
    const own = local.get(group);
    const resourcesOf = (version: string) => own?.versions.find(each => each.version === version)?.resources ?? [];
    groups.push({
      name: group,
      ...(own?.custom && { custom: true }),
      versions: versions.map(({ version }) => ({ version, resources: resourcesOf(version) })),
    });
  }
  // A definition's group is there before its APIServices are.
  groups.push(...[...local.values()].filter(group => !shown.has(group.name)));
  return groups;
}

interface Ranked {
  readonly version: DiscoveryVersion;
  readonly priority: Priority;
  readonly custom: boolean;
}

/** In the order of the aggregated document, the core group first. */
export function aggregatedGroups({ builtin, custom, registered, seen }: GroupSources): DiscoveryGroup[] {
  const groups = new Map<string, Map<string, Ranked>>();
  const add = (group: string, ranked: Ranked): void => {
    const versions = groups.get(group);
    if (versions) versions.set(ranked.version.version, ranked);
    else groups.set(group, new Map([[ranked.version.version, ranked]]));
  };
  for (const { name, versions } of custom) {
    for (const version of versions) add(name, { version, priority: customPriority, custom: true });
  }
  for (const { name, versions } of builtin) {
    for (const version of versions) {
      add(name, { version, priority: builtinPriority(name, version.version), custom: false });
    }
  }
  for (const { name, group, version: own, ...service } of remoteServices(registered)) {
    const version = seen(name);
    const priority = [service.groupPriorityMinimum, service.versionPriority] as const;
    if (version) add(group, { version: { ...version, version: own }, priority, custom: false });
  }
  const highest = (versions: Map<string, Ranked>): number =>
    Math.max(...[...versions.values()].map(({ priority }) => priority[0]));
  return [...groups]
    .map(([name, versions]) => ({ name, versions: [...versions.values()], rank: highest(versions) }))
    .sort((a, b) => Number(b.name === '') - Number(a.name === '') || b.rank - a.rank || (a.name < b.name ? -1 : 1))
    .map(({ name, versions }) => ({
      name,
      ...(versions.some(each => each.custom) && { custom: true }),
      versions: versions.sort(byPriority).map(each => each.version),
    }));
}

function byPriority(a: Ranked, b: Ranked): number {
  return b.priority[1] - a.priority[1] || compareVersions(a.version.version, b.version.version);
}

function remoteServices(registered: readonly RegisteredGroup[]): RegisteredService[] {
  return registered.flatMap(({ versions }) => versions.filter(each => each.service));
}
