/**
 * Keeps what other servers say of their resources: asked when an APIService changes, every minute, and again with
 * growing pauses after a failure. A server that cannot be asked keeps its place in the document, marked as stale.
 * Upstream: kube-aggregator pkg/apiserver/handler_discovery.go.
 */
import type { AggregatedVersion, DiscoveryVersion } from '#api/discovery';
import { type Clock, type Logger, noActivity } from '#base';
import { createWorkQueue, type WorkQueue } from '#client';
import { user } from '../authentication/user.ts';
import type { ApiServices, RegisteredService } from './api-services.ts';
import type { Answer, Backends } from './backends.ts';
import { isAggregatedType, readAggregated, readLegacy } from './discovered.ts';

export interface DiscoveryManagerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly services: ApiServices;
  readonly backends: Backends;
}

const refreshMs = 60_000;
const questionMs = 5000;
/** Deviation: upstream has no bound. */
const maxBytes = 32 * 1024 * 1024;
const accept = ['v2', 'v2beta1']
  .map(version => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .join();
const workers = 2;

/** The whole document of a Service, which may stand behind several APIServices. */
interface Kept {
  readonly versions: ReadonlyMap<string, AggregatedVersion>;
  readonly etag: string;
  readonly askedAtMs: number;
}

export class DiscoveryManager {
  readonly #deps: DiscoveryManagerDeps;
  readonly #queue: WorkQueue;
  readonly #kept = new Map<string, Kept>();
  readonly #seen = new Map<string, DiscoveryVersion>();
  readonly #dirtyAtMs = new Map<string, number>();
  #generation = 0;

  constructor(deps: DiscoveryManagerDeps) {
    this.#deps = deps;
    const { clock } = deps;
    this.#queue = createWorkQueue({ clock, activity: noActivity, baseDelayMs: 500, maxDelayMs: refreshMs });
  }

  /** Rises with every change of what is seen. */
  get generation(): number {
    return this.#generation;
  }

  /** By an APIService's name; undefined before it was asked. */
  seen(name: string): DiscoveryVersion | undefined {
    return this.#seen.get(name);
  }

  start(signal: AbortSignal): void {
    const { services } = this.#deps;
    services.onChange((name, now, old) => {
      if (now?.service || old?.service) this.#touch(name);
    });
    for (const { name, service } of services.all()) if (service) this.#touch(name);
    for (let i = 0; i < workers; i++) void this.#work();
    signal.addEventListener('abort', () => this.#queue.close(), { once: true });
  }

  #touch(name: string): void {
    this.#dirtyAtMs.set(name, this.#deps.clock.monotonicMs());
    this.#queue.add(name);
  }

  async #work(): Promise<void> {
    for (let name = await this.#queue.take(); name !== undefined; name = await this.#queue.take()) {
      const again = await this.#sync(name);
      this.#queue.done(name);
      if (again === 'soon') this.#queue.addRateLimited(name);
      else this.#queue.forget(name);
      if (again === 'later') {
        this.#dirtyAtMs.set(name, this.#deps.clock.monotonicMs());
        this.#queue.addAfter(name, refreshMs);
      }
    }
  }

  async #sync(name: string): Promise<'soon' | 'later' | 'never'> {
    const registered = this.#deps.services.get(name);
    if (!registered?.service) {
      this.#dirtyAtMs.delete(name);
      this.#forgetUnused();
      if (this.#seen.delete(name)) this.#generation++;
      return 'never';
    }
    const { version } = registered;
    try {
      const found = (await this.#fresh(registered)) ?? { version };
      this.#see(name, { version, resources: [], verbatim: found, freshness: 'Current' });
      return 'later';
    } catch (error) {
      this.#deps.logger.info('discovery of an APIService', { name, reason: (error as Error).message });
      const old = this.#kept.get(serviceKey(registered))?.versions.get(`${registered.group}/${version}`);
      this.#see(name, { version, resources: [], verbatim: old ?? { version }, freshness: 'Stale' });
      return 'soon';
    }
  }

  #see(name: string, version: DiscoveryVersion): void {
    const before = this.#seen.get(name);
    if (before && JSON.stringify(before) === JSON.stringify(version)) return;
    this.#seen.set(name, version);
    this.#generation++;
  }

  #forgetUnused(): void {
    const used = new Set([...this.#deps.services.all()].filter(each => each.service).map(serviceKey));
    for (const key of [...this.#kept.keys()]) if (!used.has(key)) this.#kept.delete(key);
  }

  /** The group version as its server shows it now. */
  async #fresh(registered: RegisteredService): Promise<AggregatedVersion | undefined> {
    const own = `${registered.group}/${registered.version}`;
    const key = serviceKey(registered);
    const kept = this.#kept.get(key);
    if (kept && kept.askedAtMs > (this.#dirtyAtMs.get(registered.name) ?? 0)) return kept.versions.get(own);
    const askedAtMs = this.#deps.clock.monotonicMs();
    const etag = kept?.etag ? { 'if-none-match': kept.etag } : undefined;
    const answer = await this.#ask(registered, '/apis', ['system:masters'], { accept, ...etag });
    if (answer.status === 304 && kept) {
      this.#kept.set(key, { ...kept, askedAtMs });
      return kept.versions.get(own);
    }
    if (answer.status === 503) throw new Error(`service ${key} returned non-success response code: 503`);
    if (answer.status === 200 && isAggregatedType(String(answer.headers['content-type'] ?? ''))) {
      const versions = readAggregated(answer.body);
      this.#kept.set(key, { versions, etag: String(answer.headers['etag'] ?? ''), askedAtMs });
      return versions.get(own);
    }
    return this.#legacy(registered);
  }

  async #legacy(registered: RegisteredService): Promise<AggregatedVersion> {
    const { group, version } = registered;
    const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const answer = await this.#ask(registered, path, [], { accept: 'application/json' });
    if (answer.status === 200) return readLegacy(answer.body, version);
    throw new Error(`failed to download legacy discovery for ${path}: status ${answer.status}`);
  }

  #ask(
    registered: RegisteredService,
    path: string,
    groups: readonly string[],
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer> {
    const asker = user('system:kube-aggregator', groups);
    return this.#deps.backends.ask(registered, { path, user: asker, headers, timeoutMs: questionMs, maxBytes });
  }
}

function serviceKey({ service }: RegisteredService): string {
  return `${service!.namespace}/${service!.name}:${service!.port}`;
}
