/**
 * Whether the servers behind APIServices can be asked: looked at when an APIService, its Service or their endpoints
 * change, every half minute, and again soon after a failure; told in the condition `Available`. Local ones always can.
 * Upstream: kube-aggregator pkg/controllers/status/{remote,local}.
 */
import type { EndpointSlice, Service } from '#api/types';
import { type Draft, goQuote, isStatusError, type KubeObject } from '#apimachinery';
import { type Clock, type Logger, type MetricsRegistry, noActivity, type Timer } from '#base';
import { createWorkQueue, type WorkQueue } from '#client';
import type { Lookup } from '../admission/lookup.ts';
import { user } from '../authentication/user.ts';
import { type Condition, setCondition } from '../custom/conditions.ts';
import type { Caches } from '../registry/caches.ts';
import { follow } from '../registry/follow.ts';
import { ownContext } from '../registry/own-context.ts';
import type { Registry } from '../registry/registry.ts';
import type { Scheme } from '../scheme/scheme.ts';
import { belongsTo } from '../server/service-resolver.ts';
import type { ApiServices, RegisteredService } from './api-services.ts';
import { type Backends, QuestionError } from './backends.ts';
import { AvailabilityMetrics } from './metrics.ts';

export interface AvailabilityDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
  readonly scheme: Scheme;
  readonly caches: Caches;
  readonly registry: Registry;
  readonly lookup: Lookup;
  readonly services: ApiServices;
  readonly backends: Backends;
}

const resyncMs = 30_000;
const questionMs = 5000;
const attempts = 5;
const workers = 5;
const aggregator = user('system:kube-aggregator', ['system:masters']);

const available = (status: Condition['status'], reason: string, message: string): Condition => ({
  type: 'Available',
  status,
  reason,
  message,
});

export const localCondition: Condition = available('True', 'Local', 'Local APIServices are always available');
const passed = available('True', 'Passed', 'all checks passed');

/** What the Service and its endpoints say; undefined: it can be asked. */
export function endpointsProblem(
  { namespace, name, port }: NonNullable<RegisteredService['service']>,
  service: Service | undefined,
  slices: readonly EndpointSlice[],
): Condition | undefined {
  const shown = `service/${name} in ${goQuote(namespace)}`;
  if (!service) return available('False', 'ServiceNotFound', `${shown} is not present`);
  if ((service.spec.type ?? 'ClusterIP') !== 'ClusterIP') return undefined;
  const found = service.spec.ports?.find(each => each.port === port);
  if (!found) return available('False', 'ServicePortError', `${shown} is not listening on port ${port}`);
  if (slices.length === 0) {
    return available('False', 'EndpointsNotFound', `cannot find endpointslices for ${shown}`);
  }
  const portName = found.name ?? '';
  const ready = slices.some(
    ({ endpoints, ports }) =>
      endpoints?.some(each => each.conditions?.ready !== false) &&
      ports?.some(each => (each.name ?? '') === portName && each.port !== undefined),
  );
  if (ready) return undefined;
  const message = `endpointslices for ${shown} have no addresses with port name ${goQuote(portName)}`;
  return available('False', 'MissingEndpoints', message);
}

export class Availability {
  readonly #deps: AvailabilityDeps;
  readonly #queue: WorkQueue;
  readonly #metrics: AvailabilityMetrics;
  /** APIServices by `namespace/name` of their Service. */
  readonly #byService = new Map<string, Set<string>>();
  #watching = false;
  #resync: Timer | undefined;

  constructor(deps: AvailabilityDeps) {
    this.#deps = deps;
    this.#metrics = new AvailabilityMetrics(deps.metrics);
    this.#queue = createWorkQueue({ clock: deps.clock, activity: noActivity, baseDelayMs: 5, maxDelayMs: resyncMs });
  }

  /** Looks at what there is, and from then on at what changes, until `signal` aborts. */
  start(signal: AbortSignal): void {
    const { services } = this.#deps;
    services.onChange((name, now, old) => {
      this.#index(name, old, now);
      if (now?.service) this.#watch(signal);
      this.#queue.add(name);
    });
    for (const service of services.all()) {
      this.#index(service.name, undefined, service);
      if (service.service) this.#watch(signal);
      this.#queue.add(service.name);
    }
    for (let i = 0; i < workers; i++) void this.#work();
    signal.addEventListener(
      'abort',
      () => {
        this.#queue.close();
        this.#resync?.cancel();
      },
      { once: true },
    );
  }

