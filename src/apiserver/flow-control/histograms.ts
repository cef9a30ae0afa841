/**
 * Histograms that are kept beside what they count and rendered when asked for: of observations, and of a ratio as it
 * was at the end of every nanosecond. Upstream: component-base metrics/prometheusextension/timing_histogram.go,
 * apiserver pkg/util/flowcontrol/metrics/timing_ratio_histogram.go.
 */
import type { Labels, Sample } from '#base';

/** Observations by bucket. */
export class Histogram {
  readonly #buckets: readonly number[];
  readonly #weights: Float64Array;
  #sum = 0;
  #count = 0;

  constructor(buckets: readonly number[]) {
    this.#buckets = buckets;
    this.#weights = new Float64Array(buckets.length);
  }

  get count(): number {
    return this.#count;
  }

  observe(value: number, weight = 1): void {
    const buckets = this.#buckets;
    let at = 0;
    while (at < buckets.length && value > buckets[at]!) at++;
    if (at < buckets.length) this.#weights[at]! += weight;
    this.#sum += value * weight;
    this.#count += weight;
  }

  collect(sample: Sample, labels: Labels): void {
    let below = 0;
    this.#buckets.forEach((le, at) => {
      below += this.#weights[at]!;
      sample(below, { ...labels, le: String(le) }, '_bucket');
    });
    sample(this.#count, { ...labels, le: '+Inf' }, '_bucket');
    sample(this.#sum, labels, '_sum');
    sample(this.#count, labels, '_count');
  }
}

const nanosecondsPerMs = 1e6;

/** A ratio over time: each of its values weighs as many nanoseconds as it lasted. */
export class TimingRatioHistogram {
  readonly #histogram: Histogram;
  #lastMs: number;
  #numerator: number;
  #denominator = 1;

  constructor(buckets: readonly number[], nowMs: number, initial = 0) {
    this.#histogram = new Histogram(buckets);
    this.#lastMs = nowMs;
    this.#numerator = initial;
  }

  set(numerator: number, nowMs: number): void {
    this.#account(nowMs);
    this.#numerator = numerator;
  }

  add(delta: number, nowMs: number): void {
    this.set(this.#numerator + delta, nowMs);
  }

  setDenominator(denominator: number, nowMs: number): void {
    this.#account(nowMs);
    this.#denominator = denominator;
  }

  collect(sample: Sample, labels: Labels, nowMs: number): void {
    this.#account(nowMs);
    this.#histogram.collect(sample, labels);
  }

  #account(nowMs: number): void {
    const elapsed = Math.round((nowMs - this.#lastMs) * nanosecondsPerMs);
    if (elapsed <= 0) return;
    this.#lastMs = nowMs;
    this.#histogram.observe(this.#numerator / this.#denominator, elapsed);
  }
}
