/** Upstream: kube-aggregator pkg/controllers/status/metrics/metrics.go. */
import type { Counter, MetricsRegistry } from '#base';

export class AvailabilityMetrics {
  readonly #available = new Map<string, boolean>();
  readonly #unavailable: Counter;

  constructor(metrics: MetricsRegistry) {
    this.#unavailable = metrics.counter(
      'aggregator_unavailable_apiservice_total',
      '[ALPHA] Counter of APIServices which are marked as unavailable broken down by APIService name and reason.',
    );
    metrics.collected(
      'gauge',
      'aggregator_unavailable_apiservice',
      '[ALPHA] Gauge of APIServices which are marked as unavailable broken down by APIService name.',
      sample => {
        for (const [name, available] of this.#available) sample(available ? 0 : 1, { name });
      },
    );
  }

  set(name: string, available: boolean): void {
    this.#available.set(name, available);
  }

  forget(name: string): void {
    this.#available.delete(name);
  }

  /** One that was available is so no longer. */
  count(name: string, reason: string): void {
    this.#unavailable.inc({ name, reason });
  }
}