  #index(name: string, old: RegisteredService | undefined, now: RegisteredService | undefined): void {
    const key = (each: RegisteredService | undefined): string | undefined =>
      each?.service && `${each.service.namespace}/${each.service.name}`;
    const before = key(old);
    const after = key(now);
    if (before === after) return;
    if (before !== undefined) this.#byService.get(before)?.delete(name);
    if (after === undefined) return;
    const names = this.#byService.get(after);
    if (names) names.add(name);
    else this.#byService.set(after, new Set([name]));
  }

  /** From the first APIService on that leads elsewhere. */
  #watch(signal: AbortSignal): void {
    if (this.#watching) return;
    this.#watching = true;
    const { scheme, clock, services } = this.#deps;
    const serviceOf = (object: KubeObject): string | undefined => object.metadata.name;
    const ownerOf = (object: KubeObject): string | undefined => object.metadata.labels?.['kubernetes.io/service-name'];
    this.#touch(signal, scheme.find('', 'v1', 'services')!, serviceOf);
    this.#touch(signal, scheme.find('discovery.k8s.io', 'v1', 'endpointslices')!, ownerOf);
    this.#resync = clock.setTicker(() => {
      for (const { name, service } of services.all()) if (service) this.#queue.add(name);
    }, resyncMs);
  }

  #touch(
    signal: AbortSignal,
    resource: Parameters<typeof follow>[1],
    serviceOf: (object: KubeObject) => string | undefined,
  ): void {
    const keys = new Map<string, string>();
    const touch = (key: string): void => {
      for (const name of this.#byService.get(key) ?? []) this.#queue.add(name);
    };
    const followed = follow(this.#deps, resource, signal, {
      put: ({ key, object }) => {
        const service = serviceOf(object);
        if (service === undefined) return;
        const at = `${object.metadata.namespace}/${service}`;
        keys.set(key, at);
        touch(at);
      },
      gone: key => {
        touch(keys.get(key) ?? '');
        keys.delete(key);
      },
    });
    followed.catch(error => {
      if (!signal.aborted) this.#deps.logger.error('cannot follow the endpoints of APIServices', { error });
    });
  }

  async #work(): Promise<void> {
    for (let name = await this.#queue.take(); name !== undefined; name = await this.#queue.take()) {
      try {
        if (await this.#sync(name)) this.#queue.forget(name);
        else this.#queue.addRateLimited(name);
      } catch (error) {
        this.#deps.logger.error('availability of an APIService', { name, error });
        this.#queue.addRateLimited(name);
      } finally {
        this.#queue.done(name);
      }
    }
  }

  /** False: look again soon. */
  async #sync(name: string): Promise<boolean> {
    const registered = this.#deps.services.get(name);
    if (!registered) {
      this.#metrics.forget(name);
      return true;
    }
    const condition = registered.service ? await this.#conditionOf(registered) : localCondition;
    await this.#tell(registered, condition);
    return condition.reason !== 'FailedDiscoveryCheck';
  }

  async #conditionOf(registered: RegisteredService): Promise<Condition> {
    const { namespace, name } = registered.service!;
    const { lookup } = this.#deps;
    const service = (await lookup.get('', 'services', namespace, name)) as unknown as Service | undefined;
    const slices = (await lookup.list('discovery.k8s.io', 'endpointslices', namespace)).filter(belongsTo(name));
    const problem = endpointsProblem(registered.service!, service, slices as unknown as EndpointSlice[]);
    if (problem) return problem;
    const failure = await this.#ask(registered);
    return failure === undefined ? passed : available('False', 'FailedDiscoveryCheck', failure);
  }

  /** Several at once, for endpoints are chosen by chance; one good answer is enough. Else the last failure. */
  async #ask(registered: RegisteredService): Promise<string | undefined> {
    const path =
      registered.name === 'v1.' ? `/api/${registered.version}` : `/apis/${registered.group}/${registered.version}`;
    let last = '';
    const attempt = async (): Promise<void> => {
      try {
        await this.#askOnce(registered, path);
      } catch (error) {
        last = (error as Error).message;
        throw error;
      }
    };
    try {
      await Promise.any(Array.from({ length: attempts }, attempt));
      return undefined;
    } catch {
      return last;
    }
  }

  async #askOnce(registered: RegisteredService, path: string): Promise<void> {
    const question = { path, user: aggregator, timeoutMs: questionMs, maxBytes: 0 };
    try {
      const { status, url } = await this.#deps.backends.ask(registered, question);
      if (status >= 200 && status < 300) return;
      throw new QuestionError(`bad status from ${url}: ${status}`, url);
    } catch (error) {
      if (!(error instanceof QuestionError) || error.url === path) throw error;
      throw new Error(`failing or missing response from ${error.url}: ${error.message}`);
    }
  }

  async #tell(registered: RegisteredService, condition: Condition): Promise<void> {
    const { registry, services, clock } = this.#deps;
    const isAvailable = condition.status === 'True';
    this.#metrics.set(registered.name, isAvailable);
    const now = registered.object.status?.conditions?.find(each => each.type === 'Available');
    const same =
      now?.status === condition.status && now.reason === condition.reason && now.message === condition.message;
    if (same) return;
    try {
      const context = ownContext(services.resource, registered.name);
      await registry.modify(services.resource, context, (draft: Draft<KubeObject>) => {
        if (draft.metadata.uid === registered.uid) setCondition(draft, condition, clock.now());
      });
    } catch (error) {
      if (isStatusError(error, 'NotFound')) return;
      throw error;
    }
    if (registered.available && !isAvailable) this.#metrics.count(registered.name, condition.reason);
  }
}
