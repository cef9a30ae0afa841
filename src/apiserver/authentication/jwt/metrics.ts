/**
 * Metrics of the tokens of OpenID providers, of their keys, and of the configuration's reloads. Upstream:
 * plugin/pkg/authenticator/token/oidc/metrics.go, apiserver pkg/server/options/authenticationconfig/metrics.
 */
import { createHash } from 'node:crypto';
import type { Clock, Counter, Gauge, Histogram, MetricsRegistry } from '#base';

const latencyBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const hashOf = (text: string): string =>
  text === '' ? '' : `sha256:${createHash('sha256').update(text).digest('hex')}`;

export class JwtMetrics {
  readonly #clock: Clock;
  readonly #serverHash: string;
  readonly #latency: Histogram;
  readonly #fetches: Gauge;
  readonly #keySets: Gauge;
  /** What is shown of each issuer's keys. */
  readonly #shown = new Map<string, string>();

  constructor(registry: MetricsRegistry, clock: Clock, serverId: string) {
    this.#clock = clock;
    this.#serverHash = hashOf(serverId);
    const prefix = 'apiserver_authentication_jwt_authenticator_';
    this.#latency = registry.histogram(
      `${prefix}latency_seconds`,
      '[ALPHA] Latency of jwt authentication operations in seconds. This is the time spent authenticating a token for cache miss only (i.e. when the token is not found in the cache).',
      latencyBuckets,
    );
    this.#fetches = registry.gauge(
      `${prefix}jwks_fetch_last_timestamp_seconds`,
      '[ALPHA] Timestamp of the last successful or failed JWKS fetch split by result, api server identity and jwt issuer for the JWT authenticator.',
    );
    this.#keySets = registry.gauge(
      `${prefix}jwks_fetch_last_key_set_info`,
      '[ALPHA] Information about the last JWKS fetched by the JWT authenticator with hash as label, split by api server identity and jwt issuer.',
    );
  }

  authenticated(issuer: string, result: 'success' | 'failure', seconds: number): void {
    this.#latency.observe(seconds, { result, jwt_issuer_hash: hashOf(issuer) });
  }

  /** `keys` undefined: the fetch came to nothing. */
  fetchedKeys(issuer: string, keys: string | undefined): void {
    const result = keys === undefined ? 'failure' : 'success';
    this.#fetches.set(this.#clock.now() / 1000, { result, ...this.#labels(issuer) });
    if (keys === undefined) return;
    this.#hideKeys(issuer);
    this.#shown.set(issuer, hashOf(keys));
    this.#keySets.set(1, { ...this.#labels(issuer), hash: hashOf(keys) });
  }

  /** Of an issuer that is configured no more. */
  forget(issuer: string): void {
    this.#hideKeys(issuer);
    for (const result of ['success', 'failure']) this.#fetches.remove({ result, ...this.#labels(issuer) });
  }

  #hideKeys(issuer: string): void {
    const hash = this.#shown.get(issuer);
    if (hash !== undefined) this.#keySets.remove({ ...this.#labels(issuer), hash });
    this.#shown.delete(issuer);
  }

  #labels(issuer: string): { jwt_issuer_hash: string; apiserver_id_hash: string } {
    return { jwt_issuer_hash: hashOf(issuer), apiserver_id_hash: this.#serverHash };
  }
}

export class ConfigurationMetrics {
  readonly #clock: Clock;
  readonly #serverHash: string;
  readonly #reloads: Counter;
  readonly #times: Gauge;
  readonly #info: Gauge;
  #shown: string | undefined;

  constructor(registry: MetricsRegistry, clock: Clock, serverId: string) {
    this.#clock = clock;
    this.#serverHash = hashOf(serverId);
    const prefix = 'apiserver_authentication_config_controller_';
    this.#reloads = registry.counter(
      `${prefix}automatic_reloads_total`,
      '[BETA] Total number of automatic reloads of authentication configuration split by status and apiserver identity.',
    );
    this.#times = registry.gauge(
      `${prefix}automatic_reload_last_timestamp_seconds`,
      '[BETA] Timestamp of the last automatic reload of authentication configuration split by status and apiserver identity.',
    );
    this.#info = registry.gauge(
      `${prefix}last_config_info`,
      '[ALPHA] Information about the last applied authentication configuration with hash as label, split by apiserver identity.',
    );
  }

  applied(text: string): void {
    const labels = (hash: string) => ({ apiserver_id_hash: this.#serverHash, hash });
    if (this.#shown !== undefined) this.#info.remove(labels(this.#shown));
    this.#shown = hashOf(text);
    this.#info.set(1, labels(this.#shown));
  }

  reloaded(status: 'success' | 'failure'): void {
    const labels = { status, apiserver_id_hash: this.#serverHash };
    this.#reloads.inc(labels);
    this.#times.set(this.#clock.now() / 1000, labels);
  }
}
