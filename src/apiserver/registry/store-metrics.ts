/**
 * How long the store takes, under the names that upstream has for etcd. Upstream: apiserver
 * pkg/storage/etcd3/metrics/metrics.go.
 */
import type { Clock, Labels, MetricsRegistry } from '#base';
import type { ServedResource } from '../scheme/resource.ts';

export type StoreOperation = 'get' | 'create' | 'update' | 'delete';

const buckets = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];

export class StoreMetrics {
  readonly #clock: Clock;
  readonly #requests;
  readonly #errors;
  readonly #duration;
  readonly #labels = new WeakMap<ServedResource, Map<StoreOperation, Labels>>();

  constructor(registry: MetricsRegistry, clock: Clock) {
    this.#clock = clock;
    const each = 'for each operation and object type.';
    this.#duration = registry.histogram(
      'etcd_request_duration_seconds',
      `[ALPHA] Etcd request latency in seconds ${each}`,
      buckets,
    );
    this.#requests = registry.counter('etcd_requests_total', `[ALPHA] Etcd request counts ${each}`);
    this.#errors = registry.counter('etcd_request_errors_total', `[ALPHA] Etcd failed request counts ${each}`);
  }

  async timed<T>(resource: ServedResource, operation: StoreOperation, work: Promise<T>): Promise<T> {
    const begun = this.#clock.monotonicMs();
    const labels = this.#of(resource, operation);
    try {
      return await work;
    } catch (error) {
      this.#errors.inc(labels);
      throw error;
    } finally {
      this.#requests.inc(labels);
      this.#duration.observe((this.#clock.monotonicMs() - begun) / 1000, labels);
    }
  }

  #of(resource: ServedResource, operation: StoreOperation): Labels {
    let own = this.#labels.get(resource);
    if (!own) this.#labels.set(resource, (own = new Map()));
    let labels = own.get(operation);
    if (!labels)
      own.set(operation, (labels = Object.freeze({ group: resource.group, operation, resource: resource.resource })));
    return labels;
  }
}
