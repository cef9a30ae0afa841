/**
 * How long the CEL rules of custom resources take. Upstream: apiserver pkg/cel/metrics/metrics.go.
 * Deviation: an evaluation is counted an object, where upstream counts each part of it that has rules.
 */
import type { Clock, Histogram, MetricsRegistry } from '#base';

const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class CelMetrics {
  readonly #clock: Clock;
  readonly #compilations: Histogram;
  readonly #evaluations: Histogram;

  constructor(registry: MetricsRegistry, clock: Clock) {
    this.#clock = clock;
    const histogram = (name: string, help: string): Histogram =>
      registry.histogram(`apiserver_cel_${name}_duration_seconds`, `[BETA] ${help} time in seconds.`, buckets, true);
    this.#compilations = histogram('compilation', 'CEL compilation');
    this.#evaluations = histogram('evaluation', 'CEL evaluation');
  }

  compiled<T>(work: () => T): T {
    return this.#timed(this.#compilations, work);
  }

  evaluated<T>(work: () => T): T {
    return this.#timed(this.#evaluations, work);
  }

  #timed<T>(histogram: Histogram, work: () => T): T {
    const begunMs = this.#clock.monotonicMs();
    try {
      return work();
    } finally {
      histogram.observe((this.#clock.monotonicMs() - begunMs) / 1000);
    }
  }
}
