/** Reloads of the encryption configuration. Upstream: apiserver pkg/server/options/encryptionconfig/metrics/metrics.go. */
import type { Clock, MetricsRegistry } from '#base';

export class ReloadMetrics {
  readonly #clock: Clock;
  readonly #serverHash: string;
  readonly #total;
  readonly #at;
  readonly #info;
  #hash: string | undefined;

  constructor(registry: MetricsRegistry, clock: Clock, serverHash: string) {
    this.#clock = clock;
    this.#serverHash = serverHash;
    const name = (own: string): string => `apiserver_encryption_config_controller_${own}`;
    this.#total = registry.counter(
      name('automatic_reloads_total'),
      '[ALPHA] Total number of reload successes and failures of encryption configuration split by apiserver identity.',
    );
    this.#at = registry.gauge(
      name('automatic_reload_last_timestamp_seconds'),
      '[ALPHA] Timestamp of the last successful or failed automatic reload of encryption configuration split by apiserver identity.',
    );
    this.#info = registry.gauge(
      name('last_config_info'),
      '[ALPHA] Information about the last applied encryption configuration with hash as label, split by apiserver identity.',
    );
  }

  /** @param hash of the configuration that is in use from now on. */
  applied(hash: string): void {
    if (this.#hash !== undefined) this.#info.set(0, this.#infoLabels(this.#hash));
    this.#hash = hash;
    this.#info.set(1, this.#infoLabels(hash));
  }

  succeeded(hash: string): void {
    this.#count('success');
    this.applied(hash);
  }

  failed(): void {
    this.#count('failure');
  }

  #count(status: string): void {
    const labels = { apiserver_id_hash: this.#serverHash, status };
    this.#total.inc(labels);
    this.#at.set(this.#clock.now() / 1000, labels);
  }

  #infoLabels(hash: string): Record<string, string> {
    return { apiserver_id_hash: this.#serverHash, hash };
  }
}
