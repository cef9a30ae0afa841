/**
 * What work queues and requests of clients cost, under upstream's names. One of each a registry; queues and transports
 * are told apart by their labels. Upstream: component-base metrics/prometheus/{workqueue,restclient}/metrics.go.
 * Deviation: requests within the process have no size, so the rest_client families of sizes are left out.
 */
import { isStatusError } from '#apimachinery';
import type { Clock, Labels, MetricsRegistry } from '#base';
import type { ApiRequest, ApiResponse, Transport } from './transport.ts';

/** As multiplying by ten makes them, to the last digit: they are labels. */
const queueBuckets = [1e-8, 1e-7, 1e-6, 9.999999999999999e-6, 9.999999999999999e-5, 0.001, 0.01, 0.1, 1, 10];
const requestBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

/** What one queue reports. */
export interface QueueMetrics {
  /** A key waits that did not. */
  added(key: string): void;
  /** A worker has it. */
  taken(key: string): void;
  done(key: string): void;
  retried(): void;
}

interface Keys {
  readonly waitingSince: Map<string, number>;
  readonly workedOnSince: Map<string, number>;
}

export class WorkQueueMetrics {
  readonly #clock: Clock;
  readonly #queues = new Map<string, Keys>();
  readonly #adds;
  readonly #retries;
  readonly #waits;
  readonly #works;

  constructor(registry: MetricsRegistry, clock: Clock) {
    this.#clock = clock;
    this.#adds = registry.counter('workqueue_adds_total', '[BETA] Total number of adds handled by workqueue');
    this.#retries = registry.counter('workqueue_retries_total', '[BETA] Total number of retries handled by workqueue');
    this.#waits = registry.histogram(
      'workqueue_queue_duration_seconds',
      '[BETA] How long in seconds an item stays in workqueue before being requested.',
      queueBuckets,
    );
    this.#works = registry.histogram(
      'workqueue_work_duration_seconds',
      '[BETA] How long in seconds processing an item from workqueue takes.',
      queueBuckets,
    );
    const gauge = (name: string, help: string, read: (keys: Keys, nowMs: number) => number): void =>
      registry.collected('gauge', name, `[BETA] ${help}`, sample => {
        const nowMs = clock.monotonicMs();
        for (const [queue, keys] of this.#queues) sample(read(keys, nowMs), { name: queue });
      });
    gauge('workqueue_depth', 'Current depth of workqueue', ({ waitingSince }) => waitingSince.size);
    gauge(
      'workqueue_unfinished_work_seconds',
      "How many seconds of work has done that is in progress and hasn't been observed by work_duration. Large values indicate stuck threads. One can deduce the number of stuck threads by observing the rate at which this increases.",
      ({ workedOnSince }, nowMs) => {
        let sumMs = 0;
        for (const sinceMs of workedOnSince.values()) sumMs += nowMs - sinceMs;
        return sumMs / 1000;
      },
    );
    gauge(
      'workqueue_longest_running_processor_seconds',
      'How many seconds has the longest running processor for workqueue been running.',
      ({ workedOnSince }, nowMs) => {
        let longestMs = 0;
        for (const sinceMs of workedOnSince.values()) longestMs = Math.max(longestMs, nowMs - sinceMs);
        return longestMs / 1000;
      },
    );
  }

  /** The reports of the queue of this name; a later one of the same name takes its place. */
  queue(name: string): QueueMetrics {
    const keys: Keys = { waitingSince: new Map(), workedOnSince: new Map() };
    this.#queues.set(name, keys);
    const labels = Object.freeze({ name });
    const clock = this.#clock;
    this.#adds.inc(labels, 0);
    this.#retries.inc(labels, 0);
    return {
      added: key => {
        this.#adds.inc(labels);
        keys.waitingSince.set(key, clock.monotonicMs());
      },
      taken: key => {
        const nowMs = clock.monotonicMs();
        this.#waits.observe((nowMs - (keys.waitingSince.get(key) ?? nowMs)) / 1000, labels);
        keys.waitingSince.delete(key);
        keys.workedOnSince.set(key, nowMs);
      },
      done: key => {
        const nowMs = clock.monotonicMs();
        this.#works.observe((nowMs - (keys.workedOnSince.get(key) ?? nowMs)) / 1000, labels);
        keys.workedOnSince.delete(key);
      },
      retried: () => this.#retries.inc(labels),
    };
  }
}

export class RestClientMetrics {
  readonly #clock: Clock;
  readonly #requests;
  readonly #duration;

  constructor(registry: MetricsRegistry, clock: Clock) {
    this.#clock = clock;
    this.#requests = registry.counter(
      'rest_client_requests_total',
      '[ALPHA] Number of HTTP requests, partitioned by status code, method, and host.',
    );
    this.#duration = registry.histogram(
      'rest_client_request_duration_seconds',
      '[ALPHA] Request latency in seconds. Broken down by verb, and host.',
      requestBuckets,
    );
  }

  /** The same transport, counted as leading to `host`. */
  measured(transport: Transport, host: string): Transport {
    const byVerb = new Map<string, Labels>();
    const byCode = new Map<string, Labels>();
    const labelsOf = (cache: Map<string, Labels>, key: string, make: () => Labels): Labels => {
      let labels = cache.get(key);
      if (!labels) cache.set(key, (labels = Object.freeze(make())));
      return labels;
    };
    const count = (method: string, code: string, begunMs: number): void => {
      const seconds = (this.#clock.monotonicMs() - begunMs) / 1000;
      this.#duration.observe(
        seconds,
        labelsOf(byVerb, method, () => ({ host, verb: method })),
      );
      this.#requests.inc(labelsOf(byCode, `${code} ${method}`, () => ({ code, host, method })));
    };
    return {
      description: transport.description,
      request: async (call: ApiRequest): Promise<ApiResponse> => {
        const begunMs = this.#clock.monotonicMs();
        try {
          const response = await transport.request(call);
          count(call.method, String(response.status), begunMs);
          return response;
        } catch (error) {
          count(call.method, isStatusError(error) ? String(error.status.code) : '<error>', begunMs);
          throw error;
        }
      },
      [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
    };
  }
}
