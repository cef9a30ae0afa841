/**
 * What requests cost, under upstream's names and labels. Upstream: apiserver pkg/endpoints/metrics/metrics.go,
 * pkg/server/filters/maxinflight.go.
 */
import { type Clock, type Labels, labelsOf, type MetricsRegistry } from '#base';
import { header, type ResponseBody, type ServerRequest, type ServerResponse } from '../http/message.ts';
import { isLongRunning } from './long-running.ts';
import type { RequestInfo } from './request-info.ts';

const durationBuckets = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];
const sliBuckets = [...durationBuckets.slice(2)];
const sizeBuckets = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
const eventBuckets = [1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072];
const bodyBuckets = Array.from({ length: 31 }, (_, at) => 50_000 + at * 100_000);
const applyType = 'application/apply-patch+yaml';
const connects = new Set(['attach', 'exec', 'log', 'portforward', 'proxy']);
const knownPaths = new Set(['/healthz', '/livez', '/readyz', '/version', '/metrics', '/api', '/apis', '/openapi/v2']);
const knownMethods = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']);

interface Series {
  readonly self: Labels;
  readonly body: Labels;
  readonly aborts: Labels;
  /** Without code and dry run. */
  readonly base: Labels;
  readonly timed: Labels;
  readonly ofCode: (code: number) => Labels;
}

/** One a request, from its begin to the end of its answer's head; of a long-running one to its end. */
export interface Measured {
  /** `response` as it is sent; counts what it sends. */
  answered(response: ServerResponse): ServerResponse;
}

export class RequestMetrics {
  readonly #clock: Clock;
  readonly #served: (info: RequestInfo) => boolean;
  readonly #series = new Map<string, Series>();
  readonly #total;
  readonly #duration;
  readonly #sli;
  readonly #sizes;
  readonly #longRunning;
  readonly #watchEvents;
  readonly #watchSizes;
  readonly #bodies;
  readonly #self;
  readonly #terminated;
  readonly #aborted;

