/**
 * APIServices for what this server answers itself: for built-in groups when it starts, for served versions of
 * definitions always. Those without the label of automatic management are nobody's but their authors'.
 * Upstream: kube-aggregator pkg/controllers/autoregister, pkg/controlplane/controller/crdregistration.
 */
import type { GroupFacts } from '#api/kind';
import type { CustomResourceDefinition } from '#api/types';
import { type Draft, isStatusError, type KubeObject, semanticEqual } from '#apimachinery';
import { type Clock, type Logger, noActivity } from '#base';
import { createWorkQueue, type WorkQueue } from '#client';
import type { Caches } from '../registry/caches.ts';
import { deleteObject } from '../registry/delete.ts';
import { ownFieldManager } from '../registry/field-managers.ts';
import { follow } from '../registry/follow.ts';
import { ownContext } from '../registry/own-context.ts';
import type { Registry } from '../registry/registry.ts';
import type { Scheme } from '../scheme/scheme.ts';
import { type ApiServices, type RegisteredService, registrationGroup } from './api-services.ts';
import { builtinPriority, customPriority, type Priority } from './priorities.ts';

const managedLabel = 'kube-aggregator.kubernetes.io/automanaged';

/** `onstart`: brought into line once; `true`: always. */
export type Management = 'onstart' | 'true';

export interface WantedService {
  readonly group: string;
  readonly version: string;
  readonly priority: Priority;
  readonly management: Management;
}

export type RegistrationAction = 'nothing' | 'create' | 'update' | 'delete';

export interface RegistrationState {
  readonly wanted: WantedService | undefined;
  readonly current: RegisteredService | undefined;
  /** It was there when the server started. */
  readonly atStart: boolean;
  /** It has been brought into line since. */
  readonly synced: boolean;
}

/** Upstream's table of what is wanted and what there is. */
export function registrationAction({ wanted, current, atStart, synced }: RegistrationState): RegistrationAction {
  if (!current && !wanted) return 'nothing';
  if (wanted?.management === 'onstart' && synced) return 'nothing';
  if (!current) return 'create';
  const management = current.object.metadata.labels?.[managedLabel];
  if (management !== 'onstart' && management !== 'true') return 'nothing';
  if (management === 'onstart' && (!atStart || synced)) return 'nothing';
  if (!wanted) return 'delete';
  return semanticEqual(current.object.spec, specOf(wanted)) ? 'nothing' : 'update';
}

function specOf({ group, version, priority: [groupPriorityMinimum, versionPriority] }: WantedService): object {
  return { ...(group !== '' && { group }), version, groupPriorityMinimum, versionPriority };
}

export function wantedObject(wanted: WantedService): Draft<KubeObject> {
  const { group, version, management } = wanted;
  return {
    apiVersion: `${registrationGroup}/v1`,
    kind: 'APIService',
    metadata: { name: `${version}.${group}`, labels: { [managedLabel]: management } },
    spec: specOf(wanted),
  };
}

/** What a fresh server registers. */
export function builtinServices({
  groups,
}: {
  readonly groups: readonly Pick<GroupFacts, 'name' | 'versions'>[];
}): WantedService[] {
  return groups
    .filter(({ name }) => name !== registrationGroup)
    .flatMap(({ name, versions }) =>
      versions.map(version => ({
        group: name,
        version,
        priority: builtinPriority(name, version),
        management: 'onstart' as const,
      })),
    );
}

export interface RegistrationDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly scheme: Scheme;
  readonly caches: Caches;
  readonly registry: Registry;
  readonly services: ApiServices;
}

const workers = 5;

export class Registration {
  readonly #deps: RegistrationDeps;
  readonly #queue: WorkQueue;
  readonly #wanted = new Map<string, WantedService>();
  readonly #synced = new Set<string>();
  readonly #atStart = new Set<string>();
  /** Group versions of each definition by its key, and how many definitions serve one. */
  readonly #served = new Map<string, readonly string[]>();
  readonly #servers = new Map<string, number>();

