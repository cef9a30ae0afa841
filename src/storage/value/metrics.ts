/**
 * What transforming values costs and how often it fails, under upstream's names. Upstream: apiserver
 * pkg/storage/value/metrics.go and pkg/storage/value/encrypt/envelope/metrics/metrics.go.
 * Deviation: series of key ids that are no longer in use stay until the server stops; upstream keeps the last hundred.
 */
import { createHash } from 'node:crypto';
import type { Clock, MetricsRegistry } from '#base';
import type { ValueContext } from './transformer.ts';

const doubling = (start: number, count: number): number[] => Array.from({ length: count }, (_, at) => start * 2 ** at);

/** The code of a failure as gRPC names it; what never became a call has another. */
export function statusCode(error: unknown): string {
  for (let each = error; each instanceof Error; each = each.cause as unknown)
    if ('grpcCode' in each && typeof each.grpcCode === 'string') return each.grpcCode;
  return 'unknown-non-grpc';
}

export class TransformationMetrics {
  readonly #clock: Clock;
  readonly #duration;
  readonly #operations;
  readonly #misses;
  readonly #keyDuration;

  constructor(registry: MetricsRegistry, clock: Clock) {
    this.#clock = clock;
    this.#duration = registry.histogram(
      'apiserver_storage_transformation_duration_seconds',
      '[ALPHA] Latencies in seconds of value transformation operations.',
      doubling(5e-6, 25),
    );
    this.#operations = registry.counter(
      'apiserver_storage_transformation_operations_total',
      "[ALPHA] Total number of transformations. Successful transformation will have a status 'OK' and a varied status string when the transformation fails. The status, resource, and transformation_type fields can be used for alerting purposes. For example, you can monitor for encryption/decryption failures using the transformation_type (e.g., from_storage for decryption and to_storage for encryption). Additionally, these fields can be used to ensure that the correct transformers are applied to each resource.",
    );
    this.#misses = registry.counter(
      'apiserver_storage_envelope_transformation_cache_misses_total',
      '[ALPHA] Total number of cache misses while accessing key decryption key(KEK).',
    );
    this.#keyDuration = registry.histogram(
      'apiserver_storage_data_key_generation_duration_seconds',
      '[ALPHA] Latencies in seconds of data encryption key(DEK) generation operations.',
      doubling(5e-6, 14),
    );
    registry
      .counter(
        'apiserver_storage_data_key_generation_failures_total',
        '[ALPHA] Total number of failed data encryption key(DEK) generation operations.',
      )
      .inc({}, 0);
  }

  now(): number {
    return this.#clock.monotonicMs();
  }

  opened(at: ValueContext, prefix: string, begun: number, error?: Error): void {
    this.#count(at.resource, 'from_storage', prefix, begun, error);
  }

  sealed(at: ValueContext, prefix: string, begun: number, error?: Error): void {
    this.#count(at.resource, 'to_storage', prefix, begun, error);
  }

  /** A key had to be asked of its service. */
  missed(): void {
    this.#misses.inc();
  }

  keyGenerated(begun: number): void {
    this.#keyDuration.observe((this.now() - begun) / 1000);
  }

  #count(resource: string, type: string, prefix: string, begun: number, error: Error | undefined): void {
    const status = error ? statusCode(error) : 'OK';
    this.#operations.inc({ resource, status, transformation_type: type, transformer_prefix: prefix });
    if (error) return;
    this.#duration.observe((this.now() - begun) / 1000, { transformation_type: type, transformer_prefix: prefix });
  }
}

/** Names whose plain form is nobody's business in a metric or a log. */
export function hashOf(text: string): string {
  return text === '' ? '' : `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

export class EnvelopeMetrics {
  readonly #clock: Clock;
  readonly #serverHash: string;
  readonly #latency;
  readonly #used;
  readonly #usedAt;
  readonly #statusAt;
  readonly #invalid;
  readonly #cacheSize;

  /** @param serverId the API server's identity, which is shown as a hash. */
  constructor(registry: MetricsRegistry, clock: Clock, serverId: string) {
    this.#clock = clock;
    this.#serverHash = hashOf(serverId);
    const name = (own: string): string => `apiserver_envelope_encryption_${own}`;
    this.#latency = registry.histogram(
      name('kms_operations_latency_seconds'),
      '[ALPHA] KMS operation duration with gRPC error code status total.',
      doubling(0.0001, 20),
    );
    this.#used = registry.counter(
      name('key_id_hash_total'),
      '[ALPHA] Number of times a keyID is used split by transformation type, provider, and apiserver identity.',
    );
    this.#usedAt = registry.gauge(
      name('key_id_hash_last_timestamp_seconds'),
      '[ALPHA] The last time in seconds when a keyID was used.',
    );
    this.#statusAt = registry.gauge(
      name('key_id_hash_status_last_timestamp_seconds'),
      '[ALPHA] The last time in seconds when a keyID was returned by the Status RPC call.',
    );
    this.#invalid = registry.counter(
      name('invalid_key_id_from_status_total'),
      '[ALPHA] Number of times an invalid keyID is returned by the Status RPC call split by error.',
    );
    this.#cacheSize = registry.gauge(
      name('dek_source_cache_size'),
      '[ALPHA] Number of records in data encryption key (DEK) source cache. On a restart, this value is an approximation of the number of decrypt RPC calls the server will make to the KMS plugin.',
    );
  }

  called(provider: string, method: string, tookMs: number, code: string): void {
    this.#latency.observe(tookMs / 1000, { grpc_status_code: code, method_name: method, provider_name: provider });
  }

  keyUsed(type: 'from_storage' | 'to_storage', provider: string, keyId: string): void {
    const labels = { ...this.#keyLabels(provider, keyId), transformation_type: type };
    this.#used.inc(labels);
    this.#usedAt.set(this.#clock.now() / 1000, labels);
  }

  keySeen(provider: string, keyId: string): void {
    this.#statusAt.set(this.#clock.now() / 1000, this.#keyLabels(provider, keyId));
  }

  keyInvalid(provider: string, error: string): void {
    this.#invalid.inc({ error, provider_name: provider });
  }

  cached(provider: string, size: number): void {
    this.#cacheSize.set(size, { provider_name: provider });
  }

  #keyLabels(provider: string, keyId: string): Record<string, string> {
    return { apiserver_id_hash: this.#serverHash, key_id_hash: hashOf(keyId), provider_name: provider };
  }
}
