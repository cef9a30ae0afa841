/**
 * What other servers say of themselves in OpenAPI: version 2 whole, to be merged with this server's, of version 3 the
 * index, for its documents are theirs to give. Asked a second after an APIService came, every minute, and after a
 * failure after minutes up to an hour. Upstream: kube-aggregator pkg/controllers/{openapi,openapiv3}.
 */
import { createHash } from 'node:crypto';
import { type Clock, type Logger, noActivity } from '#base';
import { createWorkQueue, type WorkQueue } from '#client';
import { user } from '../../authentication/user.ts';
import type { ApiServices, RegisteredService } from '../api-services.ts';
import type { Answer, Backends } from '../backends.ts';
import { convertToV3 } from './convert-v2.ts';
import { filterSpec, readSpec, type Spec } from './merge-specs.ts';

export interface RemoteDocumentsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly services: ApiServices;
  readonly backends: Backends;
}

/** A document of version 3 that this server has made of another's version 2. */
export interface ConvertedDocument {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

interface Remote {
  readonly spec?: Spec;
  readonly etag?: string;
  /** URL of each document, by its name in the index. */
  readonly paths: ReadonlyMap<string, string>;
  readonly converted?: ConvertedDocument;
}

const refreshMs = 60_000;
const longestPauseMs = 3_600_000;
const soonMs = 1000;
const questionMs = 60_000;
/** So many are asked at a time: one that hangs does not keep the others out. */
const workers = 4;
/** Deviation: upstream has no bound. */
const maxBytes = 64 * 1024 * 1024;
const asker = user('system:aggregator');

export class RemoteDocuments {
  readonly #deps: RemoteDocumentsDeps;
  readonly #queue: WorkQueue;
  readonly #remotes = new Map<string, Remote>();
  #generation = 0;

  constructor(deps: RemoteDocumentsDeps) {
    this.#deps = deps;
    const { clock } = deps;
    this.#queue = createWorkQueue({ clock, activity: noActivity, baseDelayMs: refreshMs, maxDelayMs: longestPauseMs });
  }

  /** Rises with every change. */
  get generation(): number {
    return this.#generation;
  }

  /** Version 2 of each, by priority. */
  get specs(): readonly Spec[] {
    const services = [...this.#remotes.keys()].flatMap(name => this.#deps.services.get(name) ?? []);
    services.sort(
      (a, b) =>
        b.groupPriorityMinimum - a.groupPriorityMinimum ||
        b.versionPriority - a.versionPriority ||
        (a.name < b.name ? -1 : 1),
    );
    return services.flatMap(({ name }) => this.#remotes.get(name)?.spec ?? []);
  }

  /** URLs of documents of version 3, by name. */
  get paths(): ReadonlyMap<string, string> {
    return new Map([...this.#remotes.values()].flatMap(({ paths }) => [...paths]));
  }

  /** Who has a document of version 3. */
  ownerOf(document: string): RegisteredService | undefined {
    for (const [name, { paths }] of this.#remotes) {
      if (paths.has(document)) return this.#deps.services.get(name);
    }
    return undefined;
  }

  convertedOf(document: string): ConvertedDocument | undefined {
    for (const { paths, converted } of this.#remotes.values()) if (converted && paths.has(document)) return converted;
    return undefined;
  }

  start(signal: AbortSignal): void {
    const { services } = this.#deps;
    services.onChange((name, now, old) => {
      if (!now?.service) {
        this.#queue.forget(name);
        if (this.#remotes.delete(name)) this.#generation++;
      } else if (!old?.service || this.#queue.failures(name) > 0) {
        this.#queue.forget(name);
        this.#queue.addAfter(name, soonMs);
      }
    });
    for (const { name, service } of services.all()) if (service) this.#queue.addAfter(name, soonMs);
    for (let worker = 0; worker < workers; worker++) void this.#work();
    signal.addEventListener('abort', () => this.#queue.close(), { once: true });
  }

  async #work(): Promise<void> {
    for (let name = await this.#queue.take(); name !== undefined; name = await this.#queue.take()) {
      const registered = this.#deps.services.get(name);
      try {
        if (registered?.service) {
          await this.#sync(registered);
          this.#queue.forget(name);
          this.#queue.addAfter(name, refreshMs);
        }
      } catch (error) {
        this.#deps.logger.info('OpenAPI of an APIService', { name, reason: (error as Error).message });
        this.#queue.addRateLimited(name);
      } finally {
        this.#queue.done(name);
      }
    }
  }

  async #sync(registered: RegisteredService): Promise<void> {
    if (!registered.available) throw new Error('service unavailable');
    const before = this.#remotes.get(registered.name);
    let v2: Pick<Remote, 'spec' | 'etag'> = {};
    let failure: unknown;
    try {
      v2 = await this.#version2(registered, before);
    } catch (error) {
      failure = error;
    }
    const index = await this.#ask(registered, '/openapi/v3');
    const paths = index.status === 404 ? undefined : readIndex(index);
    const converted = paths ? undefined : convertedDocument(v2.spec);
    const name = `apis/${registered.group}/${registered.version}`;
    const own = converted ? new Map([[name, `/openapi/v3/${name}?hash=${converted.hash}`]]) : new Map<string, string>();
    const now: Remote = { ...v2, paths: paths ?? own, ...(converted && { converted }) };
    if (!this.#deps.services.get(registered.name)?.service) return;
    this.#remotes.set(registered.name, now);
    if (before?.spec !== now.spec || !sameEntries(before?.paths ?? new Map(), now.paths)) this.#generation++;
    if (failure) throw failure;
  }

  async #version2(registered: RegisteredService, before: Remote | undefined): Promise<Pick<Remote, 'spec' | 'etag'>> {
    const etag = before?.etag;
    const answer = await this.#ask(registered, '/openapi/v2', etag ? { 'if-none-match': etag } : {});
    if (answer.status === 304 && before?.spec) return { spec: before.spec, ...(etag && { etag }) };
    if (answer.status === 404) return {};
    if (answer.status !== 200) throw new Error(`failed to retrieve openAPI spec, http error: ${answer.status}`);
    const prefix = `/apis/${registered.group}/${registered.version}/`;
    const spec = filterSpec(readSpec(answer.body), path => path.startsWith(prefix));
    const now = answer.headers['etag'];
    return { spec, ...(typeof now === 'string' && { etag: now }) };
  }

  #ask(registered: RegisteredService, path: string, more: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const headers = { accept: 'application/json', ...more };
    return this.#deps.backends.ask(registered, { path, user: asker, headers, timeoutMs: questionMs, maxBytes });
  }
}

function readIndex({ status, body }: Answer): Map<string, string> {
  if (status !== 200) throw new Error('Error, could not get list of group versions for APIService');
  const { paths } = JSON.parse(body.toString()) as { paths?: Record<string, { serverRelativeURL?: string }> };
  return new Map(Object.entries(paths ?? {}).map(([name, each]) => [name, String(each?.serverRelativeURL ?? '')]));
}

function convertedDocument(spec: Spec | undefined): ConvertedDocument | undefined {
  if (!spec) return undefined;
  const bytes = Buffer.from(JSON.stringify(convertToV3(spec)));
  return { bytes, hash: createHash('sha512').update(bytes).digest('hex').toUpperCase() };
}

function sameEntries(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