  constructor(deps: RegistrationDeps) {
    this.#deps = deps;
    this.#queue = createWorkQueue({ clock: deps.clock, activity: noActivity });
  }

  /** Resolves when it knows what is wanted; the work goes on until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const { services, scheme } = this.#deps;
    for (const wanted of builtinServices(scheme)) this.#wanted.set(`${wanted.version}.${wanted.group}`, wanted);
    for (const { name } of services.all()) this.#atStart.add(name);
    // Before anything is deleted that a definition still wants.
    await follow(this.#deps, scheme.find('apiextensions.k8s.io', 'v1', 'customresourcedefinitions')!, signal, {
      put: ({ key, object }) => this.#serve(key, servedVersions(object as unknown as CustomResourceDefinition)),
      gone: key => this.#serve(key, []),
    });
    services.onChange(name => this.#queue.add(name));
    for (const name of new Set([...this.#wanted.keys(), ...this.#atStart])) this.#queue.add(name);
    for (let i = 0; i < workers; i++) void this.#work();
    signal.addEventListener('abort', () => this.#queue.close(), { once: true });
  }

  #serve(key: string, now: readonly string[]): void {
    const before = this.#served.get(key) ?? [];
    for (const name of now) this.#servers.set(name, (this.#servers.get(name) ?? 0) + 1);
    for (const name of before) this.#servers.set(name, (this.#servers.get(name) ?? 0) - 1);
    if (now.length > 0) this.#served.set(key, now);
    else this.#served.delete(key);
    for (const name of new Set([...before, ...now])) {
      if ((this.#servers.get(name) ?? 0) > 0) this.#wanted.set(name, customService(name));
      else {
        this.#servers.delete(name);
        this.#wanted.delete(name);
      }
      this.#queue.add(name);
    }
  }

  async #work(): Promise<void> {
    for (let name = await this.#queue.take(); name !== undefined; name = await this.#queue.take()) {
      try {
        await this.#sync(name);
        this.#synced.add(name);
        this.#queue.forget(name);
      } catch (error) {
        this.#deps.logger.error('registration of an APIService', { name, error });
        this.#queue.addRateLimited(name);
      } finally {
        this.#queue.done(name);
      }
    }
  }

  async #sync(name: string): Promise<void> {
    const wanted = this.#wanted.get(name);
    const current = this.#deps.services.get(name);
    const state = { wanted, current, atStart: this.#atStart.has(name), synced: this.#synced.has(name) };
    try {
      await this.#do(registrationAction(state), name, wanted, current);
    } catch (error) {
      // Changed meanwhile: the change brings the name back.
      const passing = ['AlreadyExists', 'NotFound', 'Conflict'] as const;
      if (!passing.some(reason => isStatusError(error, reason))) throw error;
    }
  }

  async #do(
    action: RegistrationAction,
    name: string,
    wanted: WantedService | undefined,
    current: RegisteredService | undefined,
  ): Promise<void> {
    const { registry, services } = this.#deps;
    const context = { ...ownContext(services.resource, name), fieldManager: ownFieldManager };
    if (action === 'create') {
      await registry.create(services.resource, wantedObject(wanted!), context);
    } else if (action === 'update') {
      const { resourceVersion } = current!;
      await registry.update(
        services.resource,
        async existing => {
          const draft = existing!.draft();
          draft.metadata.resourceVersion = resourceVersion;
          return { ...draft, spec: specOf(wanted!) } as Draft<KubeObject>;
        },
        context,
      );
    } else if (action === 'delete') {
      const options = { preconditions: { uid: current!.uid } };
      await deleteObject(registry, services.resource, { ...context, options });
    }
  }
}

function customService(name: string): WantedService {
  const at = name.indexOf('.');
  return {
    version: name.slice(0, at),
    group: name.slice(at + 1),
    priority: customPriority,
    management: 'true',
  };
}

/** As names of APIServices. */
function servedVersions({ spec }: CustomResourceDefinition): string[] {
  return spec.versions.filter(each => each.served).map(each => `${each.name}.${spec.group}`);
}
