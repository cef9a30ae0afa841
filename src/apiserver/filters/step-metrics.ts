/**
 * How long the steps of a request's way take, and what authorization says. Upstream: apiserver
 * pkg/endpoints/filterlatency, pkg/endpoints/filters/metrics.go.
 */
import type { BoundHistogram, Clock, Labels, MetricsRegistry } from '#base';

const stepBuckets = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 5, 10, 15, 30];
const authorizationBuckets = Array.from({ length: 15 }, (_, at) => 0.001 * 2 ** at);

export type Step = 'authentication' | 'impersonation' | 'priorityAndFairness' | 'authorization';
export type AuthorizationResult = 'allow' | 'deny' | 'noOpinion' | 'error';

const steps: Readonly<Record<Step, Labels>> = {
  authentication: Object.freeze({ filter: 'authentication' }),
  impersonation: Object.freeze({ filter: 'constrainedimpersonation' }),
  priorityAndFairness: Object.freeze({ filter: 'priorityandfairness' }),
  authorization: Object.freeze({ filter: 'authorization' }),
};

const results: Readonly<Record<AuthorizationResult, Labels>> = {
  allow: Object.freeze({ result: 'allowed' }),
  deny: Object.freeze({ result: 'denied' }),
  noOpinion: Object.freeze({ result: 'no-opinion' }),
  error: Object.freeze({ result: 'error' }),
};

export class StepMetrics {
  readonly #clock: Clock;
  readonly #byStep: Readonly<Record<Step, BoundHistogram>>;
  readonly #byResult: Readonly<Record<AuthorizationResult, BoundHistogram>>;
  readonly #attempts;
  readonly #late;

  constructor(registry: MetricsRegistry, clock: Clock) {
    this.#clock = clock;
    const durations = registry.histogram(
      'apiserver_request_filter_duration_seconds',
      '[ALPHA] Request filter latency distribution in seconds, for each filter type',
      stepBuckets,
    );
    this.#attempts = registry.counter(
      'authorization_attempts_total',
      "[ALPHA] Counter of authorization attempts broken down by result. It can be either 'allowed', 'denied', 'no-opinion' or 'error'.",
    );
    const authorizations = registry.histogram(
      'authorization_duration_seconds',
      '[ALPHA] Authorization duration in seconds broken out by result.',
      authorizationBuckets,
    );
    const bound = <K extends string>(of: typeof durations, labels: Readonly<Record<K, Labels>>) =>
      Object.fromEntries(Object.entries<Labels>(labels).map(([name, each]) => [name, of.of(each)])) as Record<
        K,
        BoundHistogram
      >;
    this.#byStep = bound(durations, steps);
    this.#byResult = bound(authorizations, results);
    this.#late = registry.counter(
      'apiserver_request_post_timeout_total',
      '[ALPHA] Tracks the activity of the request handlers after the associated requests have been timed out by the apiserver',
    );
  }

  /** A step begins; what is returned ends it. */
  begin(step: Step): () => void {
    const begunMs = this.#clock.monotonicMs();
    const series = this.#byStep[step];
    return () => series.observe((this.#clock.monotonicMs() - begunMs) / 1000);
  }

  /** Authorization begins; what is returned tells what it said. */
  authorizing(): (result: AuthorizationResult) => void {
    const begunMs = this.#clock.monotonicMs();
    return result => {
      const seconds = (this.#clock.monotonicMs() - begunMs) / 1000;
      this.#byStep.authorization.observe(seconds);
      this.#byResult[result].observe(seconds);
      this.#attempts.inc(results[result]);
    };
  }

  /** A request was answered after its time. */
  answeredLate(): void {
    this.#late.inc(lateAnswer);
  }
}

const lateAnswer = Object.freeze({ source: 'timeout-handler', status: 'ok' });
