/**
 * Aggregation: other API servers behind this one. Follows the APIServices, registers its own, looks whether the others
 * can be asked, and hands requests on to them. Upstream: kube-aggregator pkg/apiserver/apiserver.go.
 */
import { builtinGroups, type DiscoveryGroup } from '#api/discovery';
import type { Clock, Logger, MetricsRegistry, Random } from '#base';
import type { Lookup } from '../admission/lookup.ts';
import type { UserInfo } from '../authentication/user.ts';
import type { ServerRequest, ServerResponse } from '../http/message.ts';
import type { Caches } from '../registry/caches.ts';
import type { Registry } from '../registry/registry.ts';
import type { Scheme } from '../scheme/scheme.ts';
import { serviceResolver } from '../server/service-resolver.ts';
import { ApiServices, type RegisteredService } from './api-services.ts';
import { Availability } from './availability.ts';
import { Backends } from './backends.ts';
import { followClientPair } from './client-pair.ts';
import type { AggregationConfig } from './config.ts';
import { DiscoveryManager } from './discovery-manager.ts';
import { aggregatedGroups, legacyGroups } from './merged-groups.ts';
import { RemoteDocuments } from './openapi/remote-documents.ts';
import { Registration } from './registration.ts';

export interface AggregatorDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
  readonly scheme: Scheme;
  readonly caches: Caches;
  readonly registry: Registry;
  readonly lookup: Lookup;
  /** Groups of custom resources; the same list until one changes. */
  readonly customGroups: () => readonly DiscoveryGroup[];
  readonly config: AggregationConfig;
  /** Ends whatever goes on by itself. */
  readonly signal: AbortSignal;
}

const documentRoot = '/openapi/v3/';

interface Groups {
  readonly custom: readonly DiscoveryGroup[];
  readonly services: number;
  readonly seen: number;
  readonly legacy: readonly DiscoveryGroup[];
  readonly aggregated: readonly DiscoveryGroup[];
}

export class Aggregator implements Disposable {
  readonly #deps: AggregatorDeps;
  readonly #services: ApiServices;
  readonly #backends: Backends;
  readonly #availability: Availability;
  readonly #registration: Registration;
  readonly #discovery: DiscoveryManager;
  /** What other servers say of themselves in OpenAPI. */
  readonly documents: RemoteDocuments;
  /** The built-in groups, the core group first. */
  readonly builtin: readonly DiscoveryGroup[];
  #groups: Groups | undefined;

  constructor(deps: AggregatorDeps) {
    this.#deps = deps;
    this.builtin = builtinGroups(deps.scheme.served);
    const { config, lookup, random } = deps;
    this.#services = new ApiServices(deps.scheme, deps.caches, deps.clock);
    this.#backends = new Backends({
      ...deps,
      resolve: serviceResolver(lookup, random, { toEndpoints: config.enableAggregatorRouting }),
      clientPair: config.proxyClient ? followClientPair(config.proxyClient, deps) : () => undefined,
      rejectRedirects: config.aggregatorRejectForwardingRedirect,
    });
    const parts = { ...deps, services: this.#services, backends: this.#backends };
    this.#availability = new Availability(parts);
    this.#registration = new Registration(parts);
    this.#discovery = new DiscoveryManager(parts);
    this.documents = new RemoteDocuments(parts);
  }

  /** Resolves when requests are routed by what is stored. */
  async start(): Promise<void> {
    const { signal } = this.#deps;
    await this.#services.start(signal);
    await this.#registration.start(signal);
    this.#availability.start(signal);
    this.#discovery.start(signal);
    this.documents.start(signal);
  }

  /** The answer of the server that a path belongs to, given up after `limitMs`; undefined when that is this one. */
  serve(request: ServerRequest, user: UserInfo, limitMs: number | undefined): Promise<ServerResponse> | undefined {
    const remote = this.#services.remoteFor(request.path) ?? this.#documentOwner(request.path);
    return remote && this.#backends.serve(remote, request, user, limitMs);
  }

  /** Documents of version 3 are their servers' to give, but for those that are made here, and this server's own. */
  #documentOwner(path: string): RegisteredService | undefined {
    if (!this.#services.hasRemote || !path.startsWith(documentRoot)) return undefined;
    const [, root, group = '', version = ''] = path.slice(documentRoot.length - 1).split('/');
    const name = path.slice(documentRoot.length);
    const isOwn = root !== 'apis' || group === '' || !this.#services.get(`${version}.${group}`)?.service;
    return isOwn || this.documents.convertedOf(name) ? undefined : this.documents.ownerOf(name);
  }

  /** Whether a path belongs to another server. */
  isRemote(path: string): boolean {
    return this.#services.remoteFor(path) !== undefined;
  }

  /** The groups of the legacy documents, the core group first; the same list until something changes. */
  get legacyGroups(): readonly DiscoveryGroup[] {
    return this.#merged().legacy;
  }

  /** The groups of the aggregated document, the core group first; the same list until something changes. */
  get aggregatedGroups(): readonly DiscoveryGroup[] {
    return this.#merged().aggregated;
  }

  #merged(): Groups {
    const custom = this.#deps.customGroups();
    const { generation: services, groups: registered } = this.#services;
    const { generation: seen } = this.#discovery;
    const now = this.#groups;
    if (now && now.custom === custom && now.services === services && now.seen === seen) return now;
    const builtin = this.builtin;
    const sources = { builtin, custom, registered, seen: (name: string) => this.#discovery.seen(name) };
    const made = { custom, services, seen, legacy: legacyGroups(sources), aggregated: aggregatedGroups(sources) };
    this.#groups = made;
    return made;
  }

  [Symbol.dispose](): void {
    this.#backends[Symbol.dispose]();
  }
}
