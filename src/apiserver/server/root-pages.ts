/**
 * What the server tells of itself beside the API: the list of its paths, its metrics, and what its health checks have
 * said so far. Upstream: apiserver pkg/server/routes/{index,metrics}.go, component-base metrics/prometheus/slis.
 */
import { type Clock, MetricsRegistry } from '#base';
import { plainText, type ServerResponse } from '../http/message.ts';
import type { HealthCheck, HealthRoot } from './health.ts';

/** The paths of health checks. */
export function checkPaths(checks: readonly HealthCheck[]): string[] {
  return checks.flatMap(({ name, on }) => on.map(root => `/${root}/${name}`));
}

/** What `/` lists, given the paths of API groups, of health checks and of pages that may be switched off. */
export function rootPaths(...others: ReadonlyArray<Iterable<string>>): string[] {
  return [...always, ...others.flatMap(paths => [...paths])].sort();
}

const always: readonly string[] = [
  '/.well-known/openid-configuration',
  '/apis',
  '/apis/',
  '/healthz',
  '/livez',
  '/metrics',
  '/metrics/slis',
  '/openapi/v2',
  '/openapi/v3',
  '/openapi/v3/',
  '/openid/v1/jwks',
  '/readyz',
  '/version',
];

/** When the process began is told beside what it counts. Upstream: client_golang promhttp, ProcessStartTime. */
export function metricsPage(metrics: MetricsRegistry, clock: Clock): ServerResponse {
  const text = plainText(metrics.render(), 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores');
  text.headers['process-start-time-unix'] = String(Math.floor(processStartMs(clock) / 1000));
  return text;
}

export function processStartMs(clock: Clock): number {
  return clock.now() - process.uptime() * 1000;
}

/** What health checks have said, for /metrics/slis. */
export class HealthIndicators {
  readonly registry: MetricsRegistry = new MetricsRegistry();
  readonly #last: ReturnType<MetricsRegistry['gauge']>;
  readonly #total: ReturnType<MetricsRegistry['counter']>;

  constructor(clock: Clock) {
    this.#last = this.registry.gauge(
      'kubernetes_healthcheck',
      '[STABLE] This metric records the result of a single healthcheck.',
    );
    this.#total = this.registry.counter(
      'kubernetes_healthchecks_total',
      '[STABLE] This metric records the results of all healthcheck.',
    );
    this.registry.gaugeFunction(
      'process_start_time_seconds',
      '[ALPHA] Start time of the process since unix epoch in seconds.',
      () => processStartMs(clock) / 1000,
    );
  }

  observe(name: string, type: HealthRoot, isWell: boolean): void {
    this.#last.set(isWell ? 1 : 0, { name, type });
    this.#total.inc({ name, status: isWell ? 'success' : 'error', type });
  }
}
