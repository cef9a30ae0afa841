/**
 * Metrics of authentication under upstream's names. Upstream: apiserver pkg/endpoints/filters/metrics.go,
 * pkg/authentication/request/x509/x509.go, pkg/authentication/token/cache/stats.go.
 */
import { type Clock, type Counter, type Gauge, type Histogram, labelsOf, type MetricsRegistry } from '#base';

/** `count` buckets from `start` on, each `factor` times the one before. */
export function exponentialBuckets(start: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => start * factor ** at);
}

const hour = 3600;
const day = 24 * hour;
const expirationBuckets = [0, hour / 2, hour, 2 * hour, 6 * hour, 12 * hour].concat(
  [1, 2, 4, 7, 30, 90, 180, 360].map(days => days * day),
);
const defaultBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Frozen, as labels that come again and again are cheapest. */
const results = {
  success: Object.freeze({ result: 'success' }),
  failure: Object.freeze({ result: 'failure' }),
  error: Object.freeze({ result: 'error' }),
};
const statuses = {
  hit: Object.freeze({ status: 'hit' }),
  miss: Object.freeze({ status: 'miss' }),
  ok: Object.freeze({ status: 'ok' }),
  error: Object.freeze({ status: 'error' }),
  inFlight: Object.freeze({ status: 'in_flight' }),
  blocked: Object.freeze({ status: 'blocked' }),
};

const users = labelsOf((username: string) => ({ username }));

const knownUsers: ReadonlySet<string> = new Set([
  'admin',
  'client',
  'kube_proxy',
  'kubelet',
  'system:serviceaccount:kube-system:default',
]);

/** No names in metrics but a few that everybody has. */
function sortOfUser(name: string): string {
  if (knownUsers.has(name)) return name;
  return name.includes('@') ? 'email_id' : 'other';
}

export class AuthenticationMetrics {
  readonly #users: Counter;
  readonly #attempts: Counter;
  readonly #duration: Histogram;
  readonly #expiration: Histogram;
  readonly #clock: Clock;

  constructor(registry: MetricsRegistry, clock: Clock) {
    this.#clock = clock;
    this.#users = registry.counter(
      'authenticated_user_requests',
      '[ALPHA] Counter of authenticated requests broken out by username.',
    );
    this.#attempts = registry.counter('authentication_attempts', '[ALPHA] Counter of authenticated attempts.');
    this.#duration = registry.histogram(
      'authentication_duration_seconds',
      '[ALPHA] Authentication duration in seconds broken out by result.',
      exponentialBuckets(0.001, 2, 15),
    );
    this.#expiration = registry.histogram(
      'apiserver_client_certificate_expiration_seconds',
      '[ALPHA] Distribution of the remaining lifetime on the certificate used to authenticate a request.',
      expirationBuckets,
      true,
    );
  }

  certificateExpires(seconds: number): void {
    this.#expiration.observe(seconds);
  }

  /** Begins to measure an attempt; the result is called once, with the user's name on success. */
  attempt(): (result: 'success' | 'failure' | 'error', userName?: string) => void {
    const start = this.#clock.monotonicMs();
    return (result, userName) => {
      if (userName !== undefined) this.#users.inc(users(sortOfUser(userName)));
      this.#attempts.inc(results[result]);
      this.#duration.observe((this.#clock.monotonicMs() - start) / 1000, results[result]);
    };
  }
}

export class TokenCacheMetrics {
  readonly #clock: Clock;
  readonly #duration: Histogram;
  readonly #requests: Counter;
  readonly #fetches: Counter;
  readonly #active: Gauge;

  constructor(registry: MetricsRegistry, clock: Clock) {
    this.#clock = clock;
    const name = (metric: string): string => `authentication_token_cache_${metric}`;
    this.#duration = registry.histogram(name('request_duration_seconds'), '[ALPHA] ', defaultBuckets);
    this.#requests = registry.counter(name('request_total'), '[ALPHA] ');
    this.#fetches = registry.counter(name('fetch_total'), '[ALPHA] ');
    this.#active = registry.gauge(name('active_fetch_count'), '[ALPHA] ');
  }

  authenticating(): (status: 'hit' | 'miss') => void {
    const start = this.#clock.monotonicMs();
    return status => {
      this.#requests.inc(statuses[status]);
      this.#duration.observe(Math.trunc(this.#clock.monotonicMs() - start) / 1000, statuses[status]);
    };
  }

  blocking(): () => void {
    this.#active.inc(statuses.blocked);
    return () => this.#active.inc(statuses.blocked, -1);
  }

  fetching(): (status: 'ok' | 'error') => void {
    this.#active.inc(statuses.inFlight);
    return status => {
      this.#fetches.inc(statuses[status]);
      this.#active.inc(statuses.inFlight, -1);
    };
  }
}
