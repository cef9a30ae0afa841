/**
 * The APIServices as the server routes by them: followed in the watch cache, by name, in upstream's order of groups and
 * versions. Upstream: kube-aggregator pkg/apiserver/apiservice_controller.go, pkg/apis/apiregistration/v1/helper.
 */
import { compareVersions } from '#api/discovery';
import type { APIService } from '#api/types';
import type { KubeObject } from '#apimachinery';
import type { Clock } from '#base';
import type { Caches } from '../registry/caches.ts';
import { follow } from '../registry/follow.ts';
import type { ServedResource } from '../scheme/resource.ts';
import type { Scheme } from '../scheme/scheme.ts';

export const registrationGroup = 'apiregistration.k8s.io';

/** What the aggregator reads of an APIService. */
export interface RegisteredService {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly group: string;
  readonly version: string;
  readonly groupPriorityMinimum: number;
  readonly versionPriority: number;
  /** Absent: this server answers itself. */
  readonly service: { readonly namespace: string; readonly name: string; readonly port: number } | undefined;
  readonly caBundle: string | undefined;
  readonly insecureSkipTLSVerify: boolean;
  readonly available: boolean;
  readonly object: APIService;
}

export function registeredService(object: KubeObject): RegisteredService {
  const service = object as unknown as APIService;
  const { metadata, spec, status } = service;
  const { group = '', version = '', groupPriorityMinimum = 0, versionPriority = 0 } = spec ?? {};
  const { name = '', namespace = '', port = 443 } = spec?.service ?? {};
  return {
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    group,
    version,
    groupPriorityMinimum,
    versionPriority,
    service: spec?.service && { namespace, name, port },
    caBundle: spec?.caBundle ? Buffer.from(spec.caBundle, 'base64').toString() : undefined,
    insecureSkipTLSVerify: spec?.insecureSkipTLSVerify ?? false,
    available: status?.conditions?.some(each => each.type === 'Available' && each.status === 'True') ?? false,
    object: service,
  };
}

/** The versions of one group, the preferred one first. */
export interface RegisteredGroup {
  readonly group: string;
  readonly versions: readonly RegisteredService[];
}

/** Groups by their highest priority and then their services' names; versions by priority and then as versions go. */
export function sortedGroups(services: Iterable<RegisteredService>): RegisteredGroup[] {
  const sorted = [...services].sort(
    (a, b) => b.groupPriorityMinimum - a.groupPriorityMinimum || (a.name < b.name ? -1 : 1),
  );
  return [...Map.groupBy(sorted, each => each.group)].map(([group, versions]) => ({
    group,
    versions: versions.sort((a, b) => b.versionPriority - a.versionPriority || compareVersions(a.version, b.version)),
  }));
}

/** Told of every change, with the state before it; called at once and in order. */
export type ServiceListener = (
  name: string,
  now: RegisteredService | undefined,
  old: RegisteredService | undefined,
) => void;

export class ApiServices {
  readonly #resource: ServedResource;
  readonly #deps: { readonly caches: Caches; readonly clock: Clock };
  readonly #byName = new Map<string, RegisteredService>();
  readonly #listeners: ServiceListener[] = [];
  #generation = 0;
  #remote = 0;
  #groups: { readonly generation: number; readonly groups: readonly RegisteredGroup[] } | undefined;

  constructor(scheme: Scheme, caches: Caches, clock: Clock) {
    this.#resource = scheme.find(registrationGroup, 'v1', 'apiservices')!;
    this.#deps = { caches, clock };
  }

  get resource(): ServedResource {
    return this.#resource;
  }

  /** Rises with every change. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether any request goes elsewhere: without one, nothing needs to be looked up. */
  get hasRemote(): boolean {
    return this.#remote > 0;
  }

  get(name: string): RegisteredService | undefined {
    return this.#byName.get(name);
  }

  all(): IterableIterator<RegisteredService> {
    return this.#byName.values();
  }

  /** The same list until something changes. */
  get groups(): readonly RegisteredGroup[] {
    if (this.#groups?.generation !== this.#generation) {
      this.#groups = { generation: this.#generation, groups: sortedGroups(this.#byName.values()) };
    }
    return this.#groups.groups;
  }

  /** The service elsewhere that answers for a path; undefined when this server does. */
  remoteFor(path: string): RegisteredService | undefined {
    if (this.#remote === 0) return undefined;
    const [, root, group = '', version = ''] = path.split('/', 4);
    const name = root === 'apis' && version !== '' ? `${version}.${group}` : root === 'api' ? 'v1.' : '';
    const found = name === '' ? undefined : this.#byName.get(name);
    return found?.service && found;
  }

  onChange(listener: ServiceListener): void {
    this.#listeners.push(listener);
  }

  /** Takes over what is stored, then follows changes until `signal` aborts. */
  start(signal: AbortSignal): Promise<void> {
    const names = new Map<string, string>();
    return follow(this.#deps, this.#resource, signal, {
      put: ({ key, object }) => {
        const name = object.metadata.name!;
        names.set(key, name);
        this.#set(name, registeredService(object), this.#byName.get(name));
      },
      gone: key => {
        const name = names.get(key)!;
        names.delete(key);
        this.#set(name, undefined, this.#byName.get(name));
      },
    });
  }

  #set(name: string, now: RegisteredService | undefined, old: RegisteredService | undefined): void {
    if (now) this.#byName.set(name, now);
    else this.#byName.delete(name);
    this.#remote += Number(now?.service !== undefined) - Number(old?.service !== undefined);
    this.#generation++;
    for (const listener of this.#listeners) listener(name, now, old);
  }
}
