/**
 * All resources that a server serves, by path and by kind. Built-in ones are made from facts, types and rules when the
 * server starts; custom ones come and go. Upstream: the installers of pkg/registry/<group>/rest and
 * pkg/kubeapiserver/default_storage_factory_builder.go for the places in the store.
 */

import type { GroupFacts, KindRules, ResourceFacts } from '#api/kind';
import { builtinTypes, resources, type ServedFacts, servedByDefault } from '#api/tables';
import type { GroupVersionKind } from '#apimachinery';
import type { ServedResource } from './resource.ts';

/** Rules of a kind in a version, by `group/version/resource`; kinds without an entry have upstream's generic rules. */
export type RulesOf = (facts: ResourceFacts) => KindRules;

const specialPrefixes: Readonly<Record<string, string>> = {
  '/replicationcontrollers': 'controllers',
  '/endpoints': 'services/endpoints',
  '/nodes': 'minions',
  '/services': 'services/specs',
  'networking.k8s.io/ingresses': 'ingress',
};
/** Groups whose objects stand under their group's name, because a server of their own stores them upstream. */
const groupedPrefixes = new Set(['apiextensions.k8s.io', 'apiregistration.k8s.io']);

function storagePrefix(keyPrefix: string, group: string, resource: string): string {
  const special = specialPrefixes[`${group}/${resource}`];
  if (special) return `${keyPrefix}/${special}`;
  return groupedPrefixes.has(group) ? `${keyPrefix}/${group}/${resource}` : `${keyPrefix}/${resource}`;
}

export class Scheme {
  /** What is built in and served. */
  readonly served: ServedFacts;
  /** Groups in the order of discovery. */
  readonly groups: readonly GroupFacts[];
  readonly #byPath = new Map<string, ServedResource>();
  readonly #byKind = new Map<string, ServedResource>();
  /** `group/version` of what is built in and served, which no definition can take. */
  readonly #builtIn: ReadonlySet<string>;

  /** Kinds of `resources` that are not served stay for the server itself, which stands on some of them. */
  constructor(keyPrefix: string, rulesOf: RulesOf, served: ServedFacts = servedByDefault) {
    this.served = served;
    this.groups = served.groups;
    this.#builtIn = new Set(served.resources.map(({ group, version }) => `${group}/${version}`));
    const shown = new Set(served.resources);
    const all = [...served.resources, ...resources.filter(each => !shown.has(each))];
    for (const facts of all) {
      this.add(servedResource(facts, rulesOf(facts), keyPrefix, !shown.has(facts)));
    }
    for (const facts of all) this.#linkStorage(facts);
  }

  find(group: string, version: string, resource: string): ServedResource | undefined {
    return this.#byPath.get(`${group}/${version}/${resource}`);
  }

  ofKind({ group, version, kind }: GroupVersionKind): ServedResource | undefined {
    return this.#byKind.get(`${group}/${version}/${kind}`);
  }

  /** Every served resource, in the order in which they were added. */
  all(): IterableIterator<ServedResource> {
    return this.#byPath.values();
  }

  /** Whether anything of the group is served. */
  hasGroup(group: string): boolean {
    for (const each of this.#byPath.values()) if (each.group === group && !each.hidden) return true;
    return false;
  }

  isBuiltIn(group: string, version: string): boolean {
    return this.#builtIn.has(`${group}/${version}`);
  }

  /** A custom kind in a version that is built in is not served: upstream never asks for definitions there. */
  add(resource: ServedResource): void {
    const { group, version, custom } = resource;
    if (custom && this.isBuiltIn(group, version)) return;
    this.#byPath.set(`${group}/${version}/${resource.resource}`, resource);
    this.#byKind.set(`${group}/${version}/${resource.kind}`, resource);
  }

  remove(resource: ServedResource): void {
    const { group, version } = resource;
    const [path, kind] = [`${group}/${version}/${resource.resource}`, `${group}/${version}/${resource.kind}`];
    if (this.#byPath.get(path) === resource) this.#byPath.delete(path);
    if (this.#byKind.get(kind) === resource) this.#byKind.delete(kind);
  }

  #linkStorage(facts: ResourceFacts): void {
    const { storageGroup, storageVersion } = facts;
    if (storageGroup === facts.group && storageVersion === facts.version) return;
    const own = this.find(facts.group, facts.version, facts.resource)!;
    const hub = this.find(storageGroup, storageVersion, facts.resource);
    if (!hub) throw new Error(`${facts.resource}.${facts.version}.${facts.group} has no storage version`);
    (own as { storage: ServedResource }).storage = hub;
    (own as { storagePrefix: string }).storagePrefix = hub.storagePrefix;
  }
}

function servedResource(facts: ResourceFacts, rules: KindRules, keyPrefix: string, hidden: boolean): ServedResource {
  const { typeName, storageGroup, storageVersion: _, storageVersionHash, ...rest } = facts;
  let struct: ServedResource['struct'] | undefined;
  const resource = {
    ...rest,
    typeName,
    storageVersionHash,
    listKind: `${facts.kind}List`,
    rules,
    /** Read when first needed: a server touches few of the types when it starts. */
    get struct() {
      return (struct ??= builtinTypes.struct(typeName));
    },
    storagePrefix: storagePrefix(keyPrefix, storageGroup, facts.resource),
    storage: undefined as unknown as ServedResource,
    custom: false,
    ...(hidden && { hidden }),
  };
  resource.storage = resource;
  return resource;
}
