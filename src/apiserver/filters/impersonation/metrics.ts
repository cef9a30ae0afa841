/** Upstream: apiserver pkg/endpoints/filters/impersonation/metrics/metrics.go, constrained_impersonation.go. */
import type { Clock, Counter, Histogram, MetricsRegistry } from '#base';
import { exponentialBuckets } from '../../authentication/metrics.ts';
import type { Authorizer } from '../../authorization/authorizer.ts';

const modes = ['associated-node', 'arbitrary-node', 'serviceaccount', 'user-info'];

/** The mode that a verb belongs to. */
function modeOfVerb(verb: string): string {
  if (verb === 'impersonate') return 'legacy';
  const found = modes.find(mode => verb === `impersonate:${mode}` || verb.startsWith(`impersonate-on:${mode}:`));
  return found ?? 'unknown';
}

/** The mode whose verb allowed it; without a verb it was the one that knows no constraints. */
export function modeOfConstraint(constraint: string): string {
  return constraint === '' ? 'legacy' : modeOfVerb(constraint);
}

type Decided = 'allowed' | 'denied';

export class ImpersonationMetrics {
  readonly #clock: Clock;
  readonly #attempts: Counter;
  readonly #attemptSeconds: Histogram;
  readonly #checks: Counter;
  readonly #checkSeconds: Histogram;

  constructor(registry: MetricsRegistry, clock: Clock) {
    this.#clock = clock;
    const name = (metric: string): string => `apiserver_impersonation_${metric}`;
    const buckets = exponentialBuckets(0.001, 2, 15);
    this.#attempts = registry.counter(
      name('attempts_total'),
      '[ALPHA] Total number of impersonation attempts split by mode and decision.',
    );
    this.#attemptSeconds = registry.histogram(
      name('attempts_duration_seconds'),
      '[ALPHA] Latency of impersonation attempts in seconds split by mode and decision.',
      buckets,
    );
    this.#checks = registry.counter(
      name('authorization_attempts_total'),
      '[ALPHA] Total number of authorization checks made by the impersonation handler split by mode and decision.',
    );
    this.#checkSeconds = registry.histogram(
      name('authorization_attempts_duration_seconds'),
      '[ALPHA] Latency of authorization checks made by the impersonation handler in seconds split by mode and decision.',
      buckets,
    );
  }

  attempt(mode: string, decision: Decided, seconds: number): void {
    this.#attempts.inc({ mode, decision });
    this.#attemptSeconds.observe(seconds, { mode, decision });
  }

  /** The same authorizer, whose answers are counted. */
  counted(authorizer: Authorizer): Authorizer {
    return {
      authorize: async attributes => {
        const startMs = this.#clock.monotonicMs();
        const answer = await authorizer.authorize(attributes);
        const decision: Decided = answer.decision === 'allow' ? 'allowed' : 'denied';
        const labels = { mode: modeOfVerb(attributes.verb), decision };
        this.#checks.inc(labels);
        this.#checkSeconds.observe((this.#clock.monotonicMs() - startMs) / 1000, labels);
        return answer;
      },
    };
  }
}