  /** `served`: labels are made for what is served alone; the rest of what clients make up shares empty ones. */
  constructor(registry: MetricsRegistry, clock: Clock, served: (info: RequestInfo) => boolean) {
    this.#clock = clock;
    this.#served = served;
    this.#total = registry.counter(
      'apiserver_request_total',
      '[STABLE] Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
    );
    this.#duration = registry.histogram(
      'apiserver_request_duration_seconds',
      '[STABLE] Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
      durationBuckets,
    );
    this.#sli = registry.histogram(
      'apiserver_request_sli_duration_seconds',
      '[ALPHA] Response latency distribution (not counting webhook duration and priority & fairness queue wait times) in seconds for each verb, group, version, resource, subresource, scope and component.',
      sliBuckets,
    );
    this.#sizes = registry.histogram(
      'apiserver_response_sizes',
      '[STABLE] Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.',
      sizeBuckets,
    );
    this.#longRunning = registry.gauge(
      'apiserver_longrunning_requests',
      '[STABLE] Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component. Not all requests are tracked this way.',
    );
    this.#watchEvents = registry.counter(
      'apiserver_watch_events_total',
      '[ALPHA] Number of events sent in watch clients',
    );
    this.#watchSizes = registry.histogram(
      'apiserver_watch_events_sizes',
      '[ALPHA] Watch event size distribution in bytes',
      eventBuckets,
    );
    this.#bodies = registry.histogram(
      'apiserver_request_body_size_bytes',
      '[ALPHA] Apiserver request body size in bytes broken out by resource and verb.',
      bodyBuckets,
    );
    this.#self = registry.counter(
      'apiserver_selfrequest_total',
      '[ALPHA] Counter of apiserver self-requests broken out for each verb, API resource and subresource.',
    );
    this.#terminated = registry.counter(
      'apiserver_request_terminations_total',
      '[ALPHA] Number of requests which apiserver terminated in self-defense.',
    );
    this.#aborted = registry.counter(
      'apiserver_request_aborts_total',
      '[ALPHA] Number of requests which apiserver aborted possibly due to a timeout, for each group, version, verb, resource, subresource and scope',
    );
    const waiting = 'not counting webhook duration and priority & fairness queue wait times';
    registry.alias(
      'apiserver_request_slo_duration_seconds',
      `[ALPHA] Response latency distribution (${waiting}) in seconds for each verb, group, version, resource, subresource, scope and component.`,
      'apiserver_request_sli_duration_seconds',
    );
  }

  begin(request: ServerRequest, info: RequestInfo): Measured {
    const begun = this.#clock.monotonicMs();
    const lasting = isLongRunning(info);
    const series = this.#seriesOf(request, info);
    const sizeBytes = Number(header(request, 'content-length') ?? Number.NaN);
    if (sizeBytes >= 0 && writes.has(info.verb)) this.#bodies.observe(sizeBytes, series.body);
    if (request.user?.name === selfName) this.#self.inc(series.self);
    if (lasting) this.#longRunning.inc(series.base);
    return {
      answered: response => {
        const seconds = (this.#clock.monotonicMs() - begun) / 1000;
        this.#total.inc(series.ofCode(response.status));
        if (response.terminated) this.#terminated.inc({ ...series.base, code: String(response.status) });
        if (request.signal.aborted && !request.user && !lasting) this.#aborted.inc(series.aborts);
        if (!lasting) {
          this.#duration.observe(seconds, series.timed);
          if (info.isResourceRequest) this.#sli.observe(seconds, series.base);
          this.#size(response.body, series);
          return response;
        }
        const end = (): void => this.#longRunning.inc(series.base, -1);
        return { ...response, body: this.#lasting(response.body, info, end) };
      },
    };
  }

  #size(body: ResponseBody, { base }: Series): void {
    if (body.kind === 'bytes') this.#sizes.observe(body.bytes.length, base);
  }

  /** The body, with its events counted and its end told. */
  #lasting(body: ResponseBody, info: RequestInfo, ended: () => void): ResponseBody {
    let over = false;
    const end = (): void => {
      if (!over) ended();
      over = true;
    };
    if (body.kind === 'chunks') return { ...body, chunks: ending(body.chunks, end) };
    if (body.kind !== 'watch') {
      end();
      return body;
    }
    const { group, version, resource } = info;
    const labels = Object.freeze({ group, version, resource });
    body.done?.addEventListener('abort', end, { once: true });
    const iterator = body.events[Symbol.asyncIterator]();
    const events = {
      next: () => iterator.next(),
      // Of a watch that nobody began to read nothing else tells the end.
      return: async () => {
        end();
        return (await iterator.return?.()) ?? { done: true as const, value: undefined };
      },
      [Symbol.asyncIterator]: () => events,
    };
    const sent = (count: number, sizeBytes: number): void => {
      this.#watchEvents.inc(labels, count);
      this.#watchSizes.observe(sizeBytes / count, labels);
    };
    return { ...body, events, sent };
  }

  #seriesOf(request: ServerRequest, info: RequestInfo): Series {
    const verb = verbOf(request, info);
    const scope = scopeOf(info);
    const dryRun = request.query.all('dryRun');
    const dry = dryRun.length === 0 ? '' : dryRun.every(each => each === 'All') ? 'All' : 'invalid';
    const resource = info.isResourceRequest && this.#served(info);
    const subresource = resource ? info.subresource : pathLabel(info.path);
    const named = resource ? info : noResource;
    const { group, version } = named;
    const key = `${verb} ${scope} ${dry} ${group}/${version}/${named.resource}/${subresource}`;
    let series = this.#series.get(key);
    if (series) return series;
    const base = Object.freeze({
      component: resource ? 'apiserver' : '',
      group,
      resource: named.resource,
      scope,
      subresource,
      verb,
      version,
    });
    const { component, ...rest } = base;
    const timed = Object.freeze({ component, dry_run: dry, ...rest });
    series = {
      base,
      timed,
      self: Object.freeze({ group, resource: named.resource, subresource, verb }),
      body: Object.freeze({ group, resource: named.resource, verb: info.verb }),
      aborts: Object.freeze({ ...rest }),
      ofCode: labelsOf(code => ({ code: String(code), ...timed })),
    };
    this.#series.set(key, series);
    return series;
  }
}

const selfName = 'system:apiserver';
const writes = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);
const noResource = { group: '', version: '', resource: '' };

/** Upstream's CleanVerb: GET of several is LIST, a watch is WATCH, an apply is APPLY. */
function verbOf(request: ServerRequest, info: RequestInfo): string {
  const { method } = request;
  if (!info.isResourceRequest) return knownMethods.has(method) ? method : 'OTHER';
  if (connects.has(info.subresource)) return 'CONNECT';
  if (info.verb === 'watch') return 'WATCH';
  if (info.verb === 'list') return 'LIST';
  if (info.verb === 'deletecollection') return 'DELETECOLLECTION';
  if (method === 'PATCH' && header(request, 'content-type') === applyType) return 'APPLY';
  return knownMethods.has(method) ? method : 'OTHER';
}

function scopeOf(info: RequestInfo): string {
  if (info.name !== '' || info.verb === 'create') return 'resource';
  if (info.namespace !== '') return 'namespace';
  return info.isResourceRequest ? 'cluster' : '';
}

function pathLabel(path: string): string {
  if (path.startsWith('/openapi/v3')) return 'openapi/v3';
  const root = `/${path.split('/', 2)[1] ?? ''}`;
  if (knownPaths.has(path)) return path;
  return knownPaths.has(root) ? root : '';
}

async function* ending(chunks: AsyncIterable<Uint8Array>, end: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } finally {
    end();
  }
}
