/**
 * How long admission and each of its plugins take. Upstream: apiserver pkg/admission/metrics/metrics.go.
 * Deviation: there is no apiserver_admission_step_admission_duration_seconds_summary; the histogram of the same name has
 * what it says.
 */
import type { Clock, Histogram, Labels, MetricsRegistry } from '#base';
import type { AdmissionOperation } from './chain.ts';

const buckets = [0.005, 0.025, 0.1, 0.5, 1, 2.5];

export type AdmissionStep = 'admit' | 'validate';

export class AdmissionMetrics {
  readonly #clock: Clock;
  readonly #steps: Histogram;
  readonly #plugins: Histogram;
  readonly #labels = new Map<string, Labels>();

  constructor(registry: MetricsRegistry, clock: Clock) {
    this.#clock = clock;
    const each = 'broken out for each operation and API resource and';
    this.#steps = registry.histogram(
      'apiserver_admission_step_admission_duration_seconds',
      `[STABLE] Admission sub-step latency histogram in seconds, ${each} step type (validate or admit).`,
      buckets,
    );
    this.#plugins = registry.histogram(
      'apiserver_admission_controller_admission_duration_seconds',
      `[STABLE] Admission controller latency histogram in seconds, identified by name and ${each} type (validate or admit).`,
      buckets,
    );
  }

  now(): number {
    return this.#clock.monotonicMs();
  }

  step(type: AdmissionStep, operation: AdmissionOperation, rejected: boolean, begunMs: number): void {
    this.#steps.observe(this.#since(begunMs), this.#labelsOf('', type, operation, rejected));
  }

  plugin(name: string, type: AdmissionStep, operation: AdmissionOperation, rejected: boolean, begunMs: number): void {
    this.#plugins.observe(this.#since(begunMs), this.#labelsOf(name, type, operation, rejected));
  }

  #since(begunMs: number): number {
    return (this.#clock.monotonicMs() - begunMs) / 1000;
  }

  #labelsOf(name: string, type: AdmissionStep, operation: AdmissionOperation, rejected: boolean): Labels {
    const key = `${name}/${type}/${operation}/${rejected}`;
    let labels = this.#labels.get(key);
    if (!labels) {
      labels = Object.freeze({ ...(name && { name }), operation, rejected: String(rejected), type });
      this.#labels.set(key, labels);
    }
    return labels;
  }
}
